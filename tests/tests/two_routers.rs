//! One server and its clients, over every carrier.

use std::sync::Arc;
use std::time::Duration;

use sig_router::{ClientRouter, Event, Request, ServerRouter};
use tokio::sync::mpsc;

const WAIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn trio_over_tcp() {
    let server = ServerRouter::new().unwrap();
    let carrier = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = carrier.medium().local_addr().to_string();
    server.attach(Arc::new(carrier));
    let timer = server
        .add_sender("timer")
        .event("tic")
        .request("double", |request: Request| Ok(request.params::<i64>()? * 2))
        .connect()
        .unwrap();

    let connect = || ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address).unwrap())).unwrap();
    let (publisher, listener) = (connect(), connect());
    publisher.ready(WAIT).await.unwrap();
    let another = publisher
        .add_remote_sender("another_timer")
        .event("tic")
        .request("triple", |request: Request| Ok(request.params::<i64>()? * 3))
        .connect()
        .await
        .unwrap();
    let (heard, mut hears) = mpsc::channel(1000);
    let _listening = listener
        .add_remote_listener("*", move |event: &Event<'_>| {
            let line = format!("{}/{} {:?}", event.sender(), event.name(), event.decode::<i32>().ok());
            heard.try_send(line).unwrap();
        })
        .await
        .unwrap();
    timer.signal("tic").unwrap().trigger(&1).await.unwrap();
    assert_eq!(hears.recv().await.unwrap(), "timer/tic Some(1)");
    another.signal("tic").unwrap().trigger(&2).await.unwrap();
    assert_eq!(hears.recv().await.unwrap(), "another_timer/tic Some(2)");

    let answer = listener.remote_request("timer", "double", &21).await.unwrap();
    assert_eq!(answer.parse::<i64>().unwrap(), 42);
    let answer = listener.remote_request("another_timer", "triple", &14).await.unwrap();
    assert_eq!(answer.parse::<i64>().unwrap(), 42);
    let answer = server.request("another_timer", "triple", &14).await.unwrap();
    assert_eq!(answer.parse::<i64>().unwrap(), 42);

    another.remove().await;
    assert_eq!(hears.recv().await.unwrap(), "another_timer/#disconnect None");
    assert_eq!(listener.close(WAIT).await.aborted, 0);
    assert_eq!(publisher.close(WAIT).await.aborted, 0);
    assert_eq!(server.close(WAIT).await.aborted, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_events_arrive_in_order_over_tcp() {
    const COUNT: u64 = 200_000;
    let server = ServerRouter::new().unwrap();
    let carrier = sig_carrier_tcp::listen("127.0.0.1:0").unwrap();
    let address = carrier.medium().local_addr().to_string();
    server.attach(Arc::new(carrier));
    let connect = || ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address).unwrap())).unwrap();
    let (publisher, listener) = (connect(), connect());
    let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut stream = listener.listen_remote("s/e").await.unwrap();
    let began = std::time::Instant::now();
    let triggering = async {
        let signal = sender.signal("e").unwrap();
        for n in 0..COUNT {
            signal.trigger(&n).await.unwrap();
        }
    };
    let receiving = async {
        for n in 0..COUNT {
            let event = stream.recv().await.unwrap().unwrap();
            assert_eq!((event.number(), event.decode::<u64>().unwrap()), (n + 1, n));
        }
    };
    tokio::join!(triggering, receiving);
    println!("{} events/s", COUNT as f64 / began.elapsed().as_secs_f64());
}
