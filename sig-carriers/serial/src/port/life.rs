//! The life of a port: absent, opening, live, lost, and live again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sig_core::{CarrierError, CarrierUrl, LinkReport, LinkState, SenderName, Uplink};
use tokio::io::AsyncReadExt as _;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use super::holder::Holder;
use super::line::SerialLine;
use super::list::{Enumerator, PortInfo, System};
use super::look::{Found, Look};
use super::open::{Refused, open};
use super::opened::{Life, Opened};
use super::options::{Options, ResetOnOpen};
use super::place::Place;
use super::trouble;
use crate::SCHEME;

/// How often is looked whether the device is there.
const LOOK: Duration = Duration::from_millis(200);

/// How often a port is tried that somebody else has.
const BUSY: Duration = Duration::from_secs(1);

/// How long after a board was plugged in the system may still be busy with who may use it.
const PLUGGING: Duration = Duration::from_secs(1);

/// A life shorter than this was none: the next opening waits longer, so that a broken device does not fill the log.
const PROVEN: Duration = Duration::from_secs(1);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_millis(600);

/// How long DTR is low for a reset.
const PULSE: Duration = Duration::from_millis(100);

/// A port that may be there or not. It is opened whenever its device is there, again and again.
///
/// Cloning gives another one at the same place, for another run of a carrier.
#[derive(Debug, Clone)]
pub struct Port {
    address: String,
    place: Place,
    options: Options,
    enumerator: Arc<dyn Enumerator>,
    /// The name of a board of which nothing else is known.
    fallback: SenderName,
    look: Look,
    /// The state that was reported last, and its detail.
    reported: Option<(LinkState, String)>,
    /// When it was opened last, and how long the pause before the next opening is at least.
    opened: Option<Instant>,
    pause: Duration,
}

impl Port {
    /// The port of a URL, with its options.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] naming what is wrong and what to write. Whether the port is there is not looked at.
    pub fn from_url(url: &CarrierUrl) -> Result<Self, CarrierError> {
        let options = Options::from_url(url)?;
        let place = Place::from_url(url)?;
        Self::new(place, options)
    }

    /// The port at a place, with these options.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] naming an option that is out of its range.
    pub fn new(place: Place, options: Options) -> Result<Self, CarrierError> {
        let address = place.address();
        if let Err(why) = options.validate() {
            return Err(CarrierError::Address { address, why });
        }
        Ok(Self {
            fallback: SenderName::new(SCHEME).map_err(|error| CarrierError::Other(error.to_string()))?,
            address,
            place,
            options,
            enumerator: Arc::new(System),
            look: Look::default(),
            reported: None,
            opened: None,
            pause: Duration::ZERO,
        })
    }

    /// The port, looked for by this enumerator.
    #[must_use]
    pub fn with_enumerator(self, enumerator: impl Enumerator) -> Self {
        Self {
            enumerator: Arc::new(enumerator),
            ..self
        }
    }

    /// Where it is, as an address without options: what names it in reports.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Waits until the device is there, and opens it. Tells the router what stands in the way, once for each change. The
    /// line of the link before must be dropped, and its life ended.
    ///
    /// While the device is not there this looks for it five times a second, which costs next to nothing.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: a port that was opened meanwhile is closed again.
    pub async fn next(&mut self, uplink: &Uplink) -> Opened {
        self.rest().await;
        let mut seen = None;
        let mut holder: Option<Holder> = None;
        loop {
            let found = self.look.find(&self.place, &self.enumerator).await;
            let info = match found {
                Found::One(info) => info,
                Found::None => {
                    (seen, holder) = (None, None);
                    self.absent(uplink).await;
                    sleep(LOOK).await;
                    continue;
                }
                Found::Several(ports) => {
                    self.tell(uplink, LinkState::Opening, "", &trouble::several(&self.place, &ports));
                    sleep(LOOK).await;
                    continue;
                }
                Found::Failed(why) => {
                    self.tell(uplink, LinkState::Opening, "", &why);
                    sleep(BUSY).await;
                    continue;
                }
            };
            let device = info.device.display().to_string();
            let since = *seen.get_or_insert_with(Instant::now);
            if self
                .reported
                .as_ref()
                .is_none_or(|(state, _)| *state != LinkState::Opening)
            {
                self.tell(uplink, LinkState::Opening, &device, "");
            }
            if holder.as_ref().is_some_and(|holder| holder.still_holds(&info.device)) {
                sleep(BUSY).await;
                continue;
            }
            match self.open(&info.device).await {
                Ok(line) => return self.live(uplink, line, info).await,
                Err(refused) => {
                    if !refused.may_pass || since.elapsed() >= PLUGGING {
                        self.tell(uplink, LinkState::Opening, &device, &refused.why);
                    }
                    holder = refused.holder;
                    sleep(if refused.busy { BUSY } else { LOOK }).await;
                }
            }
        }
    }

