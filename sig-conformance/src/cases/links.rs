//! The beginning and the ordinary end of a link.

use std::collections::HashMap;

use sig_core::{ClientId, Reason};
use tokio::time::Instant;

use super::{Crowd, Judged, Pair};
use crate::finding::ensure;
use crate::{Finding, Fixture, Outcome, Probe, Seen};

pub(super) async fn announced_once<F: Fixture>(fixture: &F) -> Judged {
    Pair::connect(fixture).await?.part().await?;
    let pair = Pair::connect(fixture).await?;
    pair.works().await?;
    pair.part().await?;
    Ok(Outcome::Kept)
}

pub(super) async fn first_message<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::prepared(fixture, Probe::greet).await?;
    for _ in 0..10 {
        // Each end greeted the other one with event 0 as soon as that was announced.
        pair.send_up(1..3).await?;
        pair.send_down(1..3).await?;
        for (end, probe) in [("listener", &pair.server), ("dialler", &pair.client)] {
            let arrived = probe.receive(0..3).await;
            arrived.map_err(|finding| Finding::new(format!("on the way to the {end}: {finding}")))?;
        }
        pair.client.stopped().await?;
        pair.client.disconnected("after it was told to stop").await?;
        pair.server.disconnected("after the dialler had ended").await?;
        pair.client.run();
        pair.at_client = pair.client.connected().await?;
        pair.at_server = pair.server.connected().await?;
    }
    Ok(Outcome::Kept)
}

pub(super) async fn goodbye_of_the_dialler<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::connect(fixture).await?;
    pair.works().await?;
    pair.client.stopped().await?;
    ended_well("dialler", &pair.client, pair.at_client.0, "after it was told to stop").await?;
    ended_well(
        "listener",
        &pair.server,
        pair.at_server.0,
        "after the dialler had ended",
    )
    .await?;
    pair.server.stopped().await?;
    ensure!(
        pair.server.rest()?.is_empty(),
        "the listener reported more than one goodbye"
    );
    Ok(Outcome::Kept)
}

pub(super) async fn goodbye_of_the_listener<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::connect(fixture).await?;
    pair.works().await?;
    pair.server.stopped().await?;
    ended_well("listener", &pair.server, pair.at_server.0, "after it was told to stop").await?;
    ended_well(
        "dialler",
        &pair.client,
        pair.at_client.0,
        "after the listener had ended",
    )
    .await?;
    if pair.client.carrier().profile().dials {
        let ended = pair.client.ended().await?;
        ensure!(
            ended.is_ok(),
            "the dialler's run failed, though its link ended in good order: {}",
            ended.err().map(|error| error.to_string()).unwrap_or_default()
        );
    }
    Ok(Outcome::Kept)
}

async fn ended_well(end: &str, probe: &Probe, id: ClientId, when: &str) -> Result<(), Finding> {
    let (gone, why) = probe.disconnected(when).await?;
    ensure!(gone == id, "the {end} retired {gone} instead of {id}");
    ensure!(
        why.reason == Reason::Closed,
        "the {end} gave \"{why}\" for the reason of a link that was closed in good order; it is `closed`"
    );
    Ok(())
}

pub(super) async fn clients_are_told_apart<F: Fixture>(fixture: &F) -> Judged {
    let peers = fixture.traits().peers;
    if peers < 2 {
        return Ok(Outcome::NotApplicable("the medium has one peer at a time"));
    }
    let crowd = Crowd::gather(fixture, peers.min(20)).await?;
    let mut due = HashMap::new();
    for (at, member) in (0..).zip(&crowd.members) {
        let numbers = at * 1000..at * 1000 + 10;
        let (id, peer) = &member.at_client;
        member.client.send(*id, peer, numbers.clone()).await?;
        crowd
            .server
            .send(member.at_server.0, &member.at_server.1, numbers.clone())
            .await?;
        due.insert(member.at_server.0, numbers);
    }
    while due.values().any(|numbers| !numbers.is_empty()) {
        let (id, event) = crowd.server.event("the messages of all clients").await?;
        let expected = due.get_mut(&id).and_then(Iterator::next);
        ensure!(
            expected == Some(event.number),
            "event {} was delivered as one of {id}, of which {expected:?} was expected",
            event.number
        );
    }
    for (at, member) in (0..).zip(&crowd.members) {
        for number in at * 1000..at * 1000 + 10 {
            let event = member
                .client
                .event(format_args!("event {number} for client {at}"))
                .await;
            let (_, event) = event.map_err(|finding| astray(&crowd, number).unwrap_or(finding))?;
            ensure!(
                event.number == number,
                "client {at} of {peers} received event {}, which was sent to client {}",
                event.number,
                event.number / 1000
            );
        }
    }
    Ok(Outcome::Kept)
}

/// Where a message went that did not arrive, if anybody got it.
fn astray(crowd: &Crowd, number: u64) -> Option<Finding> {
    let sent_to = number / 1000;
    (0..).zip(&crowd.members).find_map(|(at, member)| {
        let rest = member.client.rest().ok()?;
        let is_here = rest
            .iter()
            .any(|seen| member.client.number_in(seen).is_ok_and(|here| here == number));
        is_here.then(|| {
            Finding::new(format!(
                "client {at} received event {number}, which was sent to client {sent_to}"
            ))
        })
    })
}

pub(super) async fn refused_client<F: Fixture>(fixture: &F) -> Judged {
    let traits = fixture.traits();
    let (listener, address) = fixture.listener();
    let mut server = Probe::start(listener).with_patience(traits.patience);
    server.refuse(true);
    let mut client = Probe::start(fixture.dialler(&address)).with_patience(traits.patience);
    let deadline = Instant::now() + traits.patience;
    if client.carrier().profile().dials {
        // Where nobody listens yet, the run ends for that reason: then once more.
        loop {
            let ended = client.ended().await;
            let _good_order_or_not = ended.map_err(|finding| {
                Finding::new(format!("the router refused the client, but its link stays: {finding}"))
            })?;
            if server.refused() > 0 {
                break;
            }
            ensure!(Instant::now() < deadline, "the listener did not announce its client");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            client.run();
        }
    } else {
        while server.refused() == 0 {
            ensure!(Instant::now() < deadline, "the listener did not announce its client");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        client.stopped().await?;
    }
    for seen in server.rest()? {
        if let Seen::Disconnected(id, _) = seen {
            return Err(Finding::new(format!(
                "{id} was refused by the router, and then reported as disconnected"
            )));
        }
    }
    client.rest()?;
    server.refuse(false);
    client.run();
    client.connected().await?;
    server.connected().await?;
    Ok(Outcome::Kept)
}
