//! Who is asked goes away: the asker has `SenderGone` within 100 ms.

use std::future::Future;
use std::time::{Duration, Instant};

use serde_json::json;
use sig_core::Dialect;
use sig_router::{RequestError, Router};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::raw::Raw;
use sig_tests::rig::{WAIT, client_of, client_over, connected, soon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::world::{World, called, callee, dropped, hanging};

/// Within this time an asker learns that whom it asked is gone.
const AT_ONCE: Duration = Duration::from_millis(100);

fn sender_gone() -> RequestError {
    RequestError::SenderGone {
        sender: "callee".into(),
    }
}

/// Asks, lets the callee go once it was asked, and looks what the asker is told and when.
async fn expect_gone<A>(what: &str, asking: A, going: impl Future<Output = Instant>)
where
    A: IntoFuture<Output = Result<sig_core::RawJson, RequestError>>,
{
    let told = async {
        let answer = soon("an answer", asking).await;
        (answer, Instant::now())
    };
    let ((answer, told), went) = tokio::join!(told, going);
    assert_eq!(answer.unwrap_err(), sender_gone(), "{what}");
    let after = told.saturating_duration_since(went);
    assert!(after <= AT_ONCE, "{what}: after {after:?}");
}

#[tokio::test]
async fn promise_4_a_callee_whose_program_is_killed_is_gone_within_100_ms() {
    for world in World::each() {
        let asker = world.client();
        connected(&asker).await;
        match world.callee() {
            Some(mut process) => {
                process.says_line("ready").await;
                let asking = asker.remote_request("callee", "hang", &());
                let going = async {
                    process.says_line("asked").await;
                    let went = Instant::now();
                    process.kill().await;
                    went
                };
                expect_gone(world.name, asking, going).await;
            }
            None => {
                let client = world.client();
                let (_sender, mut tells) = callee(&client).await;
                let going = async {
                    called(&mut tells).await;
                    drop(client);
                    Instant::now()
                };
                expect_gone(world.name, asker.remote_request("callee", "hang", &()), going).await;
            }
        }
    }
}

#[tokio::test]
async fn promise_4_a_callee_whose_link_is_cut_is_gone_within_100_ms_and_its_handler_ends() {
    for world in World::each() {
        let (asker, client) = (world.client(), world.client());
        let (_sender, mut tells) = callee(&client).await;
        connected(&asker).await;
        let going = async {
            called(&mut tells).await;
            world.kick_callee();
            Instant::now()
        };
        expect_gone(world.name, asker.remote_request("callee", "hang", &()), going).await;
        dropped(&mut tells).await;
    }
    // By the medium.
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (asker, client) = (world.client(), client_of(&proxy.address.to_string()));
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let going = async {
        called(&mut tells).await;
        proxy.set(Cable::Cut);
        Instant::now()
    };
    expect_gone("a cut cable", asker.remote_request("callee", "hang", &()), going).await;
    dropped(&mut tells).await;
}

#[tokio::test]
async fn promise_4_a_callee_that_is_removed_is_gone_within_100_ms_and_its_handler_ends() {
    for world in World::each() {
        let (asker, client) = (world.client(), world.client());
        connected(&asker).await;
        for by_name in [false, true] {
            // From another client, from the server, from its own client over the server and without it.
            for from in 0..4 {
                let (sender, mut tells) = callee(&client).await;
                let asking = match from {
                    0 => asker.remote_request("callee", "hang", &()),
                    1 => world.server.request("callee", "hang", &()),
                    2 => client.remote_request("callee", "hang", &()),
                    _ => client.local().request("callee", "hang", &()),
                };
                let going = async {
                    called(&mut tells).await;
                    let went = Instant::now();
                    if by_name {
                        assert!(client.remove_remote_sender("callee").await.unwrap());
                    } else {
                        sender.remove().await;
                    }
                    went
                };
                let what = format!("{}, from {from}", world.name);
                expect_gone(&what, asking, going).await;
                dropped(&mut tells).await;
            }
        }
    }
}

/// One of ours answers what it was asked before it removes its sender. Others need not.
#[tokio::test]
async fn promise_4_a_callee_that_is_removed_without_an_answer_is_gone_within_100_ms() {
    let world = World::tcp();
    let asker = world.client();
    connected(&asker).await;
    let mut callee = Raw::hello(world.address()).await;
    for id in [1, 3] {
        let params = json!({"sender": "callee", "events": [], "requests": ["hang"]});
        assert_eq!(callee.call(id, "add_sender", &params).await["status"], 0);
        let asking = asker.remote_request("callee", "hang", &());
        let going = async {
            let (asked, _) = callee.called("request").await;
            let removed = callee.call(id + 1, "remove_sender", &json!({"sender": "callee"})).await;
            assert_eq!(removed["status"], 0, "{removed}");
            let went = Instant::now();
            // Nobody waits for it any more, and it does no harm.
            callee.answer(asked, &json!(1)).await;
            went
        };
        expect_gone("without an answer", asking, going).await;
    }
}

#[tokio::test]
async fn promise_4_a_callee_that_is_removed_behind_a_full_queue_is_gone_at_once() {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    // A listener that takes nothing.
    let _frozen = world.server.listen("callee/e").unwrap();
    let (sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let signal = sender.signal("e").unwrap();
    let going = async {
        called(&mut tells).await;
        let payload = "x".repeat(64 * 1024);
        while signal.try_trigger(&payload).is_ok() {
            tokio::task::yield_now().await;
        }
        let went = Instant::now();
        drop(sender);
        went
    };
    expect_gone("held up", asker.remote_request("callee", "hang", &()), going).await;
}

#[tokio::test]
async fn promise_4_inside_one_process_it_is_the_same() {
    let router = Router::new();
    for by_name in [false, true] {
        let (builder, mut tells) = hanging(router.add_sender("callee"));
        let sender = builder.connect().unwrap();
        let going = async {
            called(&mut tells).await;
            let went = Instant::now();
            if by_name {
                assert!(router.remove_sender("callee"));
            } else {
                assert!(sender.remove());
            }
            went
        };
        expect_gone("in process", router.request("callee", "hang", &()), going).await;
        dropped(&mut tells).await;
    }
}

#[tokio::test]
async fn promise_4_a_pysig_callee_that_removes_its_sender_or_goes_is_gone() {
    let world = World::tcp();
    let asker = world.client();
    connected(&asker).await;
    for removes in [true, false] {
        let mut pysig = TcpStream::connect(world.address()).await.unwrap();
        let add =
            br#"{"id": 1, "method": "add_sender", "params": {"sender": "callee", "events": [], "requests": ["hang"]}}"#;
        pysig.write_all(add).await.unwrap();
        read_until(&mut pysig, "status").await;
        let going = async {
            read_until(&mut pysig, "hang").await;
            let went = Instant::now();
            if removes {
                let remove = br#"{"id": 2, "method": "remove_sender", "params": {"sender": "callee"}}"#;
                pysig.write_all(remove).await.unwrap();
            } else {
                pysig.shutdown().await.unwrap();
            }
            went
        };
        let asking = asker.remote_request("callee", "hang", &()).timeout(WAIT);
        expect_gone("pysig", asking, going).await;
    }
}

/// pysig's server takes no request back: the client that removes its sender answers for it.
#[tokio::test]
async fn promise_4_a_pysig_server_that_asks_is_told_that_the_callee_is_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let client = client_over(sig_carrier_tcp::dial(&address).unwrap().with_dialect(Dialect::Pysig));
    let (mut server, _) = listener.accept().await.unwrap();
    let done = |id: u64| format!(r#"{{"id": {id}, "status": 0, "response": null}}"#).into_bytes();
    let registering = async {
        read_until(&mut server, "add_sender").await;
        server.write_all(&done(1)).await.unwrap();
    };
    let ((sender, mut tells), ()) = tokio::join!(callee(&client), registering);
    let ask = br#"{"id": 70, "method": "request", "params": {"sender": "callee", "method": "hang"}}"#;
    server.write_all(ask).await.unwrap();
    called(&mut tells).await;
    let removing = async {
        let text = read_until(&mut server, "remove_sender").await;
        let told = "callee left before it answered";
        // Nothing else comes before its call was answered.
        server.write_all(&done(2)).await.unwrap();
        if !text.contains(told) {
            read_until(&mut server, told).await;
        }
    };
    let began = Instant::now();
    tokio::join!(sender.remove(), removing);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    dropped(&mut tells).await;
}

/// Reads until this text has come, and gives all that came.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    let mut buffer = [0; 4096];
    while !read.contains(text) {
        let count = soon("more", stream.read(&mut buffer)).await.unwrap();
        assert_ne!(count, 0, "it ended after {read}");
        read += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    read
}
