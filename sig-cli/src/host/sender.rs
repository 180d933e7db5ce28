//! Emits the figures as events and answers requests for all of them.

use std::time::Duration;

use sig_router::{HandlerError, Router, Sender, Value};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::figures::Figures;
use super::sample::Sample;
use crate::exit::{Code, Failure};

/// The name of the sender.
pub(crate) const NAME: &str = "host";

/// The connected sender `host`, before its first reading.
#[derive(Debug)]
pub(crate) struct Host {
    figures: Figures,
    sender: Sender,
    events: Vec<&'static str>,
    latest: watch::Sender<Option<Sample>>,
}

impl Host {
    /// Connects the sender. The request `snapshot` waits for the first reading.
    pub(crate) fn connect(router: &Router) -> Result<Self, Failure> {
        let figures = Figures::new();
        let mut events = vec!["cpu", "memory", "disks", "network"];
        if figures.has_temperatures() {
            events.push("temperatures");
        }
        let (latest, readings) = watch::channel(None);
        let sender = router
            .add_sender(NAME)
            .events(&events)
            .request_async("snapshot", move |_| snapshot(readings.clone()))
            .connect()
            .map_err(|error| Failure::new(Code::Failed, "host", error))?;
        Ok(Self {
            figures,
            sender,
            events,
            latest,
        })
    }

    /// The events that it emits.
    pub(crate) fn events(&self) -> &[&'static str] {
        &self.events
    }

    /// Reads and emits once per period, for as long as it is not dropped.
    pub(crate) async fn run(self, period: Duration) {
        let Self {
            mut figures,
            sender,
            events,
            latest,
        } = self;
        tokio::time::sleep(Figures::shortest_period()).await;
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let reading = tokio::task::spawn_blocking(move || {
                let sample = figures.sample();
                (figures, sample)
            });
            let Ok((back, sample)) = reading.await else {
                tracing::error!("reading the host figures failed; no more of them");
                return;
            };
            figures = back;
            for event in &events {
                emit(&sender, event, &sample);
            }
            latest.send_replace(Some(sample));
        }
    }
}

async fn snapshot(mut readings: watch::Receiver<Option<Sample>>) -> Result<Option<Sample>, HandlerError> {
    match readings.wait_for(Option::is_some).await {
        Ok(sample) => Ok(sample.clone()),
        Err(_) => Err(HandlerError::new("the figures cannot be read any more")),
    }
}

fn emit(sender: &Sender, event: &str, sample: &Sample) {
    match event {
        "cpu" => trigger(sender, event, &sample.cpu),
        "memory" => trigger(sender, event, &sample.memory),
        "disks" => trigger(sender, event, &sample.disks),
        "network" => trigger(sender, event, &sample.network),
        _ => trigger(sender, event, &sample.temperatures),
    }
}

/// A listener without room misses the figures of this moment; the next ones are newer.
fn trigger(sender: &Sender, event: &str, value: &impl Value) {
    let result = sender.signal(event).map(|signal| signal.try_trigger(value));
    if !matches!(result, Ok(Ok(()))) {
        tracing::debug!(event, ?result, "figures not sent");
    }
}
