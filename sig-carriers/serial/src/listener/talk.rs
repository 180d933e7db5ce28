//! One line, from its opening to its end.

use std::time::Duration;

use bytes::BytesMut;
use sig_core::{Batch, Carrier as _, CarrierError, Client, Disconnect, Encoding, PeerInfo, Reason, SenderName, Uplink};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use super::Listener;
use super::boards::Seat;
use super::watch::Watch;
use crate::board::{HOST_HELLO, Out, Session, Settings};
use crate::framing::{self, Dialect, Item, Reader, Writer};
use crate::link::{Drive, Event, LinkEnd, Pace};
use crate::{Check, Codec, Life, Line, Opened};

/// How often is looked at what came, and at what is wrong with it.
const LOOK: Duration = Duration::from_millis(250);

/// How long the end of a link may take when the carrier is told to stop.
const FAREWELL: Duration = Duration::from_secs(1);

/// Most bytes of documents that wait to be written. A line that takes nothing is not to fill the memory.
const MAX_UNSENT: usize = 64 * 1024;

/// A board that is a client.
struct Guest {
    seat: Seat,
    client: Client,
}

/// One line that is open.
struct Talk<'a, L> {
    carrier: &'a Listener,
    router: &'a Uplink,
    drive: Drive<L>,
    session: Session,
    settings: Settings,
    guest: Option<Guest>,
    watch: Watch,
    /// A router is at the other end.
    linked: bool,
    next_look: Instant,
}

impl Listener {
    /// Talks to whoever is at the other end of a port, until it is gone or the carrier is told to stop.
    pub(super) async fn talk(&self, opened: Opened, router: &Uplink) {
        let Opened { line, life, name, .. } = opened;
        self.talk_over(line, life, name, router).await;
    }

    /// The same with any line. A board that does not say its name has this one.
    pub(super) async fn talk_over<L: Line>(&self, line: L, life: Life, name: SenderName, router: &Uplink) {
        let options = self.port.options();
        let now = Instant::now();
        let settings = Settings {
            name,
            fixed: options.name.is_some(),
            columns: options.columns.clone(),
            idle_timeout: options.idle_timeout,
            // Behind it may stand a check sum.
            max_size: options.max_frame.saturating_sub(9),
        };
        let reader = Reader::new(framing::Settings::from(options));
        let mut talk = Talk {
            carrier: self,
            router,
            drive: Drive::listen(line, reader, Pace::from(options)),
            session: Session::new(settings.clone(), now),
            settings,
            guest: None,
            watch: Watch::new(life, options.baud, now),
            linked: false,
            next_look: now + LOOK,
        };
        talk.greet();
        let (ended, text) = talk.run().await;
        talk.finish().await;
        let Talk {
            guest, watch, drive, ..
        } = talk;
        if let Some(guest) = guest {
            drop(guest.seat);
            self.handle_client_disconnected(guest.client, ended).await;
        }
        // The port is free again when the router learns that it is lost.
        drop(drive);
        watch.lost(&text);
    }
}

