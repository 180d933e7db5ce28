//! Whoever listens elsewhere cannot tell a board from any other sender.

use std::time::Duration;

use serde_json::Value;
use sig_carrier_serial::framing::Dialect;
use sig_carrier_serial::{Check, Options};
use sig_router::{HandlerError, Request};
use sig_tests::ears::Ears;
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, client_of, disconnected, soon};

use super::world::{LINES, Socket};

const HELLO: &str = r#"{"hello":"greenhouse","events":["temp","door"],"requests":["led"]}"#;

/// A native sender that appears, emits, answers, is lost and returns.
async fn native() -> Vec<String> {
    let server = TcpServer::start();
    let mut ears = Ears::new(&server).await;
    let proxy = Proxy::to(&server.address).await;
    for round in 0..2 {
        proxy.set(Cable::Whole);
        let client = client_of(&proxy.address.to_string());
        let greenhouse = client
            .add_remote_sender("greenhouse")
            .events(["temp", "door"])
            .request("led", |request: Request| {
                let on: bool = request.params()?;
                if on {
                    Ok("on")
                } else {
                    Err(HandlerError::new("burnt out"))
                }
            })
            .connect()
            .await
            .expect("the server is there");
        ears.until("#connect").await;
        let (temp, door) = (
            greenhouse.signal("temp").expect("the server is there"),
            greenhouse.signal("door").expect("the server is there"),
        );
        temp.trigger(&21.5).await.expect("the server is there");
        door.trigger(&serde_json::json!({"open": true, "by": null}))
            .await
            .expect("the server is there");
        temp.trigger(&"NaN").await.expect("the server is there");
        door.trigger(&()).await.expect("the server is there");
        ears.until("door #2").await;
        for params in [Value::Bool(true), Value::Bool(false)] {
            ears.ask("greenhouse", "led", &params).await;
        }
        ears.ask("greenhouse", "dance", &Value::Null).await;
        proxy.set(Cable::Cut);
        disconnected(&client).await;
        drop(greenhouse);
        drop(client);
        ears.until("#disconnect").await;
        ears.record.push(format!("round {round}"));
    }
    ears.record
}

/// A board that does the same.
async fn board(dialect: Dialect) -> Vec<String> {
    let (server, socket) = (TcpServer::start(), Socket::new());
    let _carrier = socket.attach(&server.router, Options::new());
    let mut ears = Ears::new(&server).await;
    for round in 0..2 {
        let board = socket.plug(dialect);
        soon("the host", board.is_greeted()).await;
        board.say(HELLO);
        ears.until("#connect").await;
        board.say(r#"{"event":"temp","data":21.5}"#);
        board.say(r#"{"event":"door","data":{"open":true,"by":null}}"#);
        board.say(r#"{"temp":NaN}"#);
        board.say(r#"{"event":"door"}"#);
        ears.until("door #2").await;
        for params in [Value::Bool(true), Value::Bool(false)] {
            let answering = async {
                let asked = board.asked().await;
                assert_eq!((&asked["method"], &asked["params"]), (&"led".into(), &params));
                let outcome = match params {
                    Value::Bool(true) => r#""response":"on""#,
                    _ => r#""error":"burnt out""#,
                };
                board.say(&format!("{{\"id\":{},{outcome}}}", asked["id"]));
            };
            tokio::join!(ears.ask("greenhouse", "led", &params), answering);
        }
        ears.ask("greenhouse", "dance", &Value::Null).await;
        drop(board);
        ears.until("#disconnect").await;
        ears.record.push(format!("round {round}"));
    }
    ears.record
}

#[tokio::test]
async fn promise_3_a_board_cannot_be_told_from_a_native_sender() {
    let native = native().await;
    assert_eq!(native.len(), 20, "{native:#?}");
    assert_eq!(native[4], "greenhouse/door #2 null");
    for dialect in [
        LINES,
        Dialect::Lines(Check::Crc16),
        Dialect::Lines(Check::Crc32),
        Dialect::Frames,
    ] {
        let board = board(dialect).await;
        assert_eq!(board, native, "{dialect:?}");
    }
}

#[tokio::test]
async fn promise_11_a_request_that_the_line_lost_is_said_again_and_one_without_an_answer_ends() {
    let (server, socket) = (TcpServer::start(), Socket::new());
    let _carrier = socket.attach(&server.router, Options::new());
    let mut ears = Ears::new(&server).await;
    let board = socket.plug(LINES);
    board.say(HELLO);
    ears.until("#connect").await;
    let ask = |timeout: u64| {
        let request = ears.client.remote_request("greenhouse", "led", &true);
        request.timeout(Duration::from_millis(timeout))
    };
    let answering = async {
        let (first, second) = (board.asked().await, board.asked().await);
        assert_eq!(first, second, "the same once more");
        // Both were heard after all.
        for _ in 0..2 {
            board.say(&format!("{{\"id\":{},\"response\":1}}", first["id"]));
        }
        first["id"].clone()
    };
    let (answer, first) = tokio::join!(soon("an answer", ask(4000)), answering);
    assert_eq!(answer.unwrap().text(), "1");
    let error = soon("the end", ask(100)).await.unwrap_err();
    assert!(matches!(error, sig_router::RequestError::TimedOut { .. }), "{error}");
    let answering = async {
        loop {
            let asked = board.asked().await;
            // The first may have been said once more before it was answered.
            if asked["id"] == first {
                continue;
            }
            board.say(&format!("{{\"id\":{},\"response\":{}}}", asked["id"], asked["id"]));
        }
    };
    tokio::select! {
        answer = soon("an answer", ask(5000)) => assert!(answer.is_ok(), "{answer:?}"),
        () = answering => {}
    }
}
