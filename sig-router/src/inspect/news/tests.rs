//! News that is told, and news for which there is no room.

use futures::FutureExt as _;

use sig_core::ClientId;

use super::*;
use crate::Router;
use crate::inspect::{ClientReport, Inspection, Links, Traffic};

fn story(id: u64) -> Story {
    Story::Connected(ClientConnected {
        id,
        ..ClientConnected::default()
    })
}

#[test]
fn news_that_nobody_tells_takes_no_more_than_its_room_and_is_counted() {
    let news = News::default();
    for id in 0..10_000 {
        news.add(story(id));
        news.add(Story::Carrier(CarrierReport::default()));
    }
    let (mut told, mut missed) = (0, 0);
    while let Some(item) = news.take() {
        match item {
            Ok(_) => told += 1,
            Err(item) => missed += item.count,
        }
    }
    assert_eq!((told, told as u64 + missed), (MOST, 20_000));
}

#[tokio::test]
async fn what_was_not_told_shows_as_lost_to_those_who_listen() {
    let tasks = sig_core::Tasks::new().unwrap();
    let hub = Hub::new(Some(tasks.clone()));
    let links: Weak<Nobody> = Weak::new();
    Inspection::install(&hub, Some(links));
    let mut came = Router::with_hub(Arc::clone(&hub))
        .listen("#router/client_connected")
        .unwrap();
    let news = Arc::new(News::default());
    (0..2000).for_each(|id| news.add(story(id)));
    let telling = tell(Arc::downgrade(&hub), Arc::clone(&news), tasks.stop_token().clone());
    let listening = async {
        let (mut heard, mut lost) = (0, 0);
        while heard + lost < 2000 {
            match came.recv().await.unwrap() {
                Ok(event) => {
                    heard += 1;
                    assert_eq!(event.number(), heard + lost);
                }
                Err(lagged) => lost += lagged.count(),
            }
        }
        (heard, lost)
    };
    let (heard, lost) = tokio::select! {
        () = telling => panic!("it ended"),
        counts = listening => counts,
    };
    assert_eq!((heard, lost), (MOST as u64, 2000 - MOST as u64));
    assert!(came.recv().now_or_never().is_none());
}

/// No links.
#[derive(Debug)]
struct Nobody;

impl Links for Nobody {
    fn identity(&self) -> (String, u64) {
        Default::default()
    }

    fn each_client(&self, _: &mut dyn FnMut(ClientId, Traffic)) {}

    fn total(&self, _: &mut dyn FnMut(ClientId, Traffic)) -> Traffic {
        Default::default()
    }

    fn count_clients(&self) -> usize {
        0
    }

    fn client(&self, _: ClientId, _: Instant) -> Option<ClientReport> {
        None
    }

    fn carriers(&self) -> Vec<CarrierReport> {
        Vec::new()
    }

    fn links(&self) -> Vec<LinkReport> {
        Vec::new()
    }
}
