//! A serial port that this command listens on itself, for a moment.

use std::time::Duration;

use sig_core::CarrierUrl;
use sig_router::ServerRouter;
use sig_router::inspect::{LINK, LinkReport, LinkState, ROUTER};
use tokio::time::{Instant, timeout_at};

use crate::carriers;
use crate::exit::{Code, Failure};
use crate::stop::GRACE;

/// How long a line is listened to that is open: every verdict is there by then.
const LISTEN: Duration = Duration::from_millis(3200);

/// How long is waited for a port to open that has no reason not to.
const OPENING: Duration = Duration::from_secs(5);

/// Opens the port, listens, and gives what there was to tell last.
pub(super) async fn listen(url: &CarrierUrl) -> Result<LinkReport, Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure::new(Code::Failed, "system", error);
    let (carrier, _) = carriers::listen(url).map_err(|error| Failure::new(Code::Usage, "usage", error))?;
    let server = ServerRouter::new().map_err(|error| failure(&error))?;
    let told = server.listen(format!("{ROUTER}/{LINK}").as_str());
    let mut told = told.map_err(|error| failure(&error))?;
    server.attach(carrier);
    let mut last = LinkReport::new(url.scheme(), url.to_string(), LinkState::Opening).with_detail("it takes too long");
    let mut end = Instant::now() + OPENING;
    while let Ok(Some(event)) = timeout_at(end, told.recv()).await {
        let Some(report) = event.ok().and_then(|event| event.decode::<LinkReport>().ok()) else {
            continue;
        };
        let was_live = last.state == LinkState::Live;
        let is_open = report.state == LinkState::Live;
        last = report;
        match last.state {
            LinkState::Live if !was_live => end = Instant::now() + LISTEN,
            // It is there, and nothing stands in the way yet.
            LinkState::Opening if last.detail.is_empty() => {}
            _ if is_open => {}
            _ => break,
        }
    }
    server.close(GRACE).await;
    Ok(last)
}
