//! Aliases, when they run out.

use futures::StreamExt as _;

use super::*;
use crate::AddSenderError;

/// A router that has so many aliases left.
fn with_aliases_left(left: u32) -> (Arc<Hub>, Router) {
    let (hub, router) = router();
    hub.registry.lock().last_alias = u32::MAX - left;
    (hub, router)
}

#[test]
fn promise_10_a_sender_is_refused_when_no_alias_is_left() {
    let (hub, router) = with_aliases_left(5);
    // One event, and presence.
    let (first, signal) = sender(&router, "first");
    let refused = router.add_sender("second").event("e").connect();
    assert!(matches!(refused, Err(AddSenderError::NoAliases)), "{refused:?}");
    assert!(hub.sender("second").is_none(), "nothing is left behind");
    assert_eq!(hub.registry.lock().last_alias, u32::MAX - 2);
    signal.try_trigger(&1).unwrap();
    drop(first);
}

#[test]
fn promise_10_listening_goes_on_without_aliases_and_hears_who_has_them() {
    let (_hub, router) = with_aliases_left(3);
    let (first, signal) = sender(&router, "first");
    let mut events = router.listen("first/e").unwrap();
    let mut nothing: Vec<_> = (0..10)
        .map(|n| router.listen(("ghost", &*format!("e{n}"))).unwrap())
        .collect();
    signal.try_trigger(&1).unwrap();
    let event = events.next().now_or_never().unwrap().unwrap().unwrap();
    assert_eq!(event.decode::<i32>().unwrap(), 1);
    assert!(nothing.iter_mut().all(|stream| stream.next().now_or_never().is_none()));
    let refused = router.add_sender("ghost").event("e1").connect();
    assert!(matches!(refused, Err(AddSenderError::NoAliases)), "{refused:?}");
    // What has its aliases may come back.
    drop(first);
    sender(&router, "first");
}
