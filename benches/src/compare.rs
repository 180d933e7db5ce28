//! Runs everything side by side.

use std::io::{Write, stderr, stdout};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::options::Options;
use crate::process::{Pinned, busy_seconds};
use crate::results::{Results, show_musts, show_summary, show_table, write_document, write_json, write_plot};
use crate::systems::{self, Broker, Builder, System};
use crate::works::{self, Budget, Work};

/// More than this share of a core used by others is worth a warning.
const QUIET: f64 = 0.1;

/// A turn that takes longer is worth a word, so that nobody wonders.
const LONG: Duration = Duration::from_secs(10);

/// Measures what is wanted, and prints it.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let works: Vec<_> = works::all()
        .into_iter()
        .filter(|work| Options::wants(&options.work, work.name()))
        .collect();
    let mut systems: Vec<_> = systems::all()
        .into_iter()
        .filter(|system| Options::wants(&options.system, system.name()))
        .collect();
    if options.list {
        return list(&works, &systems);
    }
    raise_limits()?;
    prepare(&mut systems, options)?;
    warn_of_load();
    let budget = budget(options, 5);
    let began = Instant::now();
    let mut results = Results::default();
    for work in &works {
        measure(work.as_ref(), &systems, budget, &mut results);
        // At once: whoever interrupts it has what was measured so far.
        writeln!(stdout(), "{}", show_table(&results, work.as_ref()))?;
    }
    finish(&results, &works, options, began.elapsed())
}

/// As told, or what is usual.
pub(crate) fn budget(options: &Options, rounds: usize) -> Budget {
    Budget {
        rounds: options
            .rounds
            .map_or(if options.quick { 2 } else { rounds }, usize::from),
        seconds: options.seconds.unwrap_or(if options.quick { 0.3 } else { 1.0 }),
        quick: options.quick,
    }
}

fn list(works: &[Box<dyn Work>], systems: &[Box<dyn System>]) -> Result<(), Failure> {
    let mut out = stdout().lock();
    for work in works {
        writeln!(out, "work    {:<16} {}", work.name(), work.title())?;
    }
    for system in systems {
        writeln!(out, "system  {:<16} {:?}", system.name(), system.side())?;
    }
    Ok(())
}

/// Builds what is needed; leaves out what is not there, and says so.
pub(crate) fn prepare(systems: &mut Vec<Box<dyn System>>, options: &Options) -> Result<(), Failure> {
    let builder = Builder::new(!options.no_build)?;
    say("building what was not built yet");
    systems.retain_mut(|system| match system.prepare(&builder) {
        Ok(()) => true,
        Err(failure) => {
            say(&format!("without {}: {failure}", system.name()));
            false
        }
    });
    if systems.is_empty() {
        return Err(Failure::new("nothing is left to measure"));
    }
    Ok(())
}

/// One work with all systems: the brokers beside each other, the turns in another order each round.
pub(crate) fn measure(work: &dyn Work, systems: &[Box<dyn System>], budget: Budget, results: &mut Results) {
    let began = Instant::now();
    let mut running = Vec::new();
    let wanted = |system: &dyn System| work.suits(system) && (!budget.quick || work.is_quick(system));
    for system in systems.iter().filter(|system| wanted(system.as_ref())) {
        match pinned(work, || system.broker(work.needs())) {
            Ok(broker) => running.push((system.as_ref(), broker)),
            Err(failure) => failed(results, work, system.as_ref(), &failure),
        }
    }
    for round in 0..work.rounds(budget) {
        let count = running.len().max(1);
        running.rotate_left(usize::from(round > 0) % count);
        running.retain(|(system, broker): &(&dyn System, Broker)| {
            let turn = Instant::now();
            let run = pinned(work, || work.run(*system, broker, budget, results));
            let took = turn.elapsed();
            if took > LONG {
                say(&format!(
                    "{}: the turn of {} took {:.0} s",
                    work.name(),
                    system.name(),
                    took.as_secs_f64()
                ));
            }
            match run {
                Ok(figures) => {
                    results.add(work.name(), system.name(), system.side(), &figures);
                    true
                }
                Err(failure) => {
                    failed(results, work, *system, &failure);
                    false
                }
            }
        });
    }
    say(&format!("{:<16} {:5.1} s", work.name(), began.elapsed().as_secs_f64()));
}

fn pinned<T>(work: &dyn Work, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let _pinned = if work.is_pinned() {
        Some(Pinned::to_one_core()?)
    } else {
        None
    };
    run()
}

fn failed(results: &mut Results, work: &dyn Work, system: &dyn System, failure: &Failure) {
    say(&format!("{} of {}: {failure}", work.name(), system.name()));
    results
        .failures
        .push((work.name().to_owned(), system.name(), failure.to_string()));
}

/// Prints the tables and writes the files. A failure is one, but only now.
fn finish(results: &Results, works: &[Box<dyn Work>], options: &Options, took: Duration) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let (summary, musts) = (show_summary(results), show_musts(results));
    writeln!(out, "{summary}\n{musts}")?;
    out.flush()?;
    if let Some(file) = &options.json {
        write_json(results, file)?;
    }
    if let Some(file) = &options.plot {
        write_plot(results, works, file)?;
    }
    if let Some(file) = &options.markdown {
        write_document(file, "table", &format!("{summary}\n{musts}"))?;
    }
    say(&format!("measured in {:.0} s", took.as_secs_f64()));
    results.verdict()
}

/// Ten thousand connections need as many file descriptors, twice.
pub(crate) fn raise_limits() -> Result<(), Failure> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

pub(crate) fn warn_of_load() {
    let before = busy_seconds();
    let window = Duration::from_millis(500);
    thread::sleep(window);
    let share = busy_seconds()
        .zip(before)
        .map_or(0.0, |(after, before)| (after - before) / window.as_secs_f64());
    if share > QUIET {
        say(&format!(
            "others use {:.0} % of a core: trust only ratios",
            share * 100.0
        ));
    }
}

/// Progress, beside the tables.
fn say(text: &str) {
    let _ = writeln!(stderr(), "sig-bench: {text}");
}
