//! Who listens to one event, resolved from the four groups in pysig's order (P3).

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::callback::Callback;
use super::group::{Group, Target};
use super::record::EventRecord;
use crate::outlet::{Outlet, Terms};

/// How often each of the four groups of an event has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions([u64; 4]);

impl Versions {
    fn of(event: &EventRecord) -> Self {
        Self(groups(event).map(version))
    }

    /// Whether nothing has changed since.
    #[inline]
    pub(super) fn are_of(&self, event: &EventRecord) -> bool {
        // One by one: it is quicker than to compare all four at once, which have just been put together for that.
        let Self([everything, broadcast, channel, specific]) = *self;
        event.everything.version() == everything
            && event.sender.broadcast.version() == broadcast
            && event.channel.as_deref().map_or(0, Group::version) == channel
            && event.specific.version() == specific
    }
}

/// Who listens to one event: router broadcast, sender broadcast, channel, specific; within a group, as they came.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(super) versions: Option<Versions>,
    /// Queues, each once and under the least restrictive terms: a client gets one copy however many of its listeners match.
    pub(crate) outlets: Vec<(Arc<dyn Outlet>, Terms)>,
    /// Functions, once for each registration (P5).
    pub(crate) callbacks: Vec<Arc<Callback>>,
}

/// Who listens to the events of one sender, for those who hold its lane: nothing is locked or counted.
#[derive(Debug, Default)]
pub(crate) struct Snapshots(FxHashMap<u32, Arc<Snapshot>>);

impl Snapshots {
    /// Who listens to the event now, resolved anew when a group has changed.
    pub(crate) fn of(&mut self, event: &EventRecord) -> &Arc<Snapshot> {
        let snapshot = self.0.entry(event.alias).or_insert_with(|| Arc::new(Snapshot::stale()));
        if !snapshot.is_current(event) {
            *snapshot = Arc::new(Snapshot::take(event));
        }
        snapshot
    }
}

fn groups(event: &EventRecord) -> [Option<&Group>; 4] {
    [
        Some(&*event.everything),
        Some(&event.sender.broadcast),
        event.channel.as_deref(),
        Some(&event.specific),
    ]
}

fn version(group: Option<&Group>) -> u64 {
    group.map_or(0, Group::version)
}

impl Snapshot {
    /// One that is never current.
    pub(crate) fn stale() -> Self {
        Self {
            versions: None,
            outlets: Vec::new(),
            callbacks: Vec::new(),
        }
    }

    pub(crate) fn is_current(&self, event: &EventRecord) -> bool {
        self.versions.is_some_and(|versions| versions.are_of(event))
    }

    pub(crate) fn take(event: &EventRecord) -> Self {
        // Versions first: a listener that comes in between makes the snapshot stale, not invisible.
        let versions = Some(Versions::of(event));
        Self {
            versions,
            ..Self::resolve(groups(event).into_iter().flatten())
        }
    }

    /// Who listens in this group alone, at this moment.
    pub(crate) fn of(group: &Group) -> Self {
        Self::resolve(std::iter::once(group))
    }

    fn resolve<'a>(groups: impl Iterator<Item = &'a Group>) -> Self {
        let mut snapshot = Self::stale();
        let mut seen = HashMap::new();
        for group in groups {
            group.for_each(|listener, target| match target {
                Target::Callback(callback) => snapshot.callbacks.push(Arc::clone(callback)),
                Target::Outlet(outlet, policy) => {
                    let index = *seen.entry(Arc::as_ptr(outlet).cast::<()>()).or_insert_with(|| {
                        let terms = Terms {
                            policy: *policy,
                            listener,
                        };
                        snapshot.outlets.push((Arc::clone(outlet), terms));
                        snapshot.outlets.len() - 1
                    });
                    // The least restrictive one counts.
                    let terms = &mut snapshot.outlets[index].1;
                    let both = terms.policy.or(*policy);
                    if both != terms.policy {
                        *terms = Terms { policy: both, listener };
                    }
                }
            });
        }
        snapshot
    }
}
