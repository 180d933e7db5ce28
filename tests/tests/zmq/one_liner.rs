//! The scenarios of one-liner's own tests, by their files and names, with routers over ZeroMQ: remote calls, and streams to many clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sig_router::{ClientRouter, HandlerError, Listen, Policy, Request, ServerRouter};
use sig_tests::rig::{holds, soon};
use tokio::time::{MissedTickBehavior, interval};

use crate::world::Served;

/// `{sensor: 0.0 .. 5.0}`, as the sensors of those tests measure it.
fn measured(sensor: u64) -> Value {
    json!({ sensor.to_string(): fastrand::f64() * 5.0 })
}

fn is_measured(data: &Value, sensor: u64) -> bool {
    data[sensor.to_string()]
        .as_f64()
        .is_some_and(|volts| (0.0..=5.0).contains(&volts))
}

/// A server with a stream of this name, so many times a second, until the returned switch is turned off.
fn streams(server: &ServerRouter, name: &str, sensor: u64, hertz: u64) -> Arc<AtomicBool> {
    let sender = server.add_sender(name).event("data").connect().unwrap();
    let on = Arc::new(AtomicBool::new(true));
    let runs = Arc::clone(&on);
    let _ = std::thread::spawn(move || {
        let signal = sender.signal("data").unwrap();
        while runs.load(Ordering::Relaxed) && signal.try_trigger(&measured(sensor)).is_ok() {
            std::thread::sleep(Duration::from_millis(1000 / hertz));
        }
        // The sender leaves with its stream.
        sender.remove();
    });
    on
}

/// A router that has ended leaves nobody behind.
async fn closes(served: Served) {
    let closed = served.router.close(Duration::from_secs(5));
    soon("the router ends", closed).await;
    // Its port is free again.
    Served::at(&format!("zmq:{}", served.endpoint))
        .router
        .close(Duration::from_secs(5))
        .await;
}

/// A sensor array that can be asked: `get_data` with an index, and named calls of it with what they preset.
async fn sensors(served: &Served) -> ClientRouter {
    let owner = served.client().await;
    let sender = owner
        .add_remote_sender("sensors")
        .request("get_data", |request: Request| {
            let [sensor]: [u64; 1] = request.params()?;
            Ok(measured(sensor))
        })
        .request("get_sensor0", |request: Request| match request.params::<Value>()? {
            Value::Null => Ok(measured(0)),
            Value::Array(args) if args.len() == 1 => Ok(measured(args[0].as_u64().unwrap_or_default())),
            other => Err(HandlerError::new(format!(
                "sensor_index is preset, and given again by {other}"
            ))),
        })
        .connect()
        .await
        .unwrap();
    // It stays as long as its client.
    std::mem::forget(sender);
    owner
}

async fn ask(client: &ClientRouter, method: &str, params: &Value) -> Value {
    let answer = soon("an answer", client.remote_request("sensors", method, params)).await;
    answer.unwrap().parse().unwrap()
}

mod test_zmq_router {
    use super::*;

    #[tokio::test]
    async fn test_server_creation() {
        closes(Served::start()).await;
    }

    #[tokio::test]
    async fn test_many_client_receive() {
        let served = Served::start();
        let _on = streams(&served.router, "sensor_data", 0, 100);
        let clients = [served.client().await, served.client().await];
        let mut heard = Vec::new();
        for client in &clients {
            heard.push(client.listen_remote("sensor_data/data").await.unwrap());
        }
        let mut numbers = [0, 0];
        for _ in 0..10 {
            for (stream, last) in heard.iter_mut().zip(&mut numbers) {
                let event = soon("an event", stream.recv()).await.unwrap().unwrap();
                assert!(is_measured(&event.decode().unwrap(), 0));
                assert!(*last == 0 || event.number() == *last + 1, "none is left out");
                *last = event.number();
            }
        }
    }
}

mod test_zmq_receiver {
    use super::*;

    #[tokio::test]
    async fn test_rpc_server_creation() {
        let served = Served::start();
        let owner = sensors(&served).await;
        owner.close(Duration::from_secs(5)).await;
        closes(served).await;
    }

    #[tokio::test]
    async fn test_request_and_reply() {
        let served = Served::start();
        let (_owner, client) = (sensors(&served).await, served.client().await);
        assert!(is_measured(&ask(&client, "get_data", &json!([0])).await, 0));
    }
}

mod test_rpc_named_call {
    use super::*;

    #[tokio::test]
    async fn test_many_client_receive() {
        let served = Served::start();
        let (_owner, client) = (sensors(&served).await, served.client().await);
        assert!(is_measured(&ask(&client, "get_sensor0", &Value::Null).await, 0));
        assert!(
            is_measured(&ask(&client, "get_sensor0", &json!([1])).await, 1),
            "args override"
        );
        let twice = json!({ "sensor_index": 1 });
        let twice = client
            .remote_request("sensors", "get_sensor0", &twice)
            .await
            .unwrap_err();
        assert!(twice.to_string().contains("sensor_index is preset"), "{twice}");
        // And the connection keeps working.
        assert!(is_measured(&ask(&client, "get_data", &json!([2])).await, 2));
    }
}

