//! The topology as text, in the manner of pysig's `repr` (P31).

use std::fmt;

use super::Hub;
use super::group::{Group, Target};

fn write_group(f: &mut fmt::Formatter<'_>, name: &str, group: &Group) -> fmt::Result {
    writeln!(f, "-|  {name}")?;
    let mut lines = Vec::new();
    group.for_each(|_, target| {
        lines.push(match target {
            Target::Callback(callback) => callback.to_string(),
            Target::Outlet(outlet, _) => format!("{outlet:?}"),
        });
    });
    lines.iter().try_for_each(|line| writeln!(f, "-|--> {line}"))
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = self.registry.lock();
        let mut senders: Vec<_> = registry.senders.values().cloned().collect();
        let mut channels: Vec<_> = registry
            .channels
            .iter()
            .map(|(name, group)| (name.clone(), group.clone()))
            .collect();
        drop(registry);
        // The router's own sender is shown where everything is asked for.
        senders.retain(|sender| f.alternate() || !sender.name.is_reserved());
        senders.sort_by(|a, b| a.name.cmp(&b.name));
        channels.sort_by(|(a, _), (b, _)| a.cmp(b));

        writeln!(f, "[*] (connected)")?;
        write_group(f, "*", &self.everything)?;
        for (name, group) in channels {
            write_group(f, name.as_str(), &group)?;
        }
        for sender in senders {
            let state = if sender.is_connected() {
                "connected"
            } else {
                "not connected"
            };
            writeln!(f, "[{}] ({state})", sender.name)?;
            write_group(f, "*", &sender.broadcast)?;
            let events: Vec<_> = sender.events.lock().values().cloned().collect();
            for event in events {
                write_group(f, event.name().as_str(), &event.specific)?;
            }
        }
        Ok(())
    }
}
