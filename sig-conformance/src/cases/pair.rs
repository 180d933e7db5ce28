//! A listener with its clients, seen from both ends.

use std::ops::Range;

use sig_core::{ClientId, EventMessage, PeerInfo};
use tokio::runtime::Handle;

use crate::finding::ensure;
use crate::{Finding, Fixture, Probe, Seen, Traits};

/// One end of a link, as the other end knows it.
pub(super) type End = (ClientId, PeerInfo);

/// A listener with one client.
pub(super) struct Pair<F: Fixture> {
    pub(super) server: Probe,
    pub(super) client: Probe,
    pub(super) at_server: End,
    pub(super) at_client: End,
    pub(super) address: F::Address,
    pub(super) traits: Traits,
}

impl<F: Fixture> Pair<F> {
    pub(super) async fn connect(fixture: &F) -> Result<Self, Finding> {
        Self::prepared(fixture, |_| {}).await
    }

    /// A pair whose probes were told something before they ran.
    pub(super) async fn prepared(fixture: &F, prepare: impl Fn(&Probe)) -> Result<Self, Finding> {
        let traits = fixture.traits();
        let (listener, address) = fixture.listener();
        let handle = Handle::current();
        let start = |carrier| {
            let mut probe = Probe::idle_on(&handle, carrier).with_patience(traits.patience);
            prepare(&probe);
            probe.run();
            probe
        };
        let mut server = start(listener);
        // The dialler may be faster than the listener's first poll.
        tokio::task::yield_now().await;
        let mut client = start(fixture.dialler(&address));
        let at_client = client.connected().await?;
        let at_server = server.connected().await?;
        Ok(Self {
            server,
            client,
            at_server,
            at_client,
            address,
            traits,
        })
    }

    pub(super) async fn send_up(&self, numbers: Range<u64>) -> Result<(), Finding> {
        self.client.send(self.at_client.0, &self.at_client.1, numbers).await
    }

    pub(super) async fn send_down(&self, numbers: Range<u64>) -> Result<(), Finding> {
        self.server.send(self.at_server.0, &self.at_server.1, numbers).await
    }

    pub(super) async fn events_up(&self, events: impl IntoIterator<Item = EventMessage>) -> Result<(), Finding> {
        let (id, peer) = &self.at_client;
        self.client.send_events(*id, peer, events).await
    }

    pub(super) async fn events_down(&self, events: impl IntoIterator<Item = EventMessage>) -> Result<(), Finding> {
        let (id, peer) = &self.at_server;
        self.server.send_events(*id, peer, events).await
    }

    /// Messages pass both ways.
    pub(super) async fn works(&self) -> Result<(), Finding> {
        self.send_up(0..3).await?;
        self.server.receive(0..3).await?;
        self.send_down(0..3).await?;
        self.client.receive(0..3).await
    }

    /// Stops both ends, the dialler first; then the only thing left to report is one goodbye at each.
    pub(super) async fn part(mut self) -> Result<(), Finding> {
        stop_if_running(&mut self.client).await?;
        self.server.stopped().await?;
        only_goodbye("dialler", &self.client, self.at_client.0)?;
        only_goodbye("listener", &self.server, self.at_server.0)
    }

    /// The client's link ended: its run has, too, where one run is one link.
    pub(super) async fn dialler_ended(&mut self) -> Result<(), Finding> {
        if self.client.carrier().profile().dials {
            let _good_order_or_not = self.client.ended().await?;
        }
        Ok(())
    }

    /// The dialler has a link again.
    pub(super) async fn reconnect(&mut self) -> Result<(), Finding> {
        if self.client.carrier().profile().dials {
            self.client.run();
        }
        self.at_client = self.client.connected().await?;
        self.at_server = self.server.connected().await?;
        Ok(())
    }
}

async fn stop_if_running(probe: &mut Probe) -> Result<(), Finding> {
    probe.stop();
    let _good_order_or_not = probe.ended().await?;
    Ok(())
}

/// Checks that the client was retired once and nothing else was reported.
pub(super) fn only_goodbye(end: &str, probe: &Probe, id: ClientId) -> Result<(), Finding> {
    let mut retired = 0;
    for seen in probe.rest()? {
        match seen {
            Seen::Disconnected(gone, _) if gone == id => retired += 1,
            Seen::Connected(other, _) => {
                return Err(Finding::new(format!(
                    "the {end} announced {other} besides {id}: one link is announced once"
                )));
            }
            other => {
                return Err(Finding::new(format!(
                    "the {end} reported more than was asked of it: {other:?}"
                )));
            }
        }
    }
    ensure!(
        retired > 0,
        "the run of the {end} returned, but {id} was never reported as disconnected"
    );
    ensure!(
        retired == 1,
        "the {end} reported {retired} times that {id} disconnected"
    );
    Ok(())
}

/// A listener with several clients.
pub(super) struct Crowd {
    pub(super) server: Probe,
    pub(super) members: Vec<Member>,
}

/// One client of a crowd.
pub(super) struct Member {
    pub(super) client: Probe,
    pub(super) at_client: End,
    pub(super) at_server: End,
}

impl Crowd {
    pub(super) async fn gather<F: Fixture>(fixture: &F, members: usize) -> Result<Self, Finding> {
        let Pair {
            server,
            client,
            at_server,
            at_client,
            address,
            ..
        } = Pair::connect(fixture).await?;
        let first = Member {
            client,
            at_client,
            at_server,
        };
        let mut crowd = Self {
            server,
            members: vec![first],
        };
        while crowd.members.len() < members {
            let member = crowd.join(fixture.dialler(&address)).await?;
            crowd.members.push(member);
        }
        Ok(crowd)
    }

    async fn join(&mut self, dialler: std::sync::Arc<dyn sig_core::Carrier>) -> Result<Member, Finding> {
        self.join_on(&Handle::current(), dialler).await
    }

    /// One more client, whose carrier runs on this runtime.
    pub(super) async fn join_on(
        &mut self,
        handle: &Handle,
        dialler: std::sync::Arc<dyn sig_core::Carrier>,
    ) -> Result<Member, Finding> {
        let mut client = Probe::start_on(handle, dialler).with_patience(self.server.patience());
        Ok(Member {
            at_client: client.connected().await?,
            at_server: self.server.connected().await?,
            client,
        })
    }
}

impl Member {
    /// Messages pass both ways between this member and the server.
    pub(super) async fn works(&self, server: &Probe) -> Result<(), Finding> {
        self.client.send(self.at_client.0, &self.at_client.1, 0..3).await?;
        server.receive(0..3).await?;
        server.send(self.at_server.0, &self.at_server.1, 0..3).await?;
        self.client.receive(0..3).await
    }
}
