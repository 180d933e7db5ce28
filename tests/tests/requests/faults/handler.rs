//! What handlers do.

use std::panic;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use sig_core::StreamCarrier;
use sig_router::{HandlerError, Request, RequestError, SenderBuilder, ServerRouter};
use sig_tests::media::SmallFrames;
use sig_tests::rig::{client_of, connected, soon};

use super::super::world::World;
use super::{DEADLINE, Ended, Fault, ask, late, too_large};

pub(super) fn faults() -> Vec<Fault> {
    vec![
        panics().boxed(),
        hangs().boxed(),
        blocks_its_thread().boxed(),
        answers_with_too_much().boxed(),
        cannot_be_packed().boxed(),
        fails().boxed(),
    ]
}

/// A client's handler does this when it is asked to `do` it.
async fn when_it(does: impl AsyncFnOnce(Builder<'_>) -> Option<sig_router::RemoteSender>) -> Ended {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let _sender = does(client.add_remote_sender("callee")).await.unwrap();
    connected(&asker).await;
    ask(asker.remote_request("callee", "do", &())).await
}

type Builder<'a> = SenderBuilder<&'a sig_router::ClientRouter>;

async fn panics() {
    let ended = when_it(async |callee| {
        let callee = callee.request_async("do", |_| async {
            if true {
                panic::resume_unwind(Box::new("boom"));
            }
            Ok(())
        });
        callee.connect().await.ok()
    });
    ended.await.check("the handler panics", |answer| {
        matches!(answer, Err(RequestError::HandlerFailed { code: Some(code), text }) if code == "panic" && text.contains("boom"))
    });
}

async fn hangs() {
    let ended = when_it(async |callee| {
        let callee = callee.request_async("do", |_| std::future::pending::<Result<(), HandlerError>>());
        callee.connect().await.ok()
    });
    ended.await.check("the handler hangs", late);
}

async fn blocks_its_thread() {
    let ended = when_it(async |callee| {
        let callee = callee.request("do", |request: Request| {
            while !request.is_cancelled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(DEADLINE);
            Ok(())
        });
        callee.connect().await.ok()
    });
    ended.await.check("the handler blocks its thread", late);
}

async fn answers_with_too_much() {
    let server = ServerRouter::new().unwrap();
    let inner = sig_carrier_tcp::Listener::bind("127.0.0.1:0").unwrap();
    let address = inner.local_addr().to_string();
    server.attach(Arc::new(StreamCarrier::new(SmallFrames {
        inner,
        max_frame: 64 * 1024,
    })));
    let (asker, client) = (client_of(&address), client_of(&address));
    let large = || "x".repeat(100 * 1024);
    let near = server.add_sender("near").request("do", move |_| Ok(large()));
    let _near = near.connect().unwrap();
    let far = client
        .add_remote_sender("far")
        .request("do", move |_| Ok(large()))
        .request("echo", |_| Ok(1));
    let _far = far.connect().await.unwrap();
    connected(&asker).await;
    for who in ["near", "far"] {
        let ended = ask(asker.remote_request(who, "do", &())).await;
        ended.check("the answer is too large", too_large);
    }
    let answer = soon("an answer", asker.remote_request("far", "echo", &())).await;
    assert_eq!(answer.unwrap().text(), "1");
}

/// JSON knows objects by text alone.
async fn cannot_be_packed() {
    let ended = when_it(async |callee| {
        let callee = callee.request("do", |_| Ok(std::collections::HashMap::from([((1, 2), 3)])));
        callee.connect().await.ok()
    });
    ended.await.check("the answer cannot be packed", |answer| {
        matches!(answer, Err(RequestError::Codec(_)))
    });
}

async fn fails() {
    let ended = when_it(async |callee| {
        let callee = callee.request("do", |_| Err::<(), _>(HandlerError::new("too hot").with_code("hot")));
        callee.connect().await.ok()
    });
    let (code, text) = (Some("hot".to_owned()), "too hot".to_owned());
    let failed = Err(RequestError::HandlerFailed { code, text });
    ended.await.check("the handler fails", |answer| *answer == failed);
}