impl<L: Line> Talk<'_, L> {
    /// Says to a board that somebody is there. It stands in a line of its own, which boards with frames know as well.
    fn greet(&mut self) {
        let mut bytes = BytesMut::new();
        if self.carrier.port.options().codec == Codec::Frames {
            Writer::new(Dialect::Frames).document(HOST_HELLO.as_bytes(), &mut bytes);
        } else {
            bytes.extend_from_slice(b"\n");
            Writer::new(Dialect::Lines(Check::None)).document(HOST_HELLO.as_bytes(), &mut bytes);
        }
        self.drive.write(&bytes);
    }

    /// Gives why the line ended, for the router and for people.
    async fn run(&mut self) -> (Disconnect, String) {
        loop {
            let due = self
                .session
                .next_deadline()
                .unwrap_or(self.next_look)
                .min(self.next_look);
            tokio::select! {
                biased;
                () = self.router.stopped() => {
                    return (Disconnect::new(Reason::Closed, "the carrier was stopped"), String::new());
                }
                said = next_of(&mut self.guest) => match said {
                    Ok(batch) => self.take_batch(batch),
                    Err(why) => {
                        self.session.let_go(Instant::now());
                        self.part(why).await;
                    }
                },
                event = self.drive.next() => {
                    if let Some(error) = self.take_event(event) {
                        return (Disconnect::link_lost(&error), error);
                    }
                }
                () = sleep_until(due) => self.session.tick(Instant::now()),
            }
            self.settle().await;
            let now = Instant::now();
            if self.next_look <= now {
                self.next_look = now + LOOK;
                self.look(now);
            }
        }
    }

    /// Lets a router at the other end hear that this one says goodbye.
    async fn finish(&mut self) {
        let until = Instant::now() + FAREWELL;
        while self.linked {
            match timeout_at(until, self.drive.next()).await {
                Ok(Event::Closed(_) | Event::Ended(_)) | Err(_) => self.linked = false,
                Ok(Event::Opened(_) | Event::Item(_)) => {}
            }
        }
        self.drive.drain().await;
    }

    fn take_batch(&mut self, mut batch: Batch) {
        let now = Instant::now();
        while let Some(message) = batch.next_message() {
            self.session.message(message, now);
        }
    }

    /// Gives why the line ended, if it did.
    fn take_event(&mut self, event: Event) -> Option<String> {
        let now = Instant::now();
        self.watch.look(self.drive.reader().counters(), now);
        match event {
            Event::Item(Item::Document { text, framed }) => {
                let checked = framed || self.drive.reader().dialect() != Some(Dialect::Lines(Check::None));
                if !self.linked && self.session.document(&text, checked, now) {
                    self.watch.evidence().valid(framed);
                } else {
                    self.watch.evidence().text(&text, now);
                }
            }
            Event::Item(Item::Log(text)) => {
                self.watch.evidence().text(&text, now);
                if !self.linked {
                    self.session.log(&text);
                }
            }
            // The drive takes those itself.
            Event::Item(Item::Segment(_)) => {}
            Event::Opened(stream) => {
                self.session
                    .end(Disconnect::link_lost("a router dialled over the same line"));
                self.linked = true;
                self.carrier.links.medium().give(stream, self.carrier.port.address());
            }
            Event::Closed(end) => {
                debug!(address = self.carrier.port.address(), %end, "a link over a serial line ended");
                if matches!(end, LinkEnd::Version(_)) {
                    self.watch.evidence().old_peer(end.to_string());
                }
                self.linked = false;
                // Whoever is there next may be a board, and another one than before.
                self.session = Session::new(self.settings.clone(), now);
            }
            Event::Ended(error) => {
                return Some(error.map_or_else(|| "the device is gone".to_owned(), |error| error.to_string()));
            }
        }
        None
    }

    /// Does what the board's session wants to be done.
    async fn settle(&mut self) {
        while let Some(out) = self.session.next_out() {
            match out {
                Out::Enter => self.enter().await,
                Out::Leave(why) => self.part(why).await,
                Out::Board(text) => self.write(&text),
                Out::Router(message) => {
                    let Some(guest) = &self.guest else { continue };
                    let mut batch = Batch::of_values([message]);
                    if let Err(error) = self.carrier.handle_rx(&guest.client, &mut batch).await {
                        self.session.let_go(Instant::now());
                        self.part(Disconnect::new(Reason::Kicked, error.to_string())).await;
                    }
                }
            }
        }
    }

    /// Sends a document in the way in which the board speaks.
    fn write(&mut self, text: &str) {
        let mut bytes = BytesMut::new();
        let dialect = self.drive.reader().dialect().unwrap_or(Dialect::Lines(Check::None));
        Writer::new(dialect).document(text.as_bytes(), &mut bytes);
        if self.drive.unsent() + bytes.len() <= MAX_UNSENT {
            self.drive.write(&bytes);
        }
    }

    /// Lets the board in at the router.
    async fn enter(&mut self) {
        let admitted = self.admit().await;
        let now = Instant::now();
        match admitted {
            Ok(guest) => {
                self.guest = Some(guest);
                self.session.admitted(now);
            }
            Err(error) => self.session.turned_away(&error.to_string(), now),
        }
    }

    async fn admit(&self) -> Result<Guest, CarrierError> {
        let accepts = self.carrier.accepts.lock().await;
        if !*accepts {
            return Err(CarrierError::Closed);
        }
        // The way to it first: the router may use it at once.
        let seat = self.carrier.boards.register();
        let peer = PeerInfo::new(self.carrier.port.address(), Encoding::Values);
        let client = self
            .carrier
            .handle_client_connected(self.router, seat.id(), peer)
            .await?;
        Ok(Guest { seat, client })
    }

    /// The board is no client any more.
    async fn part(&mut self, why: Disconnect) {
        if let Some(Guest { seat, client }) = self.guest.take() {
            drop(seat);
            self.carrier.handle_client_disconnected(client, why).await;
        }
    }

    fn look(&mut self, now: Instant) {
        let reader = self.drive.reader();
        self.watch.look(reader.counters(), now);
        self.watch.report(&self.session, reader.dialect(), self.linked, now);
    }
}

/// What the router says next to the board, if that is a client.
async fn next_of(guest: &mut Option<Guest>) -> Result<Batch, Disconnect> {
    match guest {
        Some(guest) => guest.seat.next().await,
        None => std::future::pending().await,
    }
}
