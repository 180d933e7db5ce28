//! One board, several programs.

use sig_carrier_serial::Options;
use sig_tests::ears::Ears;
use sig_tests::rig::TcpServer;

use super::world::{LINES, Socket};

#[tokio::test]
async fn promise_2_three_programs_on_one_board_hear_the_same() {
    const EVENTS: usize = 300;
    let (server, socket) = (TcpServer::start(), Socket::new());
    let _carrier = socket.attach(&server.router, Options::new());
    let mut ears = [
        Ears::new(&server).await,
        Ears::new(&server).await,
        Ears::new(&server).await,
    ];
    let board = socket.plug(LINES);
    board.say(r#"{"hello":"board","events":["a","b"],"n":0}"#);
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
            ears[0].until(&format!(" {said}")).await;
        }
    }
    ears[1].until(&format!(" {EVENTS}")).await;
    ears[2].until(&format!(" {EVENTS}")).await;
    let [first, second, third] = ears.map(|ears| ears.record);
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
