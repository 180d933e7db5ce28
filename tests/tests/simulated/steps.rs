//! Random steps.

use std::time::Duration;

use fastrand::Rng;
use sig_router::Policy;

use crate::watcher::Watcher;
use crate::world::{Totals, World};

/// What a run is to be like.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) steps: u32,
    /// It settles after so many steps, and again after each as many.
    pub(crate) settle_every: u32,
    /// The server crashes after so many steps, and again after each as many.
    pub(crate) restart_every: u32,
    /// How long settling may take.
    pub(crate) patience: Duration,
    /// How long one pause between two steps takes at most.
    pub(crate) pause: Duration,
}

impl Run {
    /// With the seed and the length of the environment, if they are there.
    pub(crate) fn overridden(self) -> Self {
        let read = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
        Self {
            seed: read("SIG_SEED").unwrap_or(self.seed),
            steps: read("SIG_STEPS").map_or(self.steps, |steps| steps as u32),
            ..self
        }
    }

    /// Takes the steps.
    ///
    /// # Panics
    ///
    /// When something is not as it should be.
    pub(crate) async fn through(&self, mut world: World) -> Totals {
        let mut rng = Rng::with_seed(self.seed);
        for step in 1..=self.steps {
            let when = format!("step {step}");
            if step % self.restart_every == self.restart_every / 2 {
                world.restart();
            } else {
                take(&mut world, &mut rng);
            }
            self.pause(&mut rng).await;
            let mut came = world.look(&when);
            if came.is_ok() && (step % self.settle_every == 0 || step == self.steps) {
                came = world.settle(self.patience, &when).await;
            }
            if let Err(wrong) = came {
                panic!("{when} with SIG_SEED={}: {wrong}", self.seed);
            }
        }
        assert!(
            world.answered > u64::from(self.steps) / 200,
            "{} answers",
            world.answered
        );
        world.totals()
    }

    async fn pause(&self, rng: &mut Rng) {
        let micros = u64::try_from(self.pause.as_micros()).unwrap();
        match rng.u32(..100) {
            0..70 => {
                for _ in 0..rng.u32(..10) {
                    tokio::task::yield_now().await;
                }
            }
            70..97 => tokio::time::sleep(Duration::from_micros(rng.u64(..micros / 50))).await,
            _ => tokio::time::sleep(Duration::from_micros(rng.u64(..micros))).await,
        }
    }
}

const MOST_WATCHERS: usize = 4;

fn policy(rng: &mut Rng) -> Policy {
    match rng.u32(..8) {
        0 => Policy::DropOldest(8),
        1 => Policy::DropNewest(8),
        2 => Policy::Latest,
        3 => Policy::Rate(20.0),
        _ => Policy::default(),
    }
}

/// Any name that somebody may have.
fn any_name(rng: &mut Rng, clients: usize) -> String {
    match rng.u32(..10) {
        0..3 => shared(rng),
        3 => own(rng, "s"),
        _ => {
            let client = rng.usize(..clients);
            own(rng, &format!("c{client}"))
        }
    }
}

fn shared(rng: &mut Rng) -> String {
    format!("x{}", rng.u32(..2))
}

fn own(rng: &mut Rng, whose: &str) -> String {
    format!("{whose}.{}", rng.u32(..3))
}

fn topic(rng: &mut Rng, clients: usize) -> String {
    match rng.u32(..6) {
        0 => "*".to_owned(),
        1 => "presence".to_owned(),
        2 => any_name(rng, clients),
        3 => format!("{}/presence", any_name(rng, clients)),
        _ => format!("{}/e", any_name(rng, clients)),
    }
}

fn take(world: &mut World, rng: &mut Rng) {
    let count = world.clients.len();
    let index = rng.usize(..count);
    let at_server = rng.usize(..=count) == 0;
    let name = if at_server {
        own(rng, "s")
    } else if rng.u32(..3) == 0 {
        shared(rng)
    } else {
        own(rng, &format!("c{index}"))
    };
    let who = (!at_server).then_some(index);
    match rng.u32(..1000) {
        0..100 if at_server => world.add_sender(&name),
        0..100 => world.add_client_sender(index, &name),
        100..170 if at_server => drop(world.senders.remove(&name)),
        100..170 => drop(world.clients[index].senders.remove(&name)),
        170..230 => listen(world, rng, who),
        230..280 => world.drop_watcher(who, rng.usize(..)),
        280..700 => world.trigger(who, &name, 1),
        700..720 => world.trigger(who, &name, 40),
        720..721 => world.trigger(who, &name, 3000),
        721..790 => {
            let timeout = Duration::from_millis(rng.u64(1..2000));
            let asked = any_name(rng, count);
            world.ask(index, &asked, rng.u64(..10_000), timeout);
        }
        790..820 => freeze(world, rng, who),
        820..860 => world.clients[index].line.cut(),
        860..885 => world.clients[index].line.silence(),
        885..910 => {
            let World { clients, server, .. } = world;
            clients[index].line.roam(server);
        }
        910..990 => world.clients[index].line.heal(),
        990..993 => world.restart_client(index),
        _ => {}
    }
}

fn listen(world: &mut World, rng: &mut Rng, who: Option<usize>) {
    let (topic, policy) = (topic(rng, world.clients.len()), policy(rng));
    let watcher = match who {
        Some(index) => Watcher::at_client(&world.clients[index].router, &topic, policy),
        None => Watcher::at_server(&world.server, &topic, policy),
    };
    let watchers = match who {
        Some(index) => &mut world.clients[index].watchers,
        None => &mut world.watchers,
    };
    if watchers.len() < MOST_WATCHERS {
        watchers.push(watcher);
    }
}

/// Lets a listener take nothing for a while, or again.
fn freeze(world: &mut World, rng: &mut Rng, who: Option<usize>) {
    let watchers = match who {
        Some(index) => &mut world.clients[index].watchers,
        None => &mut world.watchers,
    };
    if let Some(watcher) = rng.choice(watchers.iter_mut()) {
        watcher.frozen = !watcher.frozen;
    }
}
