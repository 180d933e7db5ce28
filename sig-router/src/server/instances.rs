//! Which client is whose newest link: a program that comes back takes over from its former link.

use std::hash::RandomState;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use sig_core::ClientId;

use crate::session::Secret;

/// The newest link of each program, by its instance.
///
/// The instances themselves stay with the clients. Here they are hashed with a key of this router's own, so that neither
/// how long a search takes nor which entries collide says anything about them.
#[derive(Debug, Default)]
pub(super) struct Instances {
    newest: DashMap<u64, ClientId>,
    key: RandomState,
}

impl Instances {
    /// This is the newest link of the instance. Gives the one before, if it is there still: whoever asked compares the
    /// secrets.
    pub(super) fn enter(&self, instance: &Secret, id: ClientId) -> Option<ClientId> {
        self.newest.insert(instance.hash_one(&self.key), id)
    }

    /// The newest link of the instance, as far as it is known.
    pub(super) fn newest(&self, instance: &Secret) -> Option<ClientId> {
        self.newest.get(&instance.hash_one(&self.key)).map(|id| *id)
    }

    /// This link of the instance is gone; a newer one stays.
    pub(super) fn leave(&self, instance: &Secret, id: ClientId) {
        if let Entry::Occupied(entry) = self.newest.entry(instance.hash_one(&self.key)) {
            if *entry.get() == id {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_former_link_that_leaves_late_does_not_take_the_newest_along() {
        let (instances, secret) = (Instances::default(), Secret::from_text("a"));
        let (former, newest) = (ClientId::next(), ClientId::next());
        assert_eq!(instances.enter(&secret, former), None);
        assert_eq!(instances.enter(&secret, newest), Some(former));
        instances.leave(&secret, former);
        assert_eq!(instances.newest(&secret), Some(newest));
        instances.leave(&secret, newest);
        assert_eq!(instances.newest(&secret), None);
        assert!(instances.newest.is_empty());
    }

    #[test]
    fn instances_do_not_know_each_other() {
        let instances = Instances::default();
        let (a, b) = (Secret::from_text("a"), Secret::from_text("b"));
        let (one, two) = (ClientId::next(), ClientId::next());
        assert_eq!(instances.enter(&a, one), None);
        assert_eq!(instances.enter(&b, two), None);
        assert_eq!((instances.newest(&a), instances.newest(&b)), (Some(one), Some(two)));
    }
}
