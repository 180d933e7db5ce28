//! One board, several programs.

use sig_carrier_serial::Options;
use sig_tests::rig::{TcpServer, connected, soon};

use super::world::{LINES, Socket, told};

#[tokio::test]
async fn promise_2_three_programs_on_one_board_hear_the_same() {
    const EVENTS: usize = 300;
    let (server, socket) = (TcpServer::start(), Socket::new());
    let _carrier = socket.attach(&server.router, Options::new());
    let clients = [server.client(), server.client(), server.client()];
    let mut streams = Vec::new();
    for client in &clients {
        connected(client).await;
        streams.push(client.listen_remote("board/*").await.unwrap());
    }
    let board = socket.plug(LINES);
    board.say(r#"{"hello":"board","events":["a","b"],"n":0}"#);
    let mut records = [const { Vec::<String>::new() }; 3];
    let mut said = 0;
    for n in 1..=EVENTS {
        let event = if n % 3 == 0 { "b" } else { "a" };
        // Some do not arrive.
        if n % 7 != 0 {
            board.say(&format!("{{\"event\":\"{event}\",\"data\":{n},\"n\":{n}}}"));
            said = n;
        }
        // The line holds only so much.
        if n % 20 == 0 {
            while !records[0].iter().any(|told| told.ends_with(&format!(" {said}"))) {
                let next = soon("an event", streams[0].recv()).await.unwrap();
                records[0].push(next.map_or_else(|lagged| format!("lost {}", lagged.count()), |event| told(&event)));
            }
        }
    }
    for (stream, record) in streams.iter_mut().zip(&mut records) {
        while !record.last().is_some_and(|told| told.ends_with(&format!(" {EVENTS}"))) {
            let next = soon("an event", stream.recv()).await.unwrap();
            record.push(next.map_or_else(|lagged| format!("lost {}", lagged.count()), |event| told(&event)));
        }
    }
    let [first, second, third] = records;
    assert_eq!((&first, &first), (&second, &third));
    let lost: usize = first
        .iter()
        .filter_map(|told| told.strip_prefix("lost ")?.parse::<usize>().ok())
        .sum();
    let events = first
        .iter()
        .filter(|told| told.starts_with("board/a") || told.starts_with("board/b"))
        .count();
    assert_eq!((lost, events + lost), (EVENTS / 7, EVENTS));
}
