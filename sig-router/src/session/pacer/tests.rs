use super::*;

const GAP: Duration = Duration::from_millis(10);

fn pacer() -> Pacer {
    Pacer::new(Pacing {
        gap: GAP,
        max_message: 64,
    })
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn send(text: &'static str) -> Next {
    Next::Send(Bytes::from_static(text.as_bytes()))
}

/// What `next` sends, as text.
#[track_caller]
fn sent(pacer: &mut Pacer, now: Instant) -> String {
    match pacer.next(now) {
        Next::Send(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_follows_a_call_until_its_answer() {
    let now = Instant::now();
    let mut pacer = pacer();
    assert_eq!(pacer.next(now), Next::Idle);
    pacer.call(1, "first".into(), None).unwrap();
    pacer.call(2, "second".into(), None).unwrap();
    assert_eq!(pacer.next(now), send("first"));
    pacer.reply("reply".into()).unwrap();
    assert_eq!(pacer.next(now), Next::Wait(now + PATIENCE));
    pacer.answered(2);
    pacer.answered(77);
    assert_eq!(pacer.next(now), Next::Wait(now + PATIENCE), "answers to nothing");
    pacer.answered(1);
    assert_eq!(pacer.next(now), send("reply"));
    assert_eq!((pacer.len(), pacer.byte_len()), (1, 6));
}

#[test]
fn a_gap_follows_a_reply() {
    let now = Instant::now();
    let mut pacer = pacer();
    pacer.reply("reply".into()).unwrap();
    assert_eq!(pacer.next(now), send("reply"));
    assert_eq!(pacer.next(now), Next::Idle);
    pacer.call(1, "call".into(), None).unwrap();
    assert_eq!(pacer.next(now), Next::Wait(now + GAP * UNPROVEN));
    pacer.answered(1);
    assert_eq!(
        pacer.next(now),
        Next::Wait(now + GAP * UNPROVEN),
        "no answer can prove that a reply was read"
    );
    assert_eq!(pacer.next(now + GAP * UNPROVEN), send("call"));
}

#[test]
fn the_gap_is_shorter_once_the_peer_calls_again() {
    let mut now = Instant::now();
    let mut pacer = pacer();
    for _ in 0..3 {
        pacer.called(now);
        pacer.reply("reply".into()).unwrap();
        assert_eq!(pacer.next(now), send("reply"));
        now += GAP;
    }
    now += GAP * UNPROVEN;
    // Two threads call at once: one may call again before the other one's reply was read.
    pacer.called(now);
    pacer.called(now);
    pacer.reply("first".into()).unwrap();
    pacer.reply("second".into()).unwrap();
    assert_eq!(pacer.next(now), send("first"));
    pacer.called(now);
    assert_eq!(pacer.next(now + GAP), Next::Wait(now + GAP * UNPROVEN));
    now += GAP * UNPROVEN;
    assert_eq!(pacer.next(now), send("second"));

    // A caller that is kept waiting gives up, and then calls again without any reply.
    now += PATIENCE;
    pacer.reply("late".into()).unwrap();
    assert_eq!(pacer.next(now), send("late"));
    pacer.reply("later".into()).unwrap();
    pacer.called(now);
    assert_eq!(pacer.next(now + GAP), Next::Wait(now + GAP * UNPROVEN));
}

#[test]
fn replies_go_first_but_not_for_ever() {
    let mut now = Instant::now();
    let mut pacer = pacer();
    pacer.call(1, "call".into(), None).unwrap();
    for _ in 0..20 {
        pacer.called(now);
        pacer.reply("reply".into()).unwrap();
    }
    let mut order = Vec::new();
    while pacer.len() > 0 {
        order.push(sent(&mut pacer, now));
        pacer.answered(1);
        now += GAP * UNPROVEN;
    }
    assert_eq!(order.iter().position(|text| text == "call"), Some(BURST));
    assert_eq!(order.len(), 21);
}

#[test]
fn p46_an_unanswered_call_is_given_up_and_the_peer_is_probed() {
    let now = Instant::now();
    let mut pacer = pacer();
    pacer.call(1, "stuck".into(), None).unwrap();
    assert_eq!(pacer.next(now), send("stuck"));
    assert_eq!(pacer.next(now + millis(9_999)), Next::Wait(now + PATIENCE));
    assert_eq!(pacer.next(now + PATIENCE), Next::GaveUp(1));
    assert_eq!(pacer.next(now + PATIENCE), Next::Idle, "no work, no probe");
    assert_eq!((pacer.len(), pacer.byte_len()), (0, 0));

    pacer.reply("reply".into()).unwrap();
    let asked = now + millis(12_000);
    assert_eq!(
        sent(&mut pacer, asked),
        r#"{"id": 9007199254740991, "method": "get_version"}"#
    );
    assert_eq!(pacer.next(asked), Next::Wait(asked + PATIENCE));
    pacer.answered(1);
    assert_eq!(
        pacer.next(asked),
        Next::Wait(asked + PATIENCE),
        "late; says nothing about the probe"
    );
    assert_eq!(
        sent(&mut pacer, asked + PATIENCE),
        r#"{"id": 9007199254740990, "method": "get_version"}"#
    );
    pacer.answered(FIRST_PROBE);
    assert!(matches!(pacer.next(asked + PATIENCE), Next::Wait(_)), "an older probe");
    pacer.answered(FIRST_PROBE - 1);
    assert_eq!(pacer.next(asked + PATIENCE), send("reply"));
}

#[test]
fn a_late_answer_makes_a_probe_needless() {
    let now = Instant::now();
    let mut pacer = pacer();
    pacer.call(1, "slow".into(), Some(now + PATIENCE * 3)).unwrap();
    pacer.call(2, "next".into(), None).unwrap();
    assert_eq!(pacer.next(now), send("slow"));
    assert_eq!(pacer.next(now + PATIENCE), Next::GaveUp(1));
    assert!(!pacer.answered_not_ready(1, now + PATIENCE), "given up already");
    assert_eq!(pacer.next(now + PATIENCE), send("next"));
}

#[test]
fn p68_a_listener_that_is_not_known_yet_is_tried_again() {
    let now = Instant::now();
    let mut pacer = pacer();
    pacer.call(1, "event".into(), Some(now + millis(125))).unwrap();
    pacer.call(2, "other".into(), None).unwrap();
    assert_eq!(pacer.next(now), send("event"));
    assert!(pacer.answered_not_ready(1, now));
    assert_eq!(
        pacer.next(now),
        Next::Wait(now + RETRY_PAUSE),
        "the others do not overtake it"
    );
    pacer.reply("reply".into()).unwrap();
    assert_eq!(pacer.next(now), send("reply"), "replies do");
    assert_eq!(pacer.next(now + millis(50)), send("event"));
    assert_eq!((pacer.len(), pacer.byte_len()), (2, 10));
    assert!(pacer.answered_not_ready(1, now + millis(115)));
    assert_eq!(pacer.next(now + millis(125)), send("event"));
    assert!(!pacer.answered_not_ready(1, now + millis(125)), "its time is over");
    assert_eq!(pacer.next(now + millis(125)), send("other"));
    assert!(
        !pacer.answered_not_ready(2, now + millis(125)),
        "never to be tried again"
    );
    assert_eq!((pacer.len(), pacer.byte_len()), (0, 0));
}

#[test]
fn a_dropped_call_does_not_go_out_and_one_under_way_keeps_its_place() {
    let now = Instant::now();
    let mut pacer = pacer();
    pacer.call(1, "under way".into(), Some(now + PATIENCE)).unwrap();
    pacer.call(2, "waiting".into(), None).unwrap();
    assert_eq!(pacer.next(now), send("under way"));
    assert!(pacer.drop_call(2));
    assert!(!pacer.drop_call(2));
    assert!(!pacer.drop_call(1));
    assert_eq!((pacer.len(), pacer.byte_len()), (1, 9));
    pacer.call(3, "last".into(), None).unwrap();
    assert_eq!(pacer.next(now), Next::Wait(now + PATIENCE));
    assert!(!pacer.answered_not_ready(1, now), "not repeated");
    assert_eq!(pacer.next(now), send("last"));

    assert!(!pacer.drop_call(3));
    pacer.reply("reply".into()).unwrap();
    assert_eq!(
        sent(&mut pacer, now + PATIENCE)[..5],
        *"{\"id\"",
        "nobody is told, the peer is probed"
    );
}

#[test]
fn what_the_peer_cannot_receive_is_refused() {
    let mut pacer = pacer();
    let error = pacer.call(1, vec![b' '; 65].into(), None).unwrap_err();
    assert_eq!(error, TooLarge { size: 65, limit: 64 });
    assert_eq!(
        error.to_string(),
        "a message of 65 bytes is over the 64 bytes that a pysig peer can receive; send less, or in pieces"
    );
    assert_eq!(pacer.reply(vec![b' '; 65].into()), Err(error));
    assert_eq!(pacer.reply(vec![b' '; 64].into()), Ok(()));
    assert_eq!((pacer.len(), pacer.byte_len()), (1, 64));
}

#[test]
fn the_pause_after_a_reply_grows_with_a_peer_that_takes_its_time() {
    let (start, gap) = (Instant::now(), Duration::from_millis(10));
    let mut pacer = Pacer::new(Pacing { gap, max_message: 4096 });
    let mut pause_after_a_reply = |took: Duration| {
        pacer.call(1, Bytes::from_static(b"call"), None).unwrap();
        assert!(matches!(pacer.next(start), Next::Send(_)));
        pacer.measure(1, start + took);
        pacer.answered(1);
        pacer.reply(Bytes::from_static(b"reply")).unwrap();
        pacer.reply(Bytes::from_static(b"another")).unwrap();
        assert!(matches!(pacer.next(start), Next::Send(_)));
        let Next::Wait(until) = pacer.next(start) else {
            panic!("no pause")
        };
        assert!(matches!(pacer.next(until), Next::Send(_)));
        pacer.next(until + Duration::from_secs(3));
        until - start
    };
    assert_eq!(pause_after_a_reply(Duration::from_millis(1)), gap * UNPROVEN);
    assert_eq!(
        pause_after_a_reply(Duration::from_millis(200)),
        Duration::from_millis(400)
    );
    assert_eq!(pause_after_a_reply(Duration::from_secs(60)), 2 * SLOWEST);
}
