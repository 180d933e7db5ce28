//! The line of a port.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::world::{Board, Told, port, socket};
use crate::{Line as _, Options};

#[tokio::test]
async fn bytes_pass_both_ways_and_the_end_stays_the_end() {
    let (_directory, place) = socket();
    let (told, mut port) = (Told::new(), port(&place, Options::new().baud(9600)));
    let board = Board::plugged_in(&place);
    let mut opened = port.next(&told.uplink()).await;
    let all: Vec<u8> = (0..=255).collect();
    opened.line.write_all(&all).await.unwrap();
    let mut received = Vec::new();
    while received.len() < all.len() {
        received.extend(board.receive());
    }
    assert_eq!(received, all, "nothing is changed on the way out");
    board.send(&all);
    let mut read = vec![0; all.len()];
    opened.line.read_exact(&mut read).await.unwrap();
    assert_eq!(read, all, "nor on the way in");
    assert_eq!(opened.line.byte_time(), Duration::from_nanos(1_041_666));

    drop(board);
    for _ in 0..3 {
        assert_eq!(opened.line.read(&mut read).await.unwrap(), 0);
    }
    opened.line.write_all(b"x").await.unwrap_err();
}

#[tokio::test]
async fn neither_flushing_nor_closing_waits_for_a_board_that_reads_nothing() {
    let (_directory, place) = socket();
    let (told, mut port) = (Told::new(), port(&place, Options::new()));
    let _board = Board::plugged_in(&place);
    let mut opened = port.next(&told.uplink()).await;
    let full = timeout(Duration::from_millis(50), async {
        loop {
            opened.line.write_all(&[b'x'; 1024]).await.unwrap();
        }
    });
    full.await.unwrap_err();
    assert!(opened.line.queued().is_some());
    let began = Instant::now();
    opened.line.flush().await.unwrap();
    opened.line.shutdown().await.unwrap();
    drop(opened);
    // The system would wait for half a minute.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
