//! Two routers at the ends of a simulated serial line, in the time of tokio.

use std::sync::Arc;
use std::time::Duration;

use sig_carrier_serial::Options;
use sig_carrier_serial::framing::{Reader, Settings};
use sig_carrier_serial::link::{Drive, Event, Pace, Stream};
use sig_carrier_serial::sim::{Cable, Noise, SimLine};
use sig_core::{CarrierError, Link, Medium, Profile, StreamCarrier};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use crate::trips::Trips;

/// The rate of the line.
pub const BAUD: u32 = 115_200;

/// The links over one end of a line.
#[derive(Debug)]
struct Wired {
    streams: Mutex<mpsc::Receiver<Stream>>,
    profile: Profile,
}

impl Medium for Wired {
    const NAME: &'static str = "serial";
    type Io = Stream;

    async fn next(&self) -> Result<Link<Stream>, CarrierError> {
        match self.streams.lock().await.recv().await {
            Some(stream) => Ok(Link::new(stream, "line")),
            None => std::future::pending().await,
        }
    }

    fn profile(&self) -> Profile {
        self.profile
    }
}

/// The pace of the line.
#[must_use]
pub fn pace(half: bool) -> Pace {
    Pace {
        half,
        ..Pace::from(&Options::new().baud(BAUD))
    }
}

/// Lets a drive run, and hands its links on.
fn wired(tasks: &mut JoinSet<()>, mut drive: Drive<SimLine>, dials: bool) -> Wired {
    let (give, streams) = mpsc::channel(4);
    tasks.spawn(async move {
        loop {
            match drive.next().await {
                Event::Opened(stream) => drop(give.try_send(stream)),
                Event::Ended(_) => return,
                Event::Closed(end) => println!("a link ended: {end}"),
                Event::Item(_) => {}
            }
        }
    });
    let chunk = pace(false).chunk();
    Wired {
        streams: Mutex::new(streams),
        profile: Profile::default()
            .dialling(dials)
            .with_heartbeat(Duration::from_secs(2))
            .with_chunk(chunk),
    }
}

/// A server, a client, and a line between the two.
#[derive(Debug)]
pub struct World {
    /// The two.
    pub trips: Trips,
    /// The line.
    pub cable: Cable,
    _tasks: JoinSet<()>,
}

impl World {
    /// With a line that is half duplex or not, and so noisy.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[must_use]
    pub fn new(half: bool, noise: Noise) -> Self {
        let (cable, near, far) = Cable::new(BAUD, 4);
        cable.set_noise(noise);
        cable.set_jitter(Duration::from_millis(1));
        let mut tasks = JoinSet::new();
        let reader = || Reader::new(Settings::default());
        let far = wired(&mut tasks, Drive::listen(far, reader(), pace(half)), false);
        let near = wired(&mut tasks, Drive::dial(near, reader(), pace(half)), true);
        Self {
            trips: Trips::over(Arc::new(StreamCarrier::new(far)), StreamCarrier::new(near)),
            cable,
            _tasks: tasks,
        }
    }
}
