//! W4: what can go wrong with a request arrives as what it was, with its text.

use std::time::{Duration, Instant};

use sig_router::{HandlerError, Request, RequestError};
use sig_tests::rig::{TcpServer, WAIT, connected, disconnected, soon};
use tokio::sync::mpsc;

const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn w4_every_kind_of_failure_arrives_distinct_and_with_its_text() {
    let server = TcpServer::start();
    let (owner, client) = (server.client(), server.client());
    let _silent = owner.add_remote_sender("silent").event("e").connect().await.unwrap();
    let _sender = owner
        .add_remote_sender("s")
        .request("fails", |_: Request| -> Result<(), _> {
            Err(HandlerError::new("the valve is stuck"))
        })
        .request("coded", |_: Request| -> Result<(), _> {
            Err(HandlerError::new("too hot").with_code("overheated"))
        })
        .request("typed", |request: Request| Ok(request.params::<u8>()?))
        .request_async("never", |_: Request| async {
            std::future::pending::<Result<(), _>>().await
        })
        .connect()
        .await
        .unwrap();
    connected(&client).await;
    let ask = async |sender: &str, method: &str| {
        let request = client.remote_request(sender, method, &"no number").timeout(SHORT);
        soon("an answer", request).await.unwrap_err()
    };
    assert_eq!(
        ask("nobody", "m").await,
        RequestError::NoSuchSender {
            sender: "nobody".into()
        }
    );
    assert_eq!(
        ask("silent", "m").await,
        RequestError::NotSupported {
            sender: "silent".into()
        }
    );
    let method = "missing".to_owned();
    assert_eq!(
        ask("s", "missing").await,
        RequestError::NoSuchMethod {
            sender: "s".into(),
            method
        }
    );
    let text = "the valve is stuck".to_owned();
    assert_eq!(
        ask("s", "fails").await,
        RequestError::HandlerFailed { code: None, text }
    );
    let (code, text) = (Some("overheated".to_owned()), "too hot".to_owned());
    assert_eq!(ask("s", "coded").await, RequestError::HandlerFailed { code, text });
    let typed = ask("s", "typed").await;
    assert!(
        matches!(&typed, RequestError::HandlerFailed { text, .. } if text.contains("u8")),
        "{typed:?}"
    );
    assert_eq!(ask("s", "never").await, RequestError::TimedOut { after: SHORT });

    // The same, seen from the server itself.
    let near = server.router.request("s", "coded", &()).await.unwrap_err();
    assert!(
        matches!(&near, RequestError::HandlerFailed { code: Some(code), .. } if code == "overheated"),
        "{near:?}"
    );
}

#[tokio::test]
async fn w4_without_a_link_it_is_not_connected_within_the_deadline() {
    let server = TcpServer::start();
    let client = server.client();
    connected(&client).await;
    server.router.close(WAIT).await;
    disconnected(&client).await;
    let began = Instant::now();
    let answer = client.remote_request("s", "m", &()).timeout(SHORT).await;
    assert_eq!(answer.unwrap_err(), RequestError::NotConnected);
    assert!(began.elapsed() < 10 * SHORT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn w4_an_owner_that_leaves_in_the_middle_and_a_link_that_breaks() {
    let server = TcpServer::start();
    let (owner, client) = (server.client(), server.client());
    let (started, mut starts) = mpsc::channel(10);
    let sender = owner
        .add_remote_sender("s")
        .request_async("hangs", move |_: Request| {
            let started = started.clone();
            async move {
                started.send(()).await.unwrap();
                std::future::pending::<Result<(), HandlerError>>().await
            }
        })
        .connect()
        .await
        .unwrap();
    let leaving = async {
        soon("the handler", starts.recv()).await.unwrap();
        owner.close(WAIT).await;
    };
    let asking = soon("an answer", client.remote_request("s", "hangs", &()));
    let (answer, ()) = tokio::join!(asking, leaving);
    assert_eq!(answer.unwrap_err(), RequestError::SenderGone { sender: "s".into() });
    drop(sender);

    // The asker's own link breaks while it waits.
    let near = server
        .router
        .add_sender("near")
        .request_async("hangs", |_: Request| async {
            std::future::pending::<Result<(), HandlerError>>().await
        });
    let _near = near.connect().unwrap();
    let asking = soon("an answer", client.remote_request("near", "hangs", &()));
    let breaking = async { server.router.close(WAIT).await };
    let (answer, _) = tokio::join!(asking, breaking);
    let error = answer.unwrap_err();
    assert!(
        matches!(error, RequestError::NotConnected | RequestError::Cancelled),
        "{error:?}"
    );
}

/// Tells when it is dropped.
struct Tell(mpsc::Sender<&'static str>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.try_send("dropped");
    }
}

#[tokio::test]
async fn promise_4_dropping_a_request_cancels_the_handler_at_the_other_end() {
    let server = TcpServer::start();
    let (owner, client) = (server.client(), server.client());
    let (told, mut tells) = mpsc::channel(10);
    let _sender = owner
        .add_remote_sender("s")
        .request_async("hangs", move |_: Request| {
            let guard = Tell(told.clone());
            async move {
                guard.0.send("started").await.unwrap();
                std::future::pending::<Result<(), HandlerError>>().await
            }
        })
        .connect()
        .await
        .unwrap();
    tokio::select! {
        answer = client.remote_request("s", "hangs", &()).timeout(WAIT) => panic!("{answer:?}"),
        told = soon("the handler", tells.recv()) => assert_eq!(told, Some("started")),
    }
    assert_eq!(soon("the end of the handler", tells.recv()).await, Some("dropped"));
    // So does a deadline that passes.
    let answer = client.remote_request("s", "hangs", &()).timeout(SHORT).await;
    assert_eq!(answer.unwrap_err(), RequestError::TimedOut { after: SHORT });
    assert_eq!(soon("the handler", tells.recv()).await, Some("started"));
    assert_eq!(soon("the end of the handler", tells.recv()).await, Some("dropped"));
}

#[tokio::test]
async fn promise_4_beyond_the_bound_busy_at_once() {
    let server = TcpServer::start();
    let (owner, client) = (server.client(), server.client());
    let _sender = owner
        .add_remote_sender("s")
        .request_async("hangs", |_: Request| async {
            std::future::pending::<Result<(), HandlerError>>().await
        })
        .request("quick", |_: Request| Ok(()))
        .connect()
        .await
        .unwrap();
    connected(&client).await;
    let mut hanging = futures::stream::FuturesUnordered::new();
    for _ in 0..10_000 {
        let request = client.remote_request("s", "hangs", &()).timeout(WAIT);
        hanging.push(async { request.await });
    }
    let first = soon("busy", futures::StreamExt::next(&mut hanging)).await.unwrap();
    assert_eq!(first.unwrap_err(), RequestError::Busy);
    // Those that were dropped leave room again.
    drop(hanging);
    let answered = async { while client.remote_request("s", "quick", &()).await.is_err() {} };
    soon("room", answered).await;
}
