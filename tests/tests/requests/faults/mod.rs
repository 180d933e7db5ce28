//! Faults of every sort, none of which keeps an asker waiting beyond its deadline.

mod asker;
mod callee;
mod foreign;
mod handler;
mod server;
mod virtual_time;

use std::time::{Duration, Instant};

use futures::future::{BoxFuture, Either, select};
use sig_core::RawJson;
use sig_router::{PendingRequest, RequestError};

/// How long the askers wait.
const DEADLINE: Duration = Duration::from_millis(300);

/// What a real clock may add.
const SLACK: Duration = Duration::from_millis(50);

/// How a request ended.
struct Ended {
    answer: Result<RawJson, RequestError>,
    /// How long after a bare timer of the same length, which a busy machine delays as well.
    beyond: Duration,
}

impl Ended {
    /// Looks whether it ended in time, and as it should.
    fn check(&self, fault: &str, wanted: impl Fn(&Result<RawJson, RequestError>) -> bool) {
        assert!(wanted(&self.answer), "{fault}: {:?}", self.answer);
        assert!(self.beyond <= SLACK, "{fault}: {:?} beyond the deadline", self.beyond);
    }
}

/// A fault happens, and this is how the request ended.
type Fault = BoxFuture<'static, ()>;

/// Asks with the deadline that they all have.
async fn ask(request: PendingRequest<'_>) -> Ended {
    ask_within(DEADLINE, request).await
}

/// Asks with this deadline.
async fn ask_within(timeout: Duration, request: PendingRequest<'_>) -> Ended {
    let due = Box::pin(tokio::time::sleep(timeout));
    match select(request.timeout(timeout).into_future(), due).await {
        Either::Left((answer, _)) => Ended {
            answer,
            beyond: Duration::ZERO,
        },
        Either::Right(((), asking)) => {
            let due = Instant::now();
            let answer = asking.await;
            Ended {
                answer,
                beyond: due.elapsed(),
            }
        }
    }
}

fn gone(answer: &Result<RawJson, RequestError>) -> bool {
    matches!(answer, Err(RequestError::SenderGone { sender }) if sender == "callee")
}

fn late(answer: &Result<RawJson, RequestError>) -> bool {
    matches!(answer, Err(RequestError::TimedOut { after }) if *after == DEADLINE)
}

fn offline(answer: &Result<RawJson, RequestError>) -> bool {
    matches!(answer, Err(RequestError::NotConnected))
}

fn too_large(answer: &Result<RawJson, RequestError>) -> bool {
    matches!(answer, Err(RequestError::Codec(text)) if text.contains("bytes"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promise_4_no_fault_keeps_an_asker_waiting_beyond_its_deadline() {
    let faults: Vec<Fault> = [
        asker::faults(),
        callee::faults(),
        foreign::faults(),
        handler::faults(),
        server::faults(),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(faults.len() >= 20, "{}", faults.len());
    // One after the other, since each takes the time.
    for fault in faults {
        fault.await;
    }
}
