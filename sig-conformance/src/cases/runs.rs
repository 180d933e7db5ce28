//! The beginning and the end of a run.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::pair::only_goodbye;
use super::{Crowd, Judged, Pair};
use crate::finding::ensure;
use crate::{Finding, Fixture, Outcome, Probe};

pub(super) async fn stop_without_clients<F: Fixture>(fixture: &F) -> Judged {
    let patience = fixture.traits().patience;
    let (listener, address) = fixture.listener();
    // Nobody answers yet.
    let mut dialler = Probe::start(fixture.dialler(&address)).with_patience(patience);
    tokio::task::yield_now().await;
    dialler.stop();
    let _it_may_have_failed_before = dialler.ended().await?;

    let mut server = Probe::start(listener).with_patience(patience);
    server.stopped().await?;
    server.run();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    server.stopped().await?;
    ensure!(server.rest()?.is_empty(), "a listener without clients reported some");
    Ok(Outcome::Kept)
}

pub(super) async fn stop_flushes<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::connect(fixture).await?;
    pair.send_up(0..500).await?;
    pair.client.stopped().await?;
    let arrived = pair.server.receive(0..500).await;
    arrived.map_err(|finding| {
        Finding::new(format!(
            "the dialler was told to stop, and what it had taken was lost: {finding}"
        ))
    })?;
    pair.server.disconnected("after the dialler had ended").await?;
    pair.client.disconnected("after it was told to stop").await?;

    pair.client.run();
    pair.at_client = pair.client.connected().await?;
    pair.at_server = pair.server.connected().await?;
    pair.send_down(0..500).await?;
    pair.server.stopped().await?;
    let arrived = pair.client.receive(0..500).await;
    arrived.map_err(|finding| {
        Finding::new(format!(
            "the listener was told to stop, and what it had taken was lost: {finding}"
        ))
    })?;
    Ok(Outcome::Kept)
}

pub(super) async fn stop_in_time<F: Fixture>(fixture: &F) -> Judged {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let mut crowd = Crowd::gather(fixture, fixture.traits().peers.min(3)).await?;
    for member in &crowd.members {
        member.works(&crowd.server).await?;
    }
    crowd.server.stopped().await?;
    let mut retired = Vec::new();
    for seen in crowd.server.rest()? {
        if let crate::Seen::Disconnected(id, _) = seen {
            retired.push(id);
        }
    }
    for member in &mut crowd.members {
        let id = member.at_server.0;
        let times = retired.iter().filter(|gone| **gone == id).count();
        ensure!(
            times == 1,
            "the listener's run returned after it was told to stop, but {id} was reported as disconnected {times} times"
        );
        member.client.stop();
        let _in_good_order_or_not = member.client.ended().await?;
        only_goodbye("dialler", &member.client, member.at_client.0)?;
    }
    let deadline = Instant::now() + fixture.traits().patience;
    while alive() > before {
        ensure!(
            Instant::now() < deadline,
            "{} tasks are left when every run has returned; spawn with Uplink::spawn, and end them",
            alive() - before
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(Outcome::Kept)
}

pub(super) async fn reconnect<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::connect(fixture).await?;
    for _ in 0..3 {
        pair.works().await?;
        pair.client.stopped().await?;
        pair.client.disconnected("after it was told to stop").await?;
        pair.server.disconnected("after the dialler had ended").await?;
        pair.client.run();
        pair.at_client = pair.client.connected().await?;
        pair.at_server = pair.server.connected().await?;

        pair.works().await?;
        pair.server.stopped().await?;
        pair.server.disconnected("after it was told to stop").await?;
        pair.client.disconnected("after the listener had ended").await?;
        pair.dialler_ended().await?;
        pair.server.run();
        pair.reconnect().await?;
    }
    pair.works().await?;
    pair.part().await?;
    Ok(Outcome::Kept)
}

pub(super) async fn dropped_run<F: Fixture>(fixture: &F) -> Judged {
    let mut pair = Pair::connect(fixture).await?;
    pair.works().await?;
    pair.server.kill().await;
    pair.server.disconnected("when its run was dropped").await?;
    if !pair.traits.notices_loss {
        pair.client.kill().await;
    }
    pair.client.disconnected("after the listener was dropped").await?;
    if pair.traits.notices_loss {
        pair.dialler_ended().await?;
    }
    pair.server.run();
    pair.reconnect().await?;
    pair.works().await?;

    pair.client.kill().await;
    pair.client.disconnected("when its run was dropped").await?;
    if pair.traits.notices_loss {
        pair.server.disconnected("after the dialler was dropped").await?;
        pair.client.run();
        pair.at_client = pair.client.connected().await?;
        pair.at_server = pair.server.connected().await?;
        pair.works().await?;
    }
    Ok(Outcome::Kept)
}
