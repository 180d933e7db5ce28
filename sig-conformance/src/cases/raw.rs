//! Peers that send what no carrier would.

use std::time::Duration;

use sig_core::{ClientId, Reason};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::pair::Member;
use super::{Crowd, Judged};
use crate::finding::ensure;
use crate::{Finding, Fixture, Outcome, Probe, Raw, Seen};

const NO_RAW: Outcome = Outcome::NotApplicable("the fixture gives no raw connection");

/// A listener, and a neighbour of the raw connections where there is room for one.
struct Scene<F: Fixture> {
    server: Probe,
    neighbour: Option<Member>,
    address: F::Address,
}

impl<F: Fixture> Scene<F> {
    async fn new(fixture: &F) -> Result<Self, Finding> {
        let traits = fixture.traits();
        let (listener, address) = fixture.listener();
        let mut crowd = Crowd {
            server: Probe::start(listener).with_patience(traits.patience),
            members: Vec::new(),
        };
        tokio::task::yield_now().await;
        let mut neighbour = None;
        if traits.peers > 1 {
            let dialler = fixture.dialler(&address);
            neighbour = Some(crowd.join_on(&tokio::runtime::Handle::current(), dialler).await?);
        }
        Ok(Self {
            server: crowd.server,
            neighbour,
            address,
        })
    }

    /// A raw connection that the listener has announced.
    async fn raw(&mut self, fixture: &F) -> Result<Option<(Raw, ClientId)>, Finding> {
        let Some(mut raw) = fixture.raw(&self.address).await else {
            return Ok(None);
        };
        let opening = raw.script.opening.clone();
        write(&mut raw, &opening).await?;
        let (id, _) = self.server.connected().await?;
        Ok(Some((raw, id)))
    }

    async fn all_is_well(&self) -> Result<(), Finding> {
        match &self.neighbour {
            Some(neighbour) => neighbour.works(&self.server).await,
            None => Ok(()),
        }
    }
}

async fn write(raw: &mut Raw, bytes: &[u8]) -> Result<(), Finding> {
    let written = async {
        raw.io.write_all(bytes).await?;
        raw.io.flush().await
    };
    let written: std::io::Result<()> = written.await;
    written.map_err(|error| {
        Finding::new(format!(
            "the raw connection does not take {} bytes: {error}",
            bytes.len()
        ))
    })
}

/// One message of this client.
async fn message(server: &Probe, id: ClientId, what: &str) -> Result<Seen, Finding> {
    let seen = server.next(what).await?;
    match &seen {
        Seen::Frame(from, _) | Seen::Value(from, _) if *from == id => Ok(seen),
        other => Err(Finding::new(format!(
            "instead of {what}, the carrier reported {other:?}"
        ))),
    }
}

pub(super) async fn message_in_pieces<F: Fixture>(fixture: &F) -> Judged {
    let mut scene = Scene::new(fixture).await?;
    let Some((mut raw, id)) = scene.raw(fixture).await? else {
        return Ok(NO_RAW);
    };
    let whole = raw.script.message.clone();
    write(&mut raw, &whole).await?;
    let expected = message(&scene.server, id, "a message").await?;
    for byte in &whole {
        write(&mut raw, &[*byte]).await?;
        // So that the medium has a chance to bring each byte by itself.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let what = "a message that came byte by byte, each in a write of its own";
    let got = message(&scene.server, id, what).await?;
    ensure!(got == expected, "{what} is another one than in one piece: {got:?}");

    let (half, rest) = whole.split_at(whole.len() / 2);
    let run = [half.to_vec(), [rest, &whole, half].concat(), rest.to_vec()];
    for piece in run {
        write(&mut raw, &piece).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..3 {
        let what = "one of three messages that came in pieces which began and ended in the middle of messages";
        let got = message(&scene.server, id, what).await?;
        ensure!(got == expected, "{what} is another one than in one piece: {got:?}");
    }
    Ok(Outcome::Kept)
}

pub(super) async fn malformed_frame<F: Fixture>(fixture: &F) -> Judged {
    let mut scene = Scene::new(fixture).await?;
    let mut at = 0;
    loop {
        let Some((mut raw, id)) = scene.raw(fixture).await? else {
            return Ok(NO_RAW);
        };
        let Some((name, bytes)) = raw.script.malformed.get(at).cloned() else {
            return Ok(Outcome::Kept);
        };
        let good = raw.script.message.clone();
        write(&mut raw, &[good, bytes].concat()).await?;
        message(&scene.server, id, "the message in front of a malformed one").await?;
        costs_its_own_link(&scene.server, id, &mut raw, name).await?;
        scene
            .all_is_well()
            .await
            .map_err(|finding| Finding::new(format!("after {name}, the neighbour suffered: {finding}")))?;
        at += 1;
    }
}

pub(super) async fn oversize_claim<F: Fixture>(fixture: &F) -> Judged {
    let mut scene = Scene::new(fixture).await?;
    let Some((mut raw, id)) = scene.raw(fixture).await? else {
        return Ok(NO_RAW);
    };
    let claim = raw.script.oversize.clone();
    if claim.is_empty() {
        return Ok(Outcome::NotApplicable("no lengths are claimed on this medium"));
    }
    write(&mut raw, &claim).await?;
    costs_its_own_link(&scene.server, id, &mut raw, "a claim of a length beyond the limit").await?;
    scene.all_is_well().await?;
    Ok(Outcome::Kept)
}

async fn costs_its_own_link(server: &Probe, id: ClientId, raw: &mut Raw, what: &str) -> Result<(), Finding> {
    let (gone, _) = server.disconnected(format_args!("after {what}")).await?;
    ensure!(gone == id, "{what} came from {id}, but {gone} was retired");
    let end = async {
        let mut rest = [0; 512];
        while matches!(raw.io.read(&mut rest).await, Ok(read) if read > 0) {}
    };
    let what = format!("the end of a link on which {what} came");
    server.within(what, end).await
}

pub(super) async fn peer_lost_mid_message<F: Fixture>(fixture: &F) -> Judged {
    if !fixture.traits().notices_loss {
        return Ok(Outcome::NotApplicable(
            "on this medium a peer can vanish without a sign",
        ));
    }
    let mut scene = Scene::new(fixture).await?;
    let Some((mut raw, id)) = scene.raw(fixture).await? else {
        return Ok(NO_RAW);
    };
    let whole = raw.script.message.clone();
    let half = whole.get(..whole.len() - 1).unwrap_or_default();
    write(&mut raw, &[&whole, half].concat()).await?;
    message(&scene.server, id, "the message in front of half a one").await?;
    drop(raw);
    let (gone, why) = scene
        .server
        .disconnected("after a peer had vanished in the middle of a message")
        .await?;
    ensure!(gone == id, "{gone} was retired instead of {id}");
    ensure!(
        why.reason == Reason::LinkLost,
        "a link that ended in the middle of a message was retired with \"{why}\"; it was lost (`link_lost`)"
    );
    scene.all_is_well().await?;
    Ok(Outcome::Kept)
}
