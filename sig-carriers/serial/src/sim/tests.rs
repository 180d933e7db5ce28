use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[test]
fn the_right_rate_gives_what_was_sent_and_a_wrong_one_does_not() {
    let text = b"{\"temp\":21.5,\"hum\":40}\n".repeat(20);
    assert_eq!(resample(&text, 115_200, 115_200), text);
    // A few percent off is what UARTs live with.
    assert_eq!(resample(&text, 115_200, 117_000), text);

    let slow = resample(&text, 115_200, 9600);
    assert!(slow.len() < text.len() / 6, "one for several: {}", slow.len());
    let fast = resample(&text, 9600, 115_200);
    assert!(fast.len() > text.len() * 2, "several for one: {}", fast.len());
    for wrong in [slow, fast] {
        let text = wrong.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        assert!(text * 2 < wrong.len(), "{:?}", wrong.escape_ascii().to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn noise_damages_as_much_as_it_says_and_a_cut_ends_both_ends() {
    let (cable, mut near, mut far) = Cable::new(1_000_000, 7);
    cable.set_noise(Noise::of(10_000));
    let write = async {
        near.write_all(&[0x55; 200_000]).await.unwrap();
        near
    };
    let read = async {
        let mut read = Vec::new();
        while read.len() < 199_000 {
            far.read_buf(&mut read).await.unwrap();
        }
        (read, far)
    };
    let (mut near, (read, mut far)) = tokio::join!(write, read);
    let damaged = cable.damaged();
    assert!((1700..2300).contains(&damaged), "{damaged}");
    let wrong = read.iter().filter(|byte| **byte != 0x55).count() as u64;
    assert!(
        (damaged / 2..damaged).contains(&wrong),
        "{wrong} of {damaged}: some are lost"
    );
    cable.cut();
    assert!(near.write_all(b"x").await.is_err());
    while far.read(&mut [0; 1000]).await.unwrap() > 0 {}
}
