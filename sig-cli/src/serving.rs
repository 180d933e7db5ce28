//! A router on its carriers, for `serve` and `demo`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll, StreamExt as _};
use sig_core::{Carrier, CarrierError, CarrierUrl, Tasks};
use sig_router::{CarrierState, ServerRouter};

use crate::carriers;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::exposure::Exposure;
use crate::host::{self, Host};
use crate::links::Links;
use crate::output::Output;
use crate::stop::GRACE;

/// A carrier that listens.
#[derive(Debug)]
pub(crate) struct Listening {
    carrier: Arc<dyn Carrier>,
    /// Where it is found.
    pub(crate) url: CarrierUrl,
    exposure: Exposure,
}

impl Listening {
    /// Opens the address.
    pub(crate) fn open(url: &CarrierUrl, exposure: Exposure) -> Result<Self, CarrierError> {
        let (carrier, url) = carriers::listen(url)?;
        Ok(Self { carrier, url, exposure })
    }
}

/// A router that runs.
pub(crate) struct Serving {
    pub(crate) server: ServerRouter,
    states: States,
    /// Serial ports come and go, and so may their news; `None` where there is no such carrier.
    links: Option<Links>,
    /// The sender `host`, apart: it leaves before the router does.
    host: Tasks,
}

/// What becomes of the carriers, each with its address.
type States = SelectAll<BoxStream<'static, (CarrierUrl, CarrierState)>>;

impl Serving {
    /// Starts a router on carriers that listen already, and says where.
    pub(crate) fn start(listening: Vec<Listening>, context: &mut Context) -> Result<Self, Failure> {
        let server = ServerRouter::new().map_err(|error| Failure::new(Code::Failed, "system", error))?;
        let (out, host) = (&mut context.out, context.tasks.child());
        let version = env!("CARGO_PKG_VERSION");
        out.show(
            format_args!("sig {version}, listening at"),
            "router",
            &serde_json::json!({ "version": version }),
        )?;
        let width = listening.iter().map(|one| one.url.to_string().len()).max().unwrap_or(0);
        let mut states = States::new();
        let serial = listening
            .iter()
            .any(|one| one.url.scheme() == sig_carrier_serial::SCHEME);
        let links = if serial { Some(Links::of(&server)?) } else { None };
        for Listening { carrier, url, exposure } in listening {
            let text = format!("  {:width$}  {exposure}", url.to_string());
            let value = serde_json::json!({ "url": url.to_string(), "exposure": exposure });
            out.show(text, "listening", &value)?;
            let handle = server.attach(carrier);
            states.push(changes(url, handle.states()));
        }
        Ok(Self {
            server,
            states,
            links,
            host,
        })
    }

    /// Adds the sender `host`, which emits once per period until the command ends.
    pub(crate) fn add_host(&self, period: Duration, out: &mut Output) -> Result<(), Failure> {
        let host = Host::connect(self.server.router())?;
        let events = host.events().join(", ");
        let text = format!("  sender {} with the events {events}, every {period:?}", host::NAME);
        let value = serde_json::json!({ "name": host::NAME, "events": host.events() });
        out.show(text, "sender", &value)?;
        let stop = self.host.stop_token().clone();
        self.host.spawn("host", async move {
            stop.run_until_cancelled(host.run(period)).await;
        });
        Ok(())
    }

    /// Waits for a carrier that fails or recovers, or a serial port that comes or goes. Gives the news as a word and a text.
    pub(crate) async fn news(&mut self) -> (&'static str, String) {
        let Self { states, links, .. } = self;
        let of_links = async {
            match links {
                Some(links) => links.news().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            news = of_carriers(states) => news,
            news = of_links => news,
        }
    }

    /// Ends in good order: the host sender, the clients, the carriers.
    pub(crate) async fn close(self, out: &mut Output) -> Result<(), Failure> {
        self.host.shutdown(GRACE).await;
        let closed = self.server.close(GRACE).await;
        let mut text = "closed".to_owned();
        if closed.dropped > 0 {
            let _ = write!(text, "; {} events did not reach a client in time", closed.dropped);
        }
        if closed.aborted > 0 {
            let _ = write!(text, "; {} tasks did not end in time", closed.aborted);
        }
        let value = serde_json::json!({
            "flushed": closed.flushed,
            "dropped": closed.dropped,
            "aborted": closed.aborted,
        });
        out.show(text, "closed", &value)?;
        out.flush()
    }
}

/// Waits for a carrier that fails or recovers.
async fn of_carriers(states: &mut States) -> (&'static str, String) {
    while let Some((url, state)) = states.next().await {
        match state {
            CarrierState::Restarting { error, retry_in } => {
                return (
                    "carrier_failed",
                    format!("{url} failed: {error}; trying again in {retry_in:.1?}"),
                );
            }
            CarrierState::Running => return ("carrier_back", format!("{url} is served again")),
            _ => {}
        }
    }
    std::future::pending().await
}

/// The failures of a carrier, and its recoveries after them.
fn changes(
    url: CarrierUrl,
    states: tokio::sync::watch::Receiver<CarrierState>,
) -> BoxStream<'static, (CarrierUrl, CarrierState)> {
    futures::stream::unfold((url, states, false), |(url, mut states, mut failed)| async move {
        loop {
            states.changed().await.ok()?;
            let state = states.borrow_and_update().clone();
            let fails = matches!(state, CarrierState::Restarting { .. });
            if fails || failed {
                failed = fails;
                return Some(((url.clone(), state), (url, states, failed)));
            }
        }
    })
    .boxed()
}
