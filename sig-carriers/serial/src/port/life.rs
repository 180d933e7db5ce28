//! The life of a port: absent, opening, live, lost, and live again.

use std::sync::Arc;
use std::time::Duration;

use sig_core::{CarrierError, CarrierUrl, LinkReport, LinkState, SenderName, Uplink, Verdict};
use tokio::time::{Instant, sleep, sleep_until};

use super::line::SerialLine;
use super::list::{Enumerator, PortInfo, System};
use super::open::open;
use super::options::Options;
use super::place::Place;
use crate::SCHEME;

/// How often is looked whether the device is there.
const LOOK: Duration = Duration::from_millis(200);

/// A life shorter than this was none: the next opening waits longer, so that a broken device does not fill the log.
const PROVEN: Duration = Duration::from_secs(1);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_millis(600);

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
    /// What was reported last.
    reported: Option<LinkReport>,
    /// When it was opened last, and how long the pause before the next opening is at least.
    opened: Option<Instant>,
    pause: Duration,
}

/// A port that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Bytes in, bytes out.
    pub line: SerialLine,
    /// Tells the router how the link fares; give it the reason when the line has ended, or drop it.
    pub life: Life,
    /// What a board is called that does not say its name: the option `name`, else its USB serial number or product, else
    /// the file name of the device.
    pub name: SenderName,
    /// What is known of the device.
    pub info: PortInfo,
}

/// A link that is live, until it is [lost](Self::lost) or this is dropped.
#[derive(Debug)]
pub struct Life {
    uplink: Uplink,
    report: LinkReport,
    over: bool,
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
        let address = place.to_string();
        if let Err(why) = options.validate() {
            return Err(CarrierError::Address { address, why });
        }
        Ok(Self {
            fallback: SenderName::new(SCHEME).map_err(|error| CarrierError::Other(error.to_string()))?,
            address,
            place,
            options,
            enumerator: Arc::new(System),
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

    /// Where it is, without the scheme: what names it in reports.
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
    /// line and the life of the link before must be dropped.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: a port that was opened meanwhile is closed again.
    pub async fn next(&mut self, uplink: &Uplink) -> Opened {
        if let Some(opened) = self.opened {
            let lived = opened.elapsed();
            self.pause = if lived < PROVEN {
                (self.pause * 2).clamp(LOOK, LONGEST_PAUSE)
            } else {
                Duration::ZERO
            };
            sleep_until(opened + self.pause).await;
        }
        loop {
            match self.find() {
                Ok(Some(info)) => {
                    self.report(uplink, LinkState::Opening, &info, String::new());
                    match open(&info.device, &self.options) {
                        Ok(line) => return self.live(uplink, line, info),
                        Err(error) => self.report(uplink, LinkState::Opening, &info, error.to_string()),
                    }
                }
                Ok(None) => self.report(uplink, LinkState::Absent, &PortInfo::default(), String::new()),
                Err(why) => self.report(uplink, LinkState::Opening, &PortInfo::default(), why),
            }
            sleep(LOOK).await;
        }
    }

    /// The device, if it is there.
    fn find(&self) -> Result<Option<PortInfo>, String> {
        match &self.place {
            Place::Device(path) => Ok(path.exists().then(|| PortInfo {
                device: path.clone(),
                ..PortInfo::default()
            })),
            Place::Usb(wanted) => {
                let ports = self.enumerator.ports().map_err(|error| error.to_string())?;
                Ok(ports.into_iter().find(|port| port.matches(wanted)))
            }
        }
    }

    fn report(&mut self, uplink: &Uplink, state: LinkState, info: &PortInfo, detail: String) {
        let report = LinkReport::new(SCHEME, &self.address, state)
            .with_device(info.device.display().to_string())
            .with_detail(detail);
        if self.reported.as_ref() != Some(&report) {
            self.reported = Some(report.clone());
            uplink.report(report);
        }
    }

    fn live(&mut self, uplink: &Uplink, line: SerialLine, info: PortInfo) -> Opened {
        self.opened = Some(Instant::now());
        let name = self.name(&info);
        self.report(uplink, LinkState::Live, &info, info.description());
        let report = self.reported.take().unwrap_or_default();
        Opened {
            line,
            life: Life {
                uplink: uplink.clone(),
                report,
                over: false,
            },
            name,
            info,
        }
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

impl Life {
    /// Reports what is found of a live link, if it differs from what was reported last.
    pub fn report<'a>(
        &mut self,
        verdict: Option<Verdict>,
        detail: &str,
        counters: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        let counters = counters
            .into_iter()
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        let mut report = self.report.clone().with_verdict(verdict).with_detail(detail);
        report.counters = counters;
        if report != self.report {
            self.report = report.clone();
            self.uplink.report(report);
        }
    }

    /// The line has ended, for this reason.
    pub fn lost(mut self, why: &str) {
        self.end(why);
    }

    fn end(&mut self, why: &str) {
        if !std::mem::replace(&mut self.over, true) {
            let mut report = self.report.clone().with_detail(why);
            report.state = LinkState::Lost;
            self.uplink.report(report);
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.end("the carrier let go of it");
    }
}