mod test_version_check {
    use super::*;

    #[tokio::test]
    async fn test_client_receive() {
        let served = Served::start();
        let client = served.client().await;
        let server_version = soon("the router's", client.remote_request("#router", "info", &())).await;
        let own = soon("its own", served.router.request("#router", "info", &())).await;
        for info in [server_version.unwrap(), own.unwrap()] {
            let info: Value = info.parse().unwrap();
            assert_eq!(info["version"], env!("CARGO_PKG_VERSION"), "{info}");
        }
    }
}

mod test_zmq_broadcaster {
    use super::*;

    #[tokio::test]
    async fn test_server_creation() {
        let served = Served::start();
        let client = served.client().await;
        client.close(Duration::from_secs(5)).await;
        closes(served).await;
    }

    #[tokio::test]
    async fn test_server_broadcast() {
        let served = Served::start();
        let streams = [0, 1].map(|sensor| streams(&served.router, &format!("sensor_{sensor}"), sensor, 100));
        let mut all = served.router.listen("*").unwrap();
        let mut heard = [0, 0];
        while heard.iter().any(|count| *count < 3) {
            let event = soon("an event", all.recv()).await.unwrap().unwrap();
            if event.name().as_str() == "data" {
                let sensor = usize::from(event.sender().as_str() == "sensor_1");
                assert!(is_measured(&event.decode().unwrap(), sensor as u64));
                heard[sensor] += 1;
            }
        }
        drop(streams);
        closes(served).await;
    }

    #[tokio::test]
    async fn test_client_receive() {
        let served = Served::start();
        let client = served.client().await;
        let _on = streams(&served.router, "sensor_0", 0, 50);
        let mut stream = client.listen_remote("sensor_0/data").await.unwrap();
        for _ in 0..10 {
            let event = soon("an event", stream.recv()).await.unwrap().unwrap();
            assert!(is_measured(&event.decode().unwrap(), 0));
        }
        client.close(Duration::from_secs(5)).await;
        closes(served).await;
    }

    #[tokio::test]
    async fn test_live_add_remove_broadcast() {
        let served = Served::start();
        let client = served.client().await;
        let mut stream = client.listen_remote("sensor_0").await.unwrap();
        let on = streams(&served.router, "sensor_0", 0, 50);
        while soon("data", stream.recv()).await.unwrap().unwrap().name().as_str() != "data" {}
        on.store(false, Ordering::Relaxed);
        // What produced it has ended, and everybody is told.
        while soon("the end", stream.recv()).await.unwrap().unwrap().name().as_str() != "#disconnect" {}
        holds("it is gone", || Arc::strong_count(&on) == 1).await;
        client.close(Duration::from_secs(5)).await;
        closes(served).await;
    }
}

mod test_cache_vs_queue {
    use super::*;

    fn newest(topic: &str) -> Listen {
        Listen::to(topic).unwrap().policy(Policy::Latest)
    }

    /// A thousand a second, read after every twentieth: what is read is fresh, so that numbers go on as fast as they are sent.
    #[tokio::test]
    async fn test_caching_option() {
        const READS: u64 = 25;
        let served = Served::start();
        let client = served.client().await;
        let mut stream = client.listen_remote(newest("measurement/data")).await.unwrap();
        let sender = served.router.add_sender("measurement").event("data").connect().unwrap();
        let signal = sender.signal("data").unwrap();
        let mut tick = interval(Duration::from_millis(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut numbers = Vec::new();
        for n in 1..=20 * READS {
            tick.tick().await;
            signal.trigger(&n).await.unwrap();
            if n % 20 == 0 {
                let event = soon("an event", stream.recv()).await.unwrap().unwrap();
                numbers.push(event.number());
                assert!(stream.is_empty(), "one is kept");
            }
        }
        // One by one it would be 24 from the first to the last, and with each of them at once 480.
        let went_on = numbers[numbers.len() - 1] - numbers[0];
        assert!(went_on > 240, "{numbers:?}");
        assert!(stream.stats().skipped > 200, "{:?}", stream.stats());
    }

    #[tokio::test]
    async fn test_get_last_sent_value() {
        let served = Served::start();
        let client = served.client().await;
        let mut stream = client.listen_remote(newest("series_data/data")).await.unwrap();
        let mut queue = client.listen_remote("series_data/data").await.unwrap();
        let sender = served.router.add_sender("series_data").event("data").connect().unwrap();
        let signal = sender.signal("data").unwrap();
        for values in [[0_u64, 1, 2], [3, 4, 5]] {
            for value in values {
                signal.trigger(&value).await.unwrap();
            }
            // It hears after the other, so that all three have come to both.
            for value in values {
                let event = soon("each of them", queue.recv()).await.unwrap().unwrap();
                assert_eq!(event.decode::<u64>().unwrap(), value);
            }
            let event = soon("the last one", stream.recv()).await.unwrap().unwrap();
            assert_eq!(event.decode::<u64>().unwrap(), values[2]);
            assert!(stream.is_empty(), "there is no other");
        }
    }
}
