//! A map that is small while it holds little.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// At most so many entries stand in a list.
const FEW: usize = 8;

/// A map in the order of its keys, of which there are very many with one entry or a few.
///
/// These are lists without spare room, where a tree would make room for eleven entries with the first. More are in a tree.
#[derive(Debug, Clone)]
pub(crate) enum FewMap<K, V> {
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for FewMap<K, V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Ord, V> FewMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(tree) => tree.len(),
        }
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(list) => Some(&list[place(list, key).ok()?].1),
            Self::Many(tree) => tree.get(key),
        }
    }

    /// Puts a value in the place of the former one, which it gives.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let list = match self {
            Self::Few(list) => list,
            Self::Many(tree) => return tree.insert(key, value),
        };
        match place(list, &key) {
            Ok(at) => Some(std::mem::replace(&mut list[at].1, value)),
            Err(at) if list.len() < FEW => {
                if list.len() == list.capacity() {
                    list.reserve_exact(list.len().max(1));
                }
                list.insert(at, (key, value));
                None
            }
            Err(_) => {
                let mut tree: BTreeMap<_, _> = std::mem::take(list).into_iter().collect();
                tree.insert(key, value);
                *self = Self::Many(tree);
                None
            }
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(list) => {
                let (_, value) = list.remove(place(list, key).ok()?);
                if list.is_empty() {
                    *list = Vec::new();
                }
                Some(value)
            }
            Self::Many(tree) => {
                let removed = tree.remove(key);
                if tree.len() <= FEW / 2 {
                    *self = Self::Few(std::mem::take(tree).into_iter().collect());
                }
                removed
            }
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (list, tree) = match self {
            Self::Few(list) => (&list[..], None),
            Self::Many(tree) => (&[][..], Some(tree)),
        };
        let list = list.iter().map(|(key, value)| (key, value));
        list.chain(tree.into_iter().flatten())
    }

    /// Those that do not come before `first`, in order.
    pub(crate) fn iter_from<'a, Q: Ord + ?Sized>(&'a self, first: &Q) -> impl Iterator<Item = (&'a K, &'a V)>
    where
        K: Borrow<Q>,
    {
        let (list, tree) = match self {
            Self::Few(list) => (&list[place(list, first).unwrap_or_else(|at| at)..], None),
            Self::Many(tree) => (
                &[][..],
                Some(tree.range((std::ops::Bound::Included(first), std::ops::Bound::Unbounded))),
            ),
        };
        let list = list.iter().map(|(key, value)| (key, value));
        list.chain(tree.into_iter().flatten())
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

/// Where the key stands, or where it would.
fn place<K: Borrow<Q>, V, Q: Ord + ?Sized>(list: &[(K, V)], key: &Q) -> Result<usize, usize> {
    list.binary_search_by(|(other, _)| other.borrow().cmp(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_map_whether_it_holds_few_or_many() {
        let (mut ours, mut theirs) = (FewMap::default(), BTreeMap::new());
        let mut random = fastrand::Rng::with_seed(7);
        for step in 0..20_000 {
            // More and more of them, then fewer again, several times.
            let key = random.u32(..1 + (step / 100) % 40);
            if random.bool() {
                assert_eq!(ours.insert(key, step), theirs.insert(key, step));
            } else {
                assert_eq!(ours.remove(&key), theirs.remove(&key));
            }
            assert_eq!(ours.get(&key), theirs.get(&key));
            assert_eq!(ours.len(), theirs.len());
            assert!(ours.iter().eq(&theirs), "{ours:?} is not {theirs:?}");
            assert!(ours.iter_from(&key).eq(theirs.range(key..)));
        }
    }

    #[test]
    fn it_has_no_room_to_spare_for_one_and_none_when_it_is_empty() {
        let capacity = |map: &FewMap<u32, u32>| match map {
            FewMap::Few(list) => list.capacity(),
            FewMap::Many(_) => panic!("these are few"),
        };
        let mut map = FewMap::default();
        map.insert(1, 1);
        assert_eq!(capacity(&map), 1);
        (2..100).for_each(|key| assert_eq!(map.insert(key, key), None));
        (1..99).for_each(|key| assert_eq!(map.remove(&key), Some(key)));
        assert!(capacity(&map) <= FEW);
        map.remove(&99);
        assert_eq!(capacity(&map), 0);
    }
}
