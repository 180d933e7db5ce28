//! A client in another language, written from docs/WIRE.md alone: `tests/foreign/sig1.py`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sig_router::Listen;
use sig_tests::rig::{TcpServer, soon};
use tokio::process::Command;
use tokio::task::JoinSet;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a script of the client; gives what it printed.
async fn python(script: &str, argument: impl AsRef<std::ffi::OsStr>) -> String {
    let python = std::env::var_os("SIG_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(file("foreign").join(script))
        .arg(argument)
        .kill_on_drop(true);
    let output = soon("the end of the script", command.output())
        .await
        .expect("Python 3 runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn the_client_is_small() {
    let text = std::fs::read_to_string(file("foreign/sig1.py")).unwrap();
    assert!(text.lines().count() < 80, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 120));
}

#[tokio::test]
async fn it_passes_the_golden_vectors() {
    assert_eq!(python("vectors.py", file("../docs/WIRE.md")).await, "ok\n");
}

#[tokio::test]
async fn it_sends_listens_asks_and_answers() {
    let server = TcpServer::start();
    let (hub, client) = (&server.router, server.client());
    let rust = hub
        .add_sender("rust")
        .event("toc")
        .request("greet", |request: sig_router::Request| {
            Ok(format!("hello {}", request.params::<String>()?))
        })
        .connect()
        .unwrap();
    let toc = rust.signal("toc").unwrap();
    let mut tics = client.listen_remote("python/tic").await.unwrap();
    let mut gone = client
        .listen_remote(Listen::to("python/#disconnect").unwrap())
        .await
        .unwrap();
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    let mut talking = JoinSet::new();
    talking.spawn(python("talk.py", port));

    for number in 1..=100 {
        let event = soon("an event", tics.recv()).await.unwrap().unwrap();
        assert_eq!(
            (event.number(), event.decode::<Value>().unwrap()),
            (number, json!({ "n": number }))
        );
    }
    let doubled: i64 = client
        .remote_request("python", "double", &21)
        .await
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(doubled, 42);
    // It listens by now: it was answered after it had asked to.
    sig_tests::rig::holds("it listens", || {
        hub.clients().iter().any(|client| client.listeners == 2)
    })
    .await;
    for n in 0..100 {
        toc.trigger(&n).await.unwrap();
    }
    let seen: Value = serde_json::from_str(&talking.join_next().await.unwrap().unwrap()).unwrap();
    let expected = json!({
        "version": 1,
        "listed": ["python", "rust"],
        "answer": "hello python",
        "numbers": (1..=100).collect::<Vec<_>>(),
        "data": (0..100).collect::<Vec<_>>(),
        "connected": ["python", "rust"],
        "error": seen["error"],
    });
    assert_eq!(seen, expected);
    assert!(seen["error"].as_str().unwrap().contains("nobody"), "{seen}");
    let left = soon("its leaving", gone.recv()).await.unwrap().unwrap();
    assert_eq!(
        left.decode::<sig_router::Presence>().unwrap().reason.as_deref(),
        Some("removed")
    );
}
