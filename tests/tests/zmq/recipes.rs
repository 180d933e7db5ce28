//! The recipes of docs/ZEROMQ.md, as they stand there.

use std::path::Path;
use std::time::Duration;

use sig_carrier_zmq::{Forwarder, Pattern, Publisher, Subscriber};
use sig_tests::process::Process;
use sig_tests::pyzmq::Pyzmq;

const SOON: Duration = Duration::from_secs(20);

fn recipe(number: usize, forwarder: &Forwarder) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ZEROMQ.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```python\n").nth(number).expect("there is such a recipe");
    let block = block.split("```").next().unwrap();
    block
        .replace("tcp://localhost:5559", forwarder.front()[0].as_str())
        .replace("tcp://localhost:5560", forwarder.back()[0].as_str())
}

/// Waits until so many were told upstream, those taken back among them.
async fn subscriptions(forwarder: &Forwarder, count: u64) {
    let told = async {
        while forwarder.statistics().back.messages < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, told)
        .await
        .expect("the subscriptions come through");
}

#[tokio::test]
async fn the_recipes_for_pyzmq_work_with_each_other_and_with_ours() {
    let Some(pyzmq) = Pyzmq::available() else { return };
    let any = "tcp://127.0.0.1:*";
    let forwarder = Forwarder::of(Pattern::Topics)
        .bind_front(any)
        .bind_back(any)
        .start()
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |number: usize| -> Process {
        let path = folder.path().join(format!("recipe{number}.py"));
        std::fs::write(&path, recipe(number, &forwarder)).unwrap();
        pyzmq.run(path.to_str().unwrap(), &[])
    };
    let line = "lab.room1.door. \"open\"";

    // Theirs and ours listen to theirs.
    let ours = Subscriber::connect(forwarder.back()[0].as_str()).await.unwrap();
    let mut theirs = run(2);
    ours.subscribe("lab").await.unwrap();
    subscriptions(&forwarder, 2).await;
    let _publisher = run(1);
    theirs.says_line(line).await;
    assert_eq!(
        ours.get_json::<String>(SOON).await.unwrap(),
        ("lab.room1.door".into(), "open".into())
    );

    // Theirs listens to ours.
    ours.close().await;
    // Both have taken theirs back, so that the next one is the new one's.
    subscriptions(&forwarder, 4).await;
    let mut theirs = run(2);
    let publisher = Publisher::connect(forwarder.front()[0].as_str()).await.unwrap();
    publisher.wanted("lab.room1").await.unwrap();
    publisher.publish("lab.room1.door", "open").await.unwrap();
    theirs.says_line(line).await;
}
