//! Two engines and a line between them, in time that is only counted.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::Options;
use crate::framing::{Reader, Settings, Writer};
use crate::sim::Cable;

/// One direction of a line.
#[derive(Default)]
struct Way {
    /// Arrive then, unless they are lost.
    flying: VecDeque<(Duration, Option<Bytes>)>,
    free: Duration,
    sent: usize,
    segments: usize,
}

struct World {
    pace: Pace,
    now: Duration,
    ends: [Engine; 2],
    ways: [Way; 2],
    /// Loses so many segments of a thousand.
    loss: u32,
    random: fastrand::Rng,
    lost: usize,
    /// Two spoke at once.
    collisions: usize,
}

fn pace(half: bool) -> Pace {
    Pace {
        half,
        ..Pace::from(&Options::new())
    }
}

fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(size).collect()
}

impl World {
    /// Opens a link.
    fn open(half: bool, loss: u32, seed: u64) -> Self {
        let pace = pace(half);
        let mut dialler = Engine::dial(pace, 77, Duration::ZERO);
        let opening = dialler.next_segment(Duration::ZERO).unwrap();
        let listener = Engine::accept(pace, &opening, Duration::ZERO).unwrap();
        let mut world = Self {
            pace,
            now: Duration::ZERO,
            ends: [dialler, listener],
            ways: Default::default(),
            loss,
            random: fastrand::Rng::with_seed(seed),
            lost: 0,
            collisions: 0,
        };
        while !world.ends[0].is_open() {
            world.step();
        }
        world
    }

    /// What is ready goes on the line, and time goes on to what happens next.
    fn step(&mut self) {
        let mut next = self.now + Duration::from_secs(1);
        for end in 0..2 {
            let now = self.now;
            let way = &mut self.ways[end];
            while way.flying.front().is_some_and(|(at, _)| *at <= now) {
                let (_, segment) = way.flying.pop_front().unwrap();
                self.ends[1 - end].hears(now);
                if let Some(segment) = segment {
                    self.ends[1 - end].take(&segment, now);
                }
            }
        }
        for end in 0..2 {
            if self.now >= self.ways[end].free
                && let Some(segment) = self.ends[end].next_segment(self.now)
            {
                let mut line = bytes::BytesMut::new();
                Writer::segment(&[&segment], &mut line);
                self.collisions += usize::from(self.pace.half && self.ways[1 - end].free > self.now);
                let lost = self.random.u32(..1000) < self.loss;
                self.lost += usize::from(lost);
                let way = &mut self.ways[end];
                way.free = self.now + self.pace.time_of(line.len());
                // It comes a little later than it went.
                let late = self.random.u64(1..3_000);
                let at = way.flying.back().map_or(Duration::ZERO, |(at, _)| *at);
                let at = at.max(way.free + Duration::from_micros(late));
                way.flying.push_back((at, (!lost).then(|| segment.into())));
                way.sent += line.len();
                way.segments += 1;
            }
            let way = &self.ways[end];
            if way.free > self.now {
                next = next.min(way.free);
            }
            if let Some((at, _)) = way.flying.front() {
                next = next.min(*at);
            }
            if let Some(at) = self.ends[end].deadline() {
                next = next.min(at.max(self.now + Duration::from_millis(1)));
            }
        }
        self.now = next;
    }

