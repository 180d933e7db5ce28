//! `run tcp|ipc [COUNT [SIZE]]`: broker, subscribers and publishers in one go, ours alone. For whoever changes the hot
//! path and wants a figure.

use std::collections::BTreeMap;

use sig_bench_party::{Args, row};

use crate::error::Failure;
use crate::systems::{self, Builder, Use};
use crate::works::Shape;

/// Runs it, with what was built before.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let name = format!("sig-{}", args.url);
    let mut systems = systems::all();
    let system = systems
        .iter_mut()
        .find(|system| system.name() == name)
        .ok_or_else(|| Failure::new(format!("`run tcp`, `run ipc` or `run local`, not `run {}`", args.url)))?;
    system.prepare(&Builder::new(false)?)?;
    let broker = system.broker(Use::Events)?;
    let shape = Shape {
        size: args.size,
        publishers: args.publishers,
        subscribers: args.subscribers,
        topics: args.topics,
        is_fan: false,
        rate: args.rate,
    };
    let figures = shape.run(system.as_ref(), &broker, args.seconds, args.count)?;
    row(&figures.into_iter().collect::<BTreeMap<_, _>>());
    Ok(())
}
