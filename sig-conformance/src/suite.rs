//! Running cases as tests.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::cases::{Case, case};
use crate::{Broken, Finding, Fixture, Outcome, Verdict};

/// Longest time that a case may take; it usually takes far less than a second.
const LIMIT: Duration = Duration::from_secs(90);

/// How much later a case is given up whose thread does not react any more.
const BLOCKED: Duration = Duration::from_secs(5);

/// Makes one `#[test]` of each case, for the carriers of a fixture.
///
/// The expression makes a [`Fixture`](crate::Fixture); each case runs with a new one, first on a runtime of one thread
/// and then on one of two. The tests have the names of the functions in [`cases`](crate::cases).
///
/// ```
/// # use std::sync::Arc;
/// # use sig_conformance::Fixture;
/// # use sig_core::Carrier;
/// #[derive(Default)]
/// struct Radio;
///
/// impl Fixture for Radio {
///     type Address = String;
///     fn listener(&self) -> (Arc<dyn Carrier>, String) {
///         todo!("a carrier that listens, and where")
///     }
///     fn dialler(&self, address: &String) -> Arc<dyn Carrier> {
///         todo!("a carrier that connects to {address}")
///     }
/// }
///
/// sig_conformance::carrier_suite!(Radio::default());
/// ```
#[macro_export]
macro_rules! carrier_suite {
    ($fixture:expr) => {
        $crate::__each_case! { __case_test, $fixture }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __case_test {
    ($name:ident, $fixture:expr) => {
        #[test]
        fn $name() {
            $crate::run(stringify!($name), || $fixture);
        }
    };
}

/// Runs the case with this name on runtimes of its own: on one thread, then on two.
///
/// # Errors
///
/// When the carrier does not keep the promise, or does not end.
///
/// # Panics
///
/// When there is no such case, or the fixture panics.
pub fn check<F: Fixture>(name: &str, fixture: impl Fn() -> F + Send + Sync) -> Verdict {
    let case = case::<F>(name);
    let case = case.unwrap_or_else(|| panic!("there is no case {name}; see sig_conformance::cases for their names"));
    let mut outcome = Outcome::Kept;
    for threads in [1, 2] {
        outcome = on_a_thread(&case, &fixture, threads)?;
    }
    Ok(outcome)
}

/// One case, on a thread that can be given up.
fn on_a_thread<F: Fixture>(case: &Case<F>, fixture: &(impl Fn() -> F + Send + Sync), threads: usize) -> Verdict {
    let (run, fixture) = (case.run, fixture());
    let (done, verdict) = mpsc::sync_channel(1);
    let thread = thread::spawn(move || {
        let runtime = runtime(threads);
        let entered = runtime.enter();
        let verdict = runtime.block_on(async { timeout(LIMIT, run(&fixture)).await });
        drop((fixture, entered));
        let _ = done.send(verdict);
        runtime.shutdown_timeout(BLOCKED);
    });
    let stuck = |finding: &str| {
        Err(Broken {
            case: case.name,
            promise: case.promise,
            finding: Finding::new(finding),
        })
    };
    match verdict.recv_timeout(LIMIT + BLOCKED) {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) => stuck("it did not come to an end: something waits for ever"),
        Err(mpsc::RecvTimeoutError::Timeout) => stuck("a thread is blocked for ever, so that nothing else can run"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => stuck("the case ended without a verdict"),
        },
    }
}

fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().expect("a runtime can be built")
}

/// [`check`] for tests: panics with the finding, and says when a case does not apply.
#[track_caller]
pub fn run<F: Fixture>(name: &str, fixture: impl Fn() -> F + Send + Sync) {
    match check(name, fixture) {
        Ok(Outcome::Kept) => {}
        Ok(Outcome::NotApplicable(why)) => println!("{name} is not applicable: {why}"),
        Err(broken) => panic!("{broken}"),
    }
}
