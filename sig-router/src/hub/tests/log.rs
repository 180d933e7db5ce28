//! What is reported, and by which names.

use std::fmt::{self, Write as _};
use std::panic;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata};

use super::{drain, router, sender, stream};
use crate::{Event, Signal};

/// Keeps every event of the log as one line, and triggers an event for it where there is a signal: a bridge.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>, Option<Signal>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        if let Some(signal) = &self.1 {
            signal.try_trigger(&line.0).unwrap();
        }
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Runs something and gives what it logged.
fn logged(run: impl FnOnce()) -> Vec<String> {
    logged_by(&Lines::default(), run)
}

fn logged_by(lines: &Lines, run: impl FnOnce()) -> Vec<String> {
    // A second subscriber: with a single one, tracing asks the thread that first meets a line of code whether anybody
    // wants it, and that may be one of another test.
    let _second = tracing::Dispatch::new(lines.clone());
    tracing::subscriber::with_default(lines.clone(), run);
    std::mem::take(&mut *lines.0.lock().unwrap())
}

#[test]
fn p32_a_router_at_work_says_nothing() {
    let (_hub, router) = router();
    let lines = logged(|| {
        let (_sender, signal) = sender(&router, "S");
        let _listener = router.add_listener("S/e", |_: &Event<'_>| {}).unwrap();
        signal.try_trigger(&()).unwrap();
    });
    assert_eq!(lines, [""; 0]);
}

#[test]
fn w11_a_panic_is_reported_with_its_event_its_listener_and_its_words() {
    let (_hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let _bad = router
        .add_listener("S/e", |_: &Event<'_>| panic::resume_unwind(Box::new("out of paper")))
        .unwrap();
    let place = format!("{}:{}", file!(), line!() - 2);
    let lines = logged(|| signal.try_trigger(&()).unwrap());
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    for part in ["ERROR", "sender=S", "event=e", &*place, "out of paper"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn w3_a_stuck_stream_is_reported_once_by_its_place() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let (_stuck, here) = (router.listen("*").unwrap(), line!());
    let _quick = stream(&hub, "S/e", Duration::ZERO);
    let lines = logged(|| (0..100).for_each(|_| signal.try_trigger(&()).unwrap()));
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.contains("WARN") && line.contains("loses events"), "{line}");
    assert!(line.contains("(4 waiting)"), "{line}");

    // The place is that of the program's own line.
    let shown = router.to_string();
    assert!(shown.contains(&format!("{}:{here}", file!())), "{shown}");
}

#[test]
fn who_reads_the_log_may_trigger_events_of_the_same_router() {
    let (hub, router) = router();
    let (_sender, signal) = sender(&router, "S");
    let mut stuck = stream(&hub, "S/e", Duration::ZERO);
    let _bad = router
        .add_listener("S/e", |event: &Event<'_>| {
            if event.number() == 1 {
                panic::resume_unwind(Box::new("once"));
            }
        })
        .unwrap();
    let bridge = Lines(Arc::default(), Some(signal.clone()));
    let lines = logged_by(&bridge, || (0..4).for_each(|_| signal.try_trigger(&()).unwrap()));
    // The panic is reported as the second event. The report of the full queue is lost, and the event that found it so.
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(drain(&mut stuck), [Ok(1), Ok(2), Ok(3), Ok(4), Err(2)]);
}
