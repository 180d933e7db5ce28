//! Where processes run.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::Failure;

/// While this lives, what this thread starts runs on one core: the first one that it may use.
#[derive(Debug)]
pub(crate) struct Pinned {
    before: CpuSet,
}

impl Pinned {
    pub(crate) fn to_one_core() -> Result<Self, Failure> {
        let before = sched_getaffinity(None)?;
        let core = (0..CpuSet::MAX_CPU).find(|core| before.is_set(*core)).unwrap_or(0);
        let mut one = CpuSet::new();
        one.set(core);
        sched_setaffinity(None, &one)?;
        Ok(Self { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.before);
    }
}
