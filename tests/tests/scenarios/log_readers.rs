//! Programs that read the log of their own router.

use std::sync::{Arc, OnceLock, mpsc};

use serde_json::json;
use sig_router::ServerRouter;
use sig_tests::raw::{Raw, event, hello};
use sig_tests::rig::{TcpServer, WAIT};
use tracing::Subscriber;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Asks for everything there is to ask, for every line of the log.
struct Curious {
    server: Arc<OnceLock<ServerRouter>>,
    /// Gets how many clients there are at each warning.
    warned: mpsc::SyncSender<usize>,
}

impl<S: Subscriber> Layer<S> for Curious {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let Some(server) = self.server.get() else { return };
        let clients = server.clients().len();
        let _ = (server.senders(), server.to_string());
        if *event.metadata().level() == tracing::Level::WARN {
            let _ = self.warned.try_send(clients);
        }
    }
}

#[test]
fn promise_7_who_reads_the_log_may_ask_for_the_clients() {
    let asked = Arc::new(OnceLock::new());
    let (warned, warnings) = mpsc::sync_channel(64);
    let curious = Curious {
        server: Arc::clone(&asked),
        warned,
    };
    let dispatch = tracing::Dispatch::new(tracing_subscriber::registry().with(curious));
    // With one dispatcher alone, a place in the code that another thread comes by first would be switched off for all.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&dispatch)))
        .build()
        .unwrap();
    runtime.spawn(async move {
        let server = TcpServer::start();
        asked.get_or_init(|| server.router.clone());
        let mut listener = Raw::connect(&server.address).await;
        let mut small = hello();
        small["params"]["max_message"] = json!(65_536);
        listener.open(&small).await;
        let topic = json!({ "listener_id": 1, "sender": "s", "event": "e" });
        listener.call(1, "add_listener", &topic).await;
        let mut sender = Raw::hello(&server.address).await;
        let added = sender
            .call(1, "add_sender", &json!({ "sender": "s", "events": ["e"] }))
            .await;
        let alias = u32::try_from(added["response"]["aliases"]["e"].as_u64().unwrap()).unwrap();
        // Too large for who listens: the server says so while it serves the sender.
        sender.send(&event(alias, 1, &[b' '; 70_000])).await;
        std::future::pending::<()>().await;
    });
    // Not on the runtime: it stands still if its thread does.
    let clients = warnings.recv_timeout(WAIT);
    runtime.shutdown_background();
    assert_eq!(clients, Ok(2), "the one who reads the log has got stuck");
}
