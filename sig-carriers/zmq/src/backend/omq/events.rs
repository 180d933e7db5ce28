//! Its events in our words.

use async_trait::async_trait;
use omq_tokio::{DisconnectReason, Endpoint, MonitorEvent, MonitorRecvError, MonitorStream, PeerInfo};

use crate::backend::monitor::{Link, LinkEvent, Source};

pub(super) struct Events(pub(super) MonitorStream);

#[async_trait]
impl Source for Events {
    async fn next(&mut self) -> Option<LinkEvent> {
        loop {
            match self.0.recv().await {
                Ok(MonitorEvent::Closed) | Err(MonitorRecvError::Closed) => return None,
                Err(MonitorRecvError::Lagged(missed)) => return Some(LinkEvent::Missed(missed)),
                Ok(event) => {
                    if let Some(event) = translated(event) {
                        return Some(event);
                    }
                }
                // The enumeration may grow.
                Err(_) => return None,
            }
        }
    }
}

fn translated(event: MonitorEvent) -> Option<LinkEvent> {
    match event {
        MonitorEvent::HandshakeSucceeded { endpoint, peer } => Some(LinkEvent::Connected(link(&endpoint, &peer))),
        MonitorEvent::Disconnected { endpoint, peer, reason } => Some(LinkEvent::Disconnected {
            link: link(&endpoint, &peer),
            reason: why(&reason),
            by_peer: matches!(reason, DisconnectReason::PeerClosed),
        }),
        MonitorEvent::ConnectDelayed { endpoint, .. } => Some(LinkEvent::Delayed {
            endpoint: endpoint.to_string(),
        }),
        MonitorEvent::HandshakeFailed { endpoint, reason, .. } => Some(LinkEvent::Refused {
            endpoint: endpoint.to_string(),
            reason,
        }),
        _ => None,
    }
}

fn link(endpoint: &Endpoint, peer: &PeerInfo) -> Link {
    let address = peer.diagnostics.remote_address.as_ref().map(ToString::to_string);
    Link {
        number: peer.connection_id,
        endpoint: endpoint.to_string(),
        address: address.or_else(|| peer.peer_address.map(|address| address.to_string())),
        identity: peer.peer_identity.clone(),
        user: peer.authentication.username.clone(),
    }
}

fn why(reason: &DisconnectReason) -> String {
    match reason {
        DisconnectReason::PeerClosed => "the peer closed the link".into(),
        DisconnectReason::LocalClose => "closed here".into(),
        DisconnectReason::Error(error) => error.clone(),
        DisconnectReason::HandshakeRefused(refusal) => refusal.to_string(),
        DisconnectReason::Handover => "a newer link has the same identity".into(),
        other => format!("{other:?}"),
    }
}
