//! Both ends of a link, composed of the parts of this layer alone, over a line that delays, loses and is cut: a million
//! steps in seconds, since nothing waits for anything.
//!
//! What `peer`, `client` and `server` do with sockets and tasks around them is done here with two queues and a number
//! for the time.

mod client;
mod line;
mod server;

use std::time::{Duration, Instant};

use fastrand::Rng;

use client::Client;
use line::Line;
use server::Server;

/// The heartbeat of the link.
const PERIOD: Duration = Duration::from_millis(1000);

/// How often each end looks at its heartbeat.
const TICK: Duration = Duration::from_millis(250);

/// The window of the sender that triggers, in bytes.
const WINDOW: u64 = 400;

struct World {
    now: Instant,
    line: Line,
    client: Client,
    server: Server,
    rng: Rng,
}

/// What happened, so that a run that tests nothing is noticed.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    emitted: u64,
    received: u64,
    lost: u64,
    asked: u64,
    answered: u64,
    timed_out: u64,
    links: u64,
    deaths: u64,
    refused: u64,
    settled: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            line: Line::new(now),
            client: Client::new(now),
            server: Server::new(now),
            rng: Rng::with_seed(seed),
        }
    }

    /// Lets so much time pass, and everything happen that is due meanwhile, in its order.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let due = [self.line.next_due(), self.client.next_due(), self.server.next_due()];
            let Some(due) = due.into_iter().flatten().min().filter(|due| *due <= until) else {
                break;
            };
            self.now = self.now.max(due);
            let Self {
                now,
                line,
                client,
                server,
                rng,
            } = self;
            line.deliver(*now, |line, arrived| match arrived {
                line::Arrived::AtClient(message) => client.take(*now, line, message),
                line::Arrived::AtServer(link, message) => server.take(*now, line, rng, link, message),
                line::Arrived::Cut => {
                    client.lost(*now, rng.f64());
                    server.lost();
                }
            });
            client.tick(*now, line, rng);
            server.tick(*now, line);
        }
        self.now = until;
    }

    /// Something happens by chance.
    fn act(&mut self) {
        let Self {
            now,
            line,
            client,
            server,
            rng,
        } = self;
        match rng.u32(..1000) {
            0..400 => client.trigger(*now, line, rng.u64(1..120)),
            400..520 => client.ask(*now, line, Duration::from_millis(rng.u64(1..3000))),
            520..600 => client.listen(*now, line, rng),
            600..660 => client.unlisten(*now, line, rng),
            660..690 => client.add_sender(*now, line, rng.u8(1..4)),
            690..720 => client.remove_sender(*now, line, rng.u8(1..4)),
            720..780 => server.turn_gate(*now, line, rng.u32(..3) > 0),
            780..800 => server.turn_name(rng.bool()),
            800..805 => line.cut(),
            805 => line.silence(*now),
            806..808 => line.heal(),
            _ => {}
        }
    }

    /// Ends all faults, and looks whether everything is as it should be then.
    fn settle(&mut self) {
        self.line.heal();
        self.server.turn_name(false);
        self.server.turn_gate(self.now, &mut self.line, true);
        // Longer than a hello that nobody answers, a pause, and a name that is asked for again.
        self.pass(Duration::from_secs(20));
        self.client.settled();
        self.server.settled(&self.client);
        assert_eq!(
            self.client.spent(),
            self.server.consumed(),
            "credit got lost on the way"
        );
    }

    fn counts(&self) -> Counts {
        let (client, server) = (&self.client.counts, &self.server.counts);
        Counts {
            received: server.received,
            lost: server.lost,
            deaths: client.deaths + server.deaths,
            ..*client
        }
    }
}

fn run(seed: u64, steps: u64) -> Counts {
    let mut world = World::new(seed);
    for step in 1..=steps {
        world.act();
        let pause = world.rng.u64(..8000);
        world.pass(Duration::from_micros(pause));
        if step % 10_000 == 0 {
            world.settle();
            world.client.counts.settled += 1;
        }
    }
    world.counts()
}

#[test]
fn a_session_is_simulated_for_a_million_steps() {
    let counts = run(1, 1_000_000);
    println!("{counts:?}");
    assert_eq!(counts.emitted, counts.received + counts.lost);
    assert_eq!(counts.settled, 100);
    let enough = [
        counts.received / 100_000,
        counts.lost / 10_000,
        counts.answered / 10_000,
        counts.timed_out / 1000,
        counts.links / 1000,
        counts.deaths / 200,
        counts.refused / 100,
    ];
    assert!(enough.iter().all(|count| *count > 0), "too little happened: {counts:?}");
}

#[test]
fn and_for_fewer_with_other_chances() {
    for seed in 2..12 {
        let counts = run(seed, 20_000);
        assert_eq!(counts.emitted, counts.received + counts.lost, "seed {seed}");
    }
}
