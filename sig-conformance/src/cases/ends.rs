//! Links that do not end by a goodbye.

use sig_core::{CarrierError, ClientId, Encoding, Reason};

use super::flood::Flood;
use super::pair::End;
use super::{Crowd, Judged, Pair};
use crate::finding::ensure;
use crate::probe::BREAK;
use crate::probe::wire::{event, event_of};
use crate::{Finding, Fixture, Outcome, Probe, Seen};

/// Why a case cannot be tried with one peer alone.
pub(super) const ONE_PEER: Outcome = Outcome::NotApplicable("the medium has one peer at a time");

pub(super) async fn oversize_frame<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::connect(fixture).await?;
    if pair.at_client.1.encoding == Encoding::Values {
        return Ok(Outcome::NotApplicable("the medium carries values, which have no size"));
    }
    pair.server.set_max_frame(1024);
    // The peer may hang up before all of it is out.
    let _ = pair.events_up([event(0), event_of(1, 4096), event(2)]).await;
    let (_, first) = pair
        .server
        .event("the small message in front of one that is too large")
        .await?;
    ensure!(first.number == 0, "event {} came instead of the first", first.number);
    match pair
        .server
        .next("the end of a client that sent a frame that is too large")
        .await?
    {
        Seen::Disconnected(id, _) if id == pair.at_server.0 => {}
        Seen::Frame(..) => {
            return Err(Finding::new(
                "a frame of 4096 bytes was delivered, though Client::max_frame is 1024; ask it for each frame",
            ));
        }
        other => return Err(Finding::new(format!("after a frame that is too large came {other:?}"))),
    }
    pair.client
        .disconnected("after it had sent a frame that is too large")
        .await?;
    pair.dialler_ended().await?;
    pair.server.set_max_frame(8192);
    pair.reconnect().await?;
    pair.events_up([event_of(0, 4096)]).await?;
    pair.server.event("a frame of 4096 bytes, with a limit of 8192").await?;
    pair.works().await?;
    Ok(Outcome::Kept)
}

pub(super) async fn error_from_handle_rx<F: Fixture>(fixture: &F) -> Judged {
    for at_the_listener in [true, false] {
        let mut pair = Pair::connect(fixture).await?;
        let events = [event(0), event(1), event(BREAK), event(3)];
        // Here, too, the last one may find the link ended.
        let (end, probe, id) = if at_the_listener {
            pair.server.break_off();
            let _ = pair.events_up(events).await;
            ("listener", &pair.server, pair.at_server.0)
        } else {
            pair.client.break_off();
            let _ = pair.events_down(events).await;
            ("dialler", &pair.client, pair.at_client.0)
        };
        probe.receive(0..2).await?;
        match probe.next("the end of a client for which handle_rx failed").await {
            Ok(Seen::Disconnected(gone, _)) if gone == id => {}
            Ok(other) => {
                return Err(Finding::new(format!(
                    "handle_rx failed, but the {end} went on: {other:?}; let go of the client"
                )));
            }
            Err(finding) => {
                return Err(Finding::new(format!(
                    "handle_rx failed, but the {end} kept the client: {finding}"
                )));
            }
        }
        let other = if at_the_listener { &pair.client } else { &pair.server };
        other.disconnected("after the other end had let go of the link").await?;
        pair.dialler_ended_unless_stopped(at_the_listener).await?;
    }
    Ok(Outcome::Kept)
}

impl<F: Fixture> Pair<F> {
    /// The dialler's run ended, and the listener can still be stopped in good order.
    async fn dialler_ended_unless_stopped(&mut self, listener_too: bool) -> Result<(), Finding> {
        self.dialler_ended().await?;
        if listener_too {
            self.server.stopped().await?;
            ensure!(
                self.server.rest()?.is_empty(),
                "the listener reported more of a client than its end"
            );
        }
        Ok(())
    }
}

pub(super) async fn unknown_client<F: Fixture>(fixture: &F) -> Judged {
    let pair = Pair::connect(fixture).await?;
    for (end, probe, peer) in [
        ("listener", &pair.server, &pair.at_server.1),
        ("dialler", &pair.client, &pair.at_client.1),
    ] {
        let nobody = ClientId::next();
        probe.kick(nobody)?;
        let sent = probe.try_send(nobody, peer, [event(0)]).await?;
        ensure!(
            matches!(sent, Err(CarrierError::UnknownClient(id)) if id == nobody),
            "handle_tx of the {end} gave {sent:?} for a client that never was; it is UnknownClient"
        );
    }
    pair.works().await?;
    pair.part().await?;
    Ok(Outcome::Kept)
}

