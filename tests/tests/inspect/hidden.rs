//! Who does not name `#router` does not meet it.

use std::time::Duration;

use sig_router::inspect::{ClientConnected, Query, ROUTER};
use sig_router::{AddSenderError, Presence, Router, SenderState};
use sig_tests::rig::{TcpServer, connected, holds, lasting_address, soon};

use crate::{next, next_remote};

#[tokio::test]
async fn it_is_in_no_list_of_senders() {
    let server = TcpServer::start();
    let client = server.client();
    let _named = soon("listening", client.listen_remote("#router/*")).await.unwrap();
    let listed = soon("the list", client.list_remote_senders()).await.unwrap();
    let names: Vec<_> = listed.iter().map(|info| info.name.clone()).collect();
    assert_eq!(names, [None]);
    assert!(
        listed[0].events.iter().flatten().all(|event| event.is_presence()),
        "{listed:?}"
    );
    assert_eq!(server.router.senders(), []);
    assert_eq!(Router::new().senders(), []);
    assert_eq!(client.local().senders(), []);
    let shown = server.router.to_string();
    assert!(!shown.contains(ROUTER), "{shown}");
    let all = format!("{:#}", server.router);
    assert!(
        all.contains("[#router] (connected)") && all.contains("client_connected"),
        "{all}"
    );
    assert_eq!(server.router.inspect().info().senders, 0);
}

#[tokio::test]
async fn its_events_reach_neither_broadcasts_nor_channels_on_either_end_of_a_link() {
    let server = TcpServer::start();
    let client = server.client();
    let mut here = [
        server.router.listen("*").unwrap(),
        server.router.listen("#connect").unwrap(),
    ];
    let mut there = vec![
        soon("listening", client.listen_remote("*")).await.unwrap(),
        soon("listening", client.listen_remote("#connect")).await.unwrap(),
    ];
    // The same client hears it where it names it.
    let mut named = soon("listening", client.listen_remote("#router/client_connected"))
        .await
        .unwrap();
    let mut all_of_it = soon("listening", client.listen_remote("#router/*")).await.unwrap();
    let second = server.client();
    soon("the link", connected(&second)).await;
    let data: ClientConnected = next_remote(&mut named).await;
    assert_eq!(data.dialect, "sig/1");
    let data: ClientConnected = next_remote(&mut all_of_it).await;
    assert_eq!(data.dialect, "sig/1");

    // Behind it comes a sender of which all of them hear, and before it they heard nothing.
    let sender = server.router.add_sender("fence").event("#e").connect().unwrap();
    for events in &mut here {
        let event = soon("an event", events.recv()).await.unwrap().unwrap();
        assert_eq!((event.sender().as_str(), event.name().as_str()), ("fence", "#connect"));
    }
    for events in &mut there {
        let event = soon("an event", events.recv()).await.unwrap().unwrap();
        assert_eq!((event.sender().as_str(), event.name().as_str()), ("fence", "#connect"));
    }
    drop(sender);
}

#[tokio::test]
async fn it_is_there_for_those_who_name_its_presence_alone() {
    let server = TcpServer::start();
    let client = server.client();
    let mut here = server.router.listen("#router/#connect").unwrap();
    let mut there = soon("listening", client.listen_remote("#router/#connect"))
        .await
        .unwrap();
    let presences: [Presence; 2] = [next(&mut here).await, next_remote(&mut there).await];
    for presence in presences {
        assert!(presence.requests.unwrap().contains(&Some("info".to_owned())));
        assert!(presence.events.iter().any(|event| event.as_str() == "stats"));
    }
}

#[tokio::test]
async fn nobody_can_take_its_name_or_remove_it() {
    let server = TcpServer::start();
    let client = server.client();
    let refused = server.router.add_sender(ROUTER).event("e").connect().unwrap_err();
    assert!(matches!(refused, AddSenderError::Name(_)), "{refused:?}");
    assert!(!server.router.router().remove_sender(ROUTER));
    let added = client.add_remote_sender(ROUTER).event("e").connect();
    match tokio::time::timeout(Duration::from_secs(20), added.into_future())
        .await
        .unwrap()
    {
        Err(error) => assert!(error.to_string().contains('#'), "{error}"),
        Ok(sender) => panic!("{:?}", matches!(sender.state(), SenderState::Refused { .. })),
    }
    let info = server.router.request(ROUTER, "info", &()).await;
    assert!(info.is_ok(), "{info:?}");
}

#[tokio::test]
async fn listening_to_it_leaves_nothing_behind() {
    let server = TcpServer::start();
    let client = server.client();
    let listeners = || server.router.inspect().info().listeners;
    let before = server
        .router
        .inspect()
        .senders(&Query::new().with_router())
        .rows
        .remove(0);
    for topic in ["#router/stats", "#router/undeclared", "#router/*", "#nobody/x"] {
        drop(soon("listening", client.listen_remote(topic)).await.unwrap());
    }
    holds("they are gone", || listeners() == 0).await;
    let page = server.router.inspect().senders(&Query::new().with_router());
    assert_eq!(page.total, 1);
    let names = |events: &[sig_router::inspect::EventReport]| -> Vec<_> {
        events.iter().map(|event| event.event.clone()).collect()
    };
    assert_eq!(names(&page.rows[0].events), names(&before.events));
}

#[tokio::test]
async fn its_presence_alternates_for_who_names_it_also_over_a_restart() {
    let address = lasting_address();
    let server = TcpServer::at(&address);
    let client = server.client();
    let mut came = soon("listening", client.listen_remote("#router/#connect"))
        .await
        .unwrap();
    let mut left = soon("listening", client.listen_remote("#router/#disconnect"))
        .await
        .unwrap();
    let _: Presence = next_remote(&mut came).await;
    drop(server);
    let gone: Presence = next_remote(&mut left).await;
    assert_eq!(gone.reason.as_deref(), Some("link_lost"));
    let _server = TcpServer::at(&address);
    let _: Presence = next_remote(&mut came).await;
    assert!(came.is_empty() && left.is_empty());
}
