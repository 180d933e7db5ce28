//! A forwarder on links of its own, without sockets in between.
//!
//! A message that passes through two sockets is handed from task to task four times. Here the task that reads it puts it into the outgoing
//! bytes of every link that it goes to, as it came, and writes them. Handshakes and commands are left to the codec of the library.

mod hub;
mod inbox;
mod link;
mod outbox;
mod place;
mod route;
mod serve;
mod topics;
mod wired;

use std::sync::Arc;
use std::time::Duration;

use omq_tokio::proto::Role;
use sig_core::Tasks;

use self::hub::{End, Hub};
use self::place::Listener;
use super::builder::Side;
use super::way::Way;
use crate::backend::{endpoint, refused};
use crate::{Endpoint, Error, Library, Options, Pattern, Security};

/// How long nobody is accepted after the system refused it, as when there are too many open files.
const REFUSED: Duration = Duration::from_millis(100);

/// Whether a forwarder of these options and endpoints can do without sockets.
pub(super) fn covers<'a>(options: &Options, mut endpoints: impl Iterator<Item = &'a String>) -> bool {
    options.library != Library::Libzmq
        && matches!(options.security, Security::Null)
        && options.heartbeat.is_none()
        && !options.conflate
        && endpoints.all(|endpoint| endpoint.starts_with("tcp://") || endpoint.starts_with("ipc://"))
}

/// Opens both sides and begins. Tells where they are, the front first.
///
/// The tasks end by themselves once they are asked to stop and have lingered.
pub(super) async fn start(
    pattern: Pattern,
    sides: [&Side; 2],
    options: Options,
    ways: [Way; 2],
    tasks: &Tasks,
) -> Result<[Vec<Endpoint>; 2], Error> {
    let hub = Arc::new(Hub::new(pattern, options, ways, tasks.stop_token().clone()));
    let [front, back] = sides;
    // All of both before the first link of either, the back first, as with sockets.
    let back = Opened::of(back, pattern, End::Back).await?;
    let front = Opened::of(front, pattern, End::Front).await?;
    Ok([front.begin(&hub, tasks), back.begin(&hub, tasks)])
}

struct Opened {
    end: End,
    listeners: Vec<Listener>,
    /// What is connected to, and how it was written.
    dials: Vec<(omq_tokio::Endpoint, String)>,
}

impl Opened {
    async fn of(side: &Side, pattern: Pattern, end: End) -> Result<Self, Error> {
        let kind = match end {
            End::Front => pattern.kinds().0,
            End::Back => pattern.kinds().1,
        };
        let (mut listeners, mut dials) = (Vec::new(), Vec::new());
        for at in &side.bind {
            let bound = Listener::bind(&endpoint(at)?).await;
            listeners.push(bound.map_err(|error| refused(kind, "bind", at, error))?);
        }
        for at in &side.connect {
            dials.push((endpoint(at)?, at.clone()));
        }
        Ok(Self { end, listeners, dials })
    }

    fn begin(self, hub: &Arc<Hub>, tasks: &Tasks) -> Vec<Endpoint> {
        let mut places = Vec::new();
        for listener in self.listeners {
            places.push(Endpoint::Bound(listener.endpoint().to_string()));
            let (hub, links) = (Arc::clone(hub), tasks.clone());
            tasks.spawn("accept", async move {
                let stop = hub.stop.clone();
                stop.run_until_cancelled(accept(hub, self.end, listener, links)).await;
            });
        }
        for (endpoint, written) in self.dials {
            places.push(Endpoint::Connected(written));
            tasks.spawn("dial", dial(Arc::clone(hub), self.end, endpoint));
        }
        places
    }
}

async fn accept(hub: Arc<Hub>, end: End, mut listener: Listener, tasks: Tasks) {
    loop {
        match listener.accept().await {
            Ok(ways) => {
                let hub = Arc::clone(&hub);
                tasks.spawn("link", async move {
                    serve::serve(hub, end, Role::Server, ways).await;
                });
            }
            Err(error) => {
                tracing::debug!(%error, at = %listener.endpoint(), "cannot accept");
                tokio::time::sleep(REFUSED).await;
            }
        }
    }
}

async fn dial(hub: Arc<Hub>, end: End, endpoint: omq_tokio::Endpoint) {
    let (first, longest) = hub.options.reconnect;
    let stop = hub.stop.clone();
    let mut pause = first;
    while let Some(connected) = stop.run_until_cancelled(place::connect(&endpoint)).await {
        let was_linked = match connected {
            Ok(ways) => serve::serve(Arc::clone(&hub), end, Role::Client, ways).await,
            Err(error) => {
                tracing::debug!(%error, at = %endpoint, "cannot connect");
                false
            }
        };
        pause = if was_linked { first } else { pause };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
        pause = pause.saturating_mul(2).min(longest.max(first));
    }
}