pub(super) async fn kick<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::connect(fixture).await?;
    pair.works().await?;
    let id = pair.at_server.0;
    pair.server.kick(id)?;
    pair.server.kick(id)?;
    let (gone, why) = pair.server.disconnected("after close_client").await?;
    ensure!(gone == id, "close_client was called for {id}, but {gone} was retired");
    ensure!(
        why.reason == Reason::Kicked,
        "close_client was given the reason `kicked`, but the client was retired with \"{why}\""
    );
    gone_for_good("listener", &pair.server, &pair.at_server).await?;
    pair.client
        .disconnected("after the listener had closed the client")
        .await?;
    pair.dialler_ended().await?;
    gone_for_good("dialler", &pair.client, &pair.at_client).await?;
    pair.server.kick(id)?;

    pair.reconnect().await?;
    pair.works().await?;
    pair.client.kick(pair.at_client.0)?;
    pair.client.disconnected("after close_client").await?;
    pair.server
        .disconnected("after the dialler had closed its client")
        .await?;
    pair.dialler_ended().await?;
    pair.server.stopped().await?;
    ensure!(
        pair.server.rest()?.is_empty() && pair.client.rest()?.is_empty(),
        "more than one end was reported of a client that close_client was called for"
    );
    Ok(Outcome::Kept)
}

/// A client that was retired cannot be sent to any more.
async fn gone_for_good(end: &str, probe: &Probe, (id, peer): &End) -> Result<(), Finding> {
    let sent = probe
        .within(
            "handle_tx for a client that is gone",
            probe.try_send(*id, peer, [event(0)]),
        )
        .await??;
    ensure!(
        sent.is_err(),
        "handle_tx of the {end} succeeded for a client that was retired: take it out of the table before"
    );
    Ok(())
}

pub(super) async fn kick_spares_the_neighbour<F: Fixture>(fixture: &F) -> Judged {
    if fixture.traits().peers < 2 {
        return Ok(ONE_PEER);
    }
    let crowd = Crowd::gather(fixture, fixture.traits().peers.min(3)).await?;
    let Some((kicked, spared)) = crowd.members.split_first() else {
        return Err(Finding::new("nobody is there"));
    };
    let id = kicked.at_server.0;
    crowd.server.kick(id)?;
    let (gone, _) = crowd.server.disconnected("after close_client").await?;
    ensure!(
        gone == id,
        "close_client was called for {id}, but its neighbour {gone} was retired"
    );
    for member in spared {
        let works = member.works(&crowd.server).await;
        works.map_err(|finding| {
            let neighbour = member.at_server.0;
            Finding::new(format!(
                "close_client was called for {id}, and its neighbour {neighbour} suffered: {finding}"
            ))
        })?;
    }
    Ok(Outcome::Kept)
}

pub(super) async fn peer_lost<F: Fixture>(fixture: &F) -> Judged {
    if !fixture.traits().notices_loss {
        return Ok(Outcome::NotApplicable(
            "on this medium a peer can vanish without a sign",
        ));
    }
    let mut pair = Pair::connect(fixture).await?;
    let flood = Flood::of_small(&pair.client, &pair.at_client);
    pair.server.receive(0..100).await?;
    pair.client.kill().await;
    flood
        .failed(pair.traits.patience, "the carrier's own run was dropped")
        .await?;
    prefix_then_end(&pair.server, pair.at_server.0).await?;
    gone_for_good("dialler", &pair.client, &pair.at_client).await?;

    let mut pair = Pair::connect(fixture).await?;
    let flood = Flood::of_small(&pair.server, &pair.at_server);
    pair.client.receive(0..100).await?;
    pair.client.kill().await;
    flood.failed(pair.traits.patience, "the peer vanished").await?;
    pair.server.disconnected("after the peer had vanished").await?;
    gone_for_good("listener", &pair.server, &pair.at_server).await?;
    pair.server.stopped().await?;
    ensure!(
        pair.server.rest()?.is_empty(),
        "the listener reported the loss more than once"
    );
    Ok(Outcome::Kept)
}

/// What was sent before the loss, without a gap, and then the end of the client.
async fn prefix_then_end(probe: &Probe, id: ClientId) -> Result<(), Finding> {
    let mut expected = 100;
    loop {
        match probe.next("the end of a client whose peer vanished").await? {
            Seen::Disconnected(gone, _) => {
                ensure!(gone == id, "{gone} was retired instead of {id}");
                return Ok(());
            }
            seen => {
                let number = probe.number_in(&seen)?;
                ensure!(
                    number == expected,
                    "when the peer vanished, event {number} was delivered behind event {}",
                    expected - 1
                );
                expected += 1;
            }
        }
    }
}
