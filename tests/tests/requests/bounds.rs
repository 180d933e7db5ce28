//! Beyond the bound there is `busy`, at once, and room again when something ends.

use futures::stream::{FuturesUnordered, StreamExt as _};
use sig_router::{ClientRouter, RequestError};
use sig_tests::rig::{WAIT, connected, soon};
use tokio::sync::mpsc;

use super::world::{Told, World, called, callee, dropped, hanging};

/// How many requests of one peer may run at a time.
const BOUND: usize = 256;

/// Asks so often, until as many were turned down as must be. Gives those that hang.
async fn fill<'a>(
    asker: &'a ClientRouter,
    who: &str,
    tells: &mut mpsc::Receiver<Told>,
) -> FuturesUnordered<impl Future<Output = Result<sig_core::RawJson, RequestError>> + use<'a>> {
    let mut hanging: FuturesUnordered<_> = (0..BOUND + 50)
        .map(|_| asker.remote_request(who, "hang", &()).timeout(WAIT).into_future())
        .collect();
    let turned_down = async {
        for _ in 0..50 {
            let answer = soon("busy", hanging.next()).await.unwrap();
            assert_eq!(answer.unwrap_err(), RequestError::Busy);
        }
    };
    let running = async {
        for _ in 0..BOUND {
            called(tells).await;
        }
    };
    tokio::join!(turned_down, running);
    hanging
}

#[tokio::test]
async fn promise_4_beyond_the_bound_a_request_is_turned_down_at_once() {
    for world in World::each() {
        let (asker, other, client) = (world.client(), world.client(), world.client());
        let (_sender, mut tells) = callee(&client).await;
        let (builder, mut near_tells) = hanging(world.server.add_sender("near"));
        let _near = builder.connect().unwrap();
        connected(&asker).await;
        connected(&other).await;

        // What one client asks of the server costs the others nothing.
        let hanging = fill(&asker, "near", &mut near_tells).await;
        let answer = asker.remote_request("near", "echo", &1).await;
        assert_eq!(answer.unwrap_err(), RequestError::Busy, "{}", world.name);
        for who in ["near", "callee"] {
            let answer = soon("an answer", other.remote_request(who, "echo", &1)).await;
            assert_eq!(answer.unwrap().text(), "1", "{}", world.name);
        }
        // Giving up gives the places back.
        drop(hanging);
        for _ in 0..BOUND {
            dropped(&mut near_tells).await;
        }
        let answer = soon("an answer", asker.remote_request("near", "echo", &1)).await;
        assert_eq!(answer.unwrap().text(), "1", "{}", world.name);

        // The callee's own bound holds whoever asks.
        let hanging = fill(&asker, "callee", &mut tells).await;
        let answer = soon("busy", other.remote_request("callee", "echo", &1)).await;
        assert_eq!(answer.unwrap_err(), RequestError::Busy, "{}", world.name);
        drop(hanging);
        for _ in 0..BOUND {
            dropped(&mut tells).await;
        }
        let answer = soon("an answer", other.remote_request("callee", "echo", &1)).await;
        assert_eq!(answer.unwrap().text(), "1", "{}", world.name);
    }
}