    /// Sends this from each end to the other at once, and gives what arrived.
    fn send(&mut self, both: [&[u8]; 2]) -> [Vec<u8>; 2] {
        let mut sent = [0; 2];
        let mut got = [Vec::new(), Vec::new()];
        let begin = self.now;
        while (0..2).any(|end| got[1 - end].len() < both[end].len()) {
            for ((end, sent), data) in self.ends.iter_mut().zip(&mut sent).zip(both) {
                *sent += end.write(&data[*sent..]);
                assert_eq!(end.end(), None);
            }
            self.step();
            for (end, got) in self.ends.iter_mut().zip(&mut got) {
                while let Some(bytes) = end.read(usize::MAX) {
                    got.extend_from_slice(&bytes);
                }
            }
            assert!(self.now - begin < Duration::from_secs(3600), "{self:?}");
        }
        got
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at {:?}, {} lost: {:#?}", self.now, self.lost, self.ends)
    }
}

#[test]
fn a_line_without_noise_is_used_well() {
    let data = bytes(200_000, 1);
    for (half, both, least) in [(false, false, 95), (false, true, 93), (true, false, 75)] {
        let mut world = World::open(half, 0, 3);
        let back = if both { data.clone() } else { Vec::new() };
        let began = world.now;
        let got = world.send([&data, &back]);
        assert!(got == [back, data.clone()]);
        let share = data.len() as f64 * 100.0 / world.pace.bytes_in(world.now - began) as f64;
        assert!(
            share > f64::from(least),
            "{share} % of the line, half {half}, both {both}"
        );
        assert_eq!(world.collisions, 0);
        let least = data.len() / pace(half).segment();
        assert!(
            world.ways[0].segments < least + 10 + least / 10,
            "hardly anything went twice"
        );
    }
}

#[test]
fn whatever_is_lost_comes_again() {
    for half in [false, true] {
        for loss in [10, 100, 300] {
            let mut world = World::open(half, loss, u64::from(loss));
            let (there, back) = (bytes(40_000, 1), bytes(30_000, 2));
            let got = world.send([&there, &back]);
            assert!(got == [back, there], "half {half}, loss {loss}");
            assert!(world.lost > 0);
        }
    }
}

#[test]
fn an_end_that_is_not_read_holds_up_the_other_and_nothing_is_lost() {
    let mut world = World::open(false, 50, 9);
    let data = bytes(100_000, 4);
    let mut sent = 0;
    while world.now < Duration::from_secs(60) {
        sent += world.ends[0].write(&data[sent..]);
        world.step();
    }
    assert!(sent < 20 * world.pace.chunk(), "{sent} bytes for one who reads nothing");
    assert!(world.ends[0].is_open(), "{world:?}");
    let mut got = Vec::new();
    while got.len() < data.len() {
        sent += world.ends[0].write(&data[sent..]);
        world.step();
        got.extend(world.ends[1].read(usize::MAX).into_iter().flatten());
        assert!(world.now < Duration::from_secs(120), "{world:?}");
    }
    assert!(got == data);
}

#[test]
fn what_was_flushed_does_not_wait_for_what_follows() {
    let mut world = World::open(false, 0, 1);
    let size = world.pace.segment();
    assert_eq!(world.ends[0].write(&[1; 20]), 20);
    world.ends[0].flush();
    let room = world.ends[0].room();
    assert_eq!(world.ends[0].write(&vec![2; 1000]), room);
    assert_eq!(room, size - 20);
    let first = world.ends[0].next_segment(world.now).unwrap();
    assert_eq!(&first[5..], [1; 20]);
    let second = world.ends[0].next_segment(world.now).unwrap();
    assert_eq!(second.len(), 5 + room);
}

#[test]
fn both_sides_end_in_good_order() {
    for half in [false, true] {
        for loss in [0, 200] {
            let mut world = World::open(half, loss, 5);
            world.ends[0].write(b"last words");
            world.ends[0].finish();
            assert_eq!(world.ends[0].room(), 0);
            while !world.ends[1].is_at_end() {
                world.step();
                if let Some(read) = world.ends[1].read(100) {
                    assert_eq!(read, "last words");
                }
            }
            assert!(world.ends[1].is_open());
            world.ends[1].finish();
            let began = world.now;
            while world.ends[0].end().is_none() || world.ends[1].end().is_none() {
                world.step();
                assert!(world.now - began < Duration::from_secs(60), "{world:?}");
            }
            assert_eq!(world.ends[0].end(), Some(&LinkEnd::Closed), "half {half} loss {loss}");
            assert_eq!(world.ends[1].end(), Some(&LinkEnd::Closed), "half {half} loss {loss}");
        }
    }
}

#[test]
fn a_side_that_went_away_is_given_up() {
    for half in [false, true] {
        let mut world = World::open(half, 0, 5);
        world.loss = 1000;
        world.ends[0].write(b"anybody?");
        let began = world.now;
        while world.ends[0].end().is_none() {
            world.step();
        }
        assert_eq!(world.ends[0].end(), Some(&LinkEnd::Silent));
        let took = world.now - began;
        assert!(
            (Duration::from_secs(10)..Duration::from_secs(13)).contains(&took),
            "{took:?}"
        );
    }
}

#[test]
fn an_idle_line_is_silent_or_polled_at_leisure() {
    let mut world = World::open(false, 0, 5);
    let (sent, began) = (world.ways[0].sent + world.ways[1].sent, world.now);
    while world.now < began + Duration::from_secs(60) {
        world.step();
    }
    assert!(world.ways[0].sent + world.ways[1].sent < sent + 40);
    assert!(world.ends.iter().all(Engine::is_open));

    let mut world = World::open(true, 0, 5);
    let began = (world.ways[0].segments, world.now);
    while world.now < began.1 + Duration::from_secs(10) {
        world.step();
    }
    let polls = world.ways[0].segments - began.0;
    assert!((200..600).contains(&polls), "{polls} polls in ten seconds");
    assert_eq!(world.collisions, 0);
}

#[test]
fn a_link_can_be_ended_refused_and_mistaken() {
    let now = Duration::ZERO;
    let mut world = World::open(false, 0, 5);
    world.ends[0].drop_link();
    let reset: Bytes = world.ends[0].next_segment(world.now).unwrap().into();
    world.ends[1].take(&reset, world.now);
    assert_eq!(world.ends[1].end(), Some(&LinkEnd::Reset));
    assert_eq!(world.ends[0].next_segment(world.now), None);

    let mut dialler = Engine::dial(pace(false), 1, now);
    let opening: Bytes = dialler.next_segment(now).unwrap().into();
    dialler.take(&opening, now);
    assert_eq!(dialler.end(), Some(&LinkEnd::Echo));

    let mut dialler = Engine::dial(pace(false), 2, now);
    dialler.take(&opening, now);
    assert_eq!(dialler.end(), Some(&LinkEnd::BothDial));

    let mut later = opening.to_vec();
    later[8] = 9;
    let mut listener = Engine::accept(pace(false), &later, now).unwrap();
    assert_eq!(listener.end(), Some(&LinkEnd::Version(9)));
    let refusal: Bytes = listener.next_segment(now).unwrap().into();
    let mut dialler = Engine::dial(pace(false), 1, now);
    dialler.next_segment(now);
    dialler.take(&refusal, now);
    assert!(matches!(dialler.end(), Some(LinkEnd::Version(_))));

    let mut world = World::open(false, 0, 5);
    world.ends[0].take(&Engine::stranger().into(), world.now);
    assert_eq!(world.ends[0].end(), Some(&LinkEnd::Unknown));
    assert!(Engine::accept(pace(false), b"\x95\0\0\0\0", now).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn streams_arrive_whole_whatever_is_lost(half: bool, loss in 0_u32..300, seed: u64, there in 0_usize..8_000, back in 0_usize..8_000) {
        let mut world = World::open(half, loss, seed);
        let (there, back) = (bytes(there, seed), bytes(back, seed ^ 1));
        let got = world.send([&there, &back]);
        prop_assert!(got == [back, there]);
    }

    /// Promise 10: whatever the other side says, nothing grows and nothing breaks.
    #[test]
    fn any_segments_are_taken(half: bool, segments in prop::collection::vec((0x90_u8..0x98, prop::collection::vec(any::<u8>(), 0..40)), 0..200)) {
        let mut world = World::open(half, 0, 1);
        for (kind, rest) in segments {
            let segment: Bytes = [&[kind][..], &rest].concat().into();
            for end in 0..2 {
                let now = world.now;
                let engine = &mut world.ends[end];
                engine.write(&[7; 500]);
                engine.take(&segment, now);
                engine.next_segment(now);
            }
            world.now += Duration::from_millis(3);
        }
    }
}

fn opened(event: Event) -> Option<Stream> {
    match event {
        Event::Opened(stream) => Some(stream),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_was_stopped_does_not_hold_it_against_the_other_side() {
    let (_cable, near, far) = Cable::new(115_200, 1);
    let pace = Pace::from(&Options::new());
    let mut dials = Drive::dial(near, Reader::new(Settings::default()), pace);
    let mut listens = Drive::listen(far, Reader::new(Settings::default()), pace);
    let (mut one, mut other) = (None, None);
    while one.is_none() || other.is_none() {
        tokio::select! {
            event = dials.next() => one = opened(event).or(one),
            event = listens.next() => other = opened(event).or(other),
        }
    }
    let (mut one, mut other) = (one.unwrap(), other.unwrap());
    let mut heard = [0; 1];
    for stopped in [0, 60, 60] {
        one.write_all(b"?").await.unwrap();
        // It goes out and is waited for, and then nobody runs for a minute.
        let waiting = tokio::time::timeout(Duration::from_secs(1), dials.next()).await;
        assert!(waiting.is_err(), "{waiting:?}");
        tokio::time::advance(Duration::from_secs(stopped)).await;
        tokio::select! {
            read = other.read_exact(&mut heard) => assert_eq!((read.unwrap(), &heard), (1, b"?")),
            event = dials.next() => panic!("{event:?}"),
            event = listens.next() => panic!("{event:?}"),
        }
    }
}
