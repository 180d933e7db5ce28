//! The same by a clock that stands still unless everybody waits: to the millisecond.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sig_router::{ClientRouter, RemoteSender, RequestError};
use sig_tests::rig::connected;
use tokio::time::Instant;

use super::super::world::{World, called, callee, dropped};

/// What the askers wait: the default.
const DEADLINE: Duration = sig_router::DEFAULT_TIMEOUT;

/// The grain of the runtime's timers.
const GRAIN: Duration = Duration::from_millis(2);

struct Scene {
    world: World,
    client: ClientRouter,
    sender: RemoteSender,
}

type Act = fn(Scene) -> BoxFuture<'static, Option<Scene>>;

/// What happens while the handler hangs; what is given back stays.
const FAULTS: [(&str, Act); 11] = [
    ("nothing", |scene| async { Some(scene) }.boxed()),
    ("the sender is removed", |scene| {
        async {
            scene.sender.remove().await;
            None
        }
        .boxed()
    }),
    ("the sender is dropped", |scene| {
        async { drop(scene.sender) }.map(|()| None).boxed()
    }),
    ("the client is dropped", |scene| {
        async {
            drop(scene.client);
            None
        }
        .boxed()
    }),
    ("the client is closed", |scene| {
        async {
            scene.client.close(DEADLINE).await;
            Some(scene)
        }
        .boxed()
    }),
    ("the callee is kicked", |scene| {
        async {
            scene.world.kick_callee();
            Some(scene)
        }
        .boxed()
    }),
    ("everybody is kicked", |scene| {
        async {
            for client in scene.world.server.clients() {
                scene.world.server.kick(client.id, "a test");
            }
            Some(scene)
        }
        .boxed()
    }),
    ("the carrier is stopped", |scene| {
        async {
            scene.world.carrier.stop().await;
            Some(scene)
        }
        .boxed()
    }),
    ("the server is closed", |scene| {
        async {
            scene.world.server.close(DEADLINE).await;
            Some(scene)
        }
        .boxed()
    }),
    ("the server is dropped", |scene| {
        async {
            drop(scene.world);
            None
        }
        .boxed()
    }),
    ("all of it is dropped", |scene| {
        async { drop(scene) }.map(|()| None).boxed()
    }),
];

#[tokio::test(start_paused = true)]
async fn promise_4_by_a_stopped_clock_every_deadline_is_kept_to_the_millisecond() {
    for (what, act) in FAULTS {
        let world = World::local();
        let (asker, client) = (world.client(), world.client());
        let (sender, mut tells) = callee(&client).await;
        connected(&asker).await;
        // Time has passed for everybody.
        tokio::time::sleep(Duration::from_secs(100)).await;
        let asking = async {
            let began = Instant::now();
            let answer = asker.remote_request("callee", "hang", &()).await;
            (answer, began.elapsed())
        };
        let acting = async {
            let left = called(&mut tells).await;
            assert!(left <= DEADLINE && left > DEADLINE - GRAIN, "{what}: {left:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
            let scene = Scene { world, client, sender };
            act(scene).await
        };
        let ((answer, after), _kept) = tokio::join!(asking, acting);
        assert!(after <= DEADLINE + GRAIN, "{what}: after {after:?}");
        match answer {
            Err(RequestError::TimedOut { .. }) => assert!(after >= DEADLINE, "{what}: after {after:?}"),
            other => assert!(after < Duration::from_secs(2), "{what}: {other:?} after {after:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn promise_4_a_deadline_counts_from_the_asking_and_travels_along() {
    let world = World::local();
    let (asker, client) = (world.client(), world.client());
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    for seconds in [1, 60, 600] {
        let timeout = Duration::from_secs(seconds);
        let began = Instant::now();
        let answer = asker.remote_request("callee", "hang", &()).timeout(timeout).await;
        assert_eq!(answer.unwrap_err(), RequestError::TimedOut { after: timeout });
        assert!(began.elapsed() >= timeout && began.elapsed() <= timeout + GRAIN);
        let left = called(&mut tells).await;
        assert!(left <= timeout && left >= timeout - GRAIN, "{left:?}");
        dropped(&mut tells).await;
    }
}
