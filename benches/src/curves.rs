//! How cost grows: the first row of the table with one thing varied.

use std::io::{Write, stdout};
use std::time::Duration;

use crate::compare::{budget, measure, prepare, raise_limits, warn_of_load};
use crate::error::Failure;
use crate::options::Options;
use crate::results::{Results, show_curve, write_curves, write_document, write_json};
use crate::systems::{Broker, System, Use, all};
use crate::works::{Budget, Figures, Idle, Shape, Work};

/// What is varied, and what is looked at.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What is drawn.
    pub(crate) metric: &'static str,
    /// What else is in the table.
    pub(crate) more: &'static [&'static str],
    pub(crate) points: Vec<Point>,
}

/// One point of a curve.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) at: u64,
    name: String,
    shape: Shape,
    /// Clients that listen to something else.
    beside: u64,
}

const DELIVERIES: &str = "deliveries_per_s";

fn curve(
    name: &'static str,
    title: &'static str,
    more: &'static [&'static str],
    at: &[u64],
    point: impl Fn(u64) -> (Shape, u64),
) -> Curve {
    let point = |at: &u64| {
        let (shape, beside) = point(*at);
        Point {
            at: *at,
            name: format!("{name}-{at}"),
            shape,
            beside,
        }
    };
    Curve {
        name,
        title,
        metric: DELIVERIES,
        more,
        points: at.iter().map(point).collect(),
    }
}

fn curves() -> Vec<Curve> {
    const BROKER: &[&str] = &["broker_us_per_delivery"];
    // Powers of four.
    let sizes: Vec<u64> = (2..=13).map(|power| 1u64 << (2 * power)).collect();
    vec![
        curve(
            "size",
            "payload bytes, 1 -> 1",
            &["mb_per_s", "broker_us_per_delivery", "broker_peak_kib"],
            &sizes,
            |size| (Shape::of(size as usize), 0),
        ),
        curve(
            "subscribers",
            "subscribers (raw connections of one process), 64 B",
            BROKER,
            &[1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000],
            |count| (Shape::default().fan(count), 0),
        ),
        curve(
            "publishers",
            "publishers (connections of one process), 64 B",
            BROKER,
            &[1, 2, 5, 10, 20, 50, 100],
            |count| (Shape::default().from(count), 0),
        ),
        curve(
            "topics",
            "topics of one publisher, heard by one subscriber, 64 B",
            &["broker_us_per_delivery", "broker_peak_kib"],
            &[1, 10, 100, 1000, 10_000, 100_000],
            |topics| {
                let shape = Shape {
                    topics,
                    ..Shape::default()
                };
                (shape, 0)
            },
        ),
        curve(
            "connections",
            "idle clients beside one publisher and one subscriber, 64 B",
            &["broker_us_per_delivery", "kib_per_client", "connect_s"],
            &[1, 10, 100, 1000, 10_000],
            |count| (Shape::default(), count),
        ),
    ]
}

/// What a system refuses by default, or cannot do in this way.
fn is_beyond(system: &dyn System, point: &Point) -> bool {
    const MIB: usize = 1 << 20;
    let largest = match system.name() {
        "sig-zmq" => 16 * MIB - 1024,
        // Of a whole message, with the frame before the payload.
        "forward" | "zmq-omq" | "forward-omq" => 64 * MIB - 1024,
        "nats" => MIB,
        _ => usize::MAX,
    };
    let has_no_topics = ["zmq", "ideal", "ideal-ipc", "socket"].contains(&system.name());
    // They take minutes for it.
    let is_slow = ["pysig", "mosquitto"].contains(&system.name());
    point.shape.size > largest || is_slow || (point.shape.topics > 1 && has_no_topics)
}

impl Work for Point {
    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.name
    }

    fn metric(&self) -> (&'static str, bool) {
        (DELIVERIES, true)
    }

    fn suits(&self, system: &dyn System) -> bool {
        let has_idle = self.beside == 0 || system.has("idle");
        self.shape.suits(system) && has_idle && !is_beyond(system, self)
    }

    fn needs(&self) -> Use {
        // With what surrounds them they are over a limit of 16 MiB.
        match self.shape.size {
            ..0x00ff_0000 => Use::Events,
            _ => Use::LargeEvents,
        }
    }

    fn run(&self, system: &dyn System, broker: &Broker, budget: Budget, _: &Results) -> Result<Figures, Failure> {
        let (idle, mut figures) = match self.beside {
            0 => (None, Vec::new()),
            clients => {
                let (idle, figures) = Idle::connect(system, broker, clients)?;
                (Some(idle), figures)
            }
        };
        figures.extend(self.shape.run_for(system, broker, budget.seconds)?);
        drop(idle);
        Ok(figures)
    }
}

/// Measures the curves that are wanted, and prints them.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let curves: Vec<_> = curves()
        .into_iter()
        .filter(|curve| Options::wants(&options.work, curve.name))
        .collect();
    let mut systems: Vec<_> = all()
        .into_iter()
        .filter(|system| Options::wants(&options.system, system.name()))
        .filter(|system| !options.system.is_empty() || !["sig-local", "ideal-ipc"].contains(&system.name()))
        .collect();
    raise_limits()?;
    prepare(&mut systems, options)?;
    warn_of_load();
    let budget = budget(options, 3);
    let mut results = Results::default();
    let mut out = stdout().lock();
    let mut tables = String::new();
    for curve in &curves {
        for point in &curve.points {
            measure(point, &systems, budget, &mut results);
            // What was left to the kernel by thousands of connections is not the next one's.
            std::thread::sleep(Duration::from_millis(100));
        }
        let table = show_curve(&results, curve);
        writeln!(out, "{table}")?;
        tables.push_str(&table);
    }
    if let Some(file) = &options.json {
        write_json(&results, file)?;
    }
    if let Some(file) = &options.plot {
        write_curves(&results, &curves, file)?;
    }
    if let Some(file) = &options.markdown {
        write_document(file, "curves", &tables)?;
    }
    results.verdict()
}