    /// The pause after a life that was none.
    async fn rest(&mut self) {
        let Some(opened) = self.opened else { return };
        // What was told last is that it is lost.
        self.reported = Some((LinkState::Lost, String::new()));
        self.pause = if opened.elapsed() < PROVEN {
            (self.pause * 2).clamp(LOOK, LONGEST_PAUSE)
        } else {
            Duration::ZERO
        };
        sleep_until(opened + self.pause).await;
    }

    async fn absent(&mut self, uplink: &Uplink) {
        // One that is lost stays so until it is back.
        if matches!(self.reported, Some((LinkState::Absent | LinkState::Lost, _))) {
            return;
        }
        let enumerator = Arc::clone(&self.enumerator);
        let ports = spawn_blocking(move || enumerator.ports()).await;
        let ports = ports.ok().and_then(Result::ok).unwrap_or_default();
        self.tell(uplink, LinkState::Absent, "", &trouble::missing(&self.place, &ports));
    }

    /// Opens the device away from the runtime's own threads: it takes milliseconds, and longer with some adapters.
    async fn open(&self, device: &Path) -> Result<SerialLine, Refused> {
        let (device, options) = (device.to_owned(), self.options.clone());
        let opened = spawn_blocking(move || open(&device, &options)).await;
        let mut line = opened.unwrap_or_else(|error| Err(Refused::failed(error.to_string())))?;
        if self.options.reset_on_open == ResetOnOpen::Yes {
            reset(&mut line).await;
        }
        if !settle(&mut line, self.options.settle).await {
            return Err(Refused::failed("it went away while it settled".to_owned()));
        }
        Ok(line)
    }

    async fn live(&mut self, uplink: &Uplink, line: SerialLine, mut info: PortInfo) -> Opened {
        if info.usb.is_none() {
            // Found by its path: what else is known of it is asked for once.
            let (enumerator, device) = (Arc::clone(&self.enumerator), info.device.clone());
            let known = spawn_blocking(move || describe(&*enumerator, &device)).await;
            if let Ok(Some(known)) = known {
                info = PortInfo {
                    device: info.device,
                    ..known
                };
            }
        }
        self.opened = Some(Instant::now());
        let device = info.device.display().to_string();
        let description = info.description();
        self.tell(uplink, LinkState::Live, &device, &description);
        let report = LinkReport::new(SCHEME, &self.address, LinkState::Live)
            .with_device(device)
            .with_detail(description);
        Opened {
            line,
            life: Life::new(uplink.clone(), report),
            name: self.name(&info),
            info,
        }
    }

    /// Tells the router and the log, if it is news.
    fn tell(&mut self, uplink: &Uplink, state: LinkState, device: &str, detail: &str) {
        let is_news = |(last, text): &(LinkState, String)| *last != state || text != detail;
        if !self.reported.as_ref().is_none_or(is_news) {
            return;
        }
        self.reported = Some((state, detail.to_owned()));
        let address = &self.address;
        match state {
            LinkState::Opening if detail.is_empty() => debug!(address, device, "a serial port is there"),
            LinkState::Opening => warn!(address, "a serial port cannot be opened: {detail}"),
            LinkState::Live => info!(address, device, detail, "a serial port is open"),
            _ => info!(address, "a serial port is not there: {detail}"),
        }
        let report = LinkReport::new(SCHEME, address, state)
            .with_device(device)
            .with_detail(detail);
        uplink.report(report);
    }

    fn name(&self, info: &PortInfo) -> SenderName {
        if let Some(name) = &self.options.name {
            return name.clone();
        }
        let file = info.device.file_name().map(|name| name.to_string_lossy().into_owned());
        let usb = info.usb.as_ref();
        let said = usb.and_then(|usb| usb.sn.clone().or_else(|| usb.product.clone()));
        let valid = |name: String| SenderName::new(name).ok().filter(|name| !name.is_reserved());
        said.and_then(valid)
            .or_else(|| file.and_then(valid))
            .unwrap_or_else(|| self.fallback.clone())
    }
}

/// Drops DTR and raises it again. Boards whose reset hangs on RTS go along: RTS stays raised.
async fn reset(line: &mut SerialLine) {
    let dropped = line.set_dtr(false);
    sleep(PULSE).await;
    let raised = line.set_dtr(true);
    if let Err(error) = dropped.and(raised).and_then(|()| line.discard_input()) {
        debug!(%error, "the port has no DTR: nothing was reset");
    }
}

/// Drops what arrives for so long. False when the device is gone.
async fn settle(line: &mut SerialLine, time: Duration) -> bool {
    if time.is_zero() {
        return true;
    }
    let (end, mut dropped) = (Instant::now() + time, [0; 256]);
    loop {
        match timeout_at(end, line.read(&mut dropped)).await {
            Err(_over) => return true,
            Ok(Ok(0) | Err(_)) => return false,
            Ok(Ok(_)) => {}
        }
    }
}

/// What is known of a device that was found by its path.
fn describe(enumerator: &dyn Enumerator, device: &Path) -> Option<PortInfo> {
    let real: PathBuf = fs::canonicalize(device).unwrap_or_else(|_| device.to_owned());
    enumerator.ports().ok()?.into_iter().find(|port| port.device == real)
}
