//! Topics that nobody sends at the moment: not an error, but worth saying.

use sig_core::Topic;
use sig_router::RemoteSenderInfo;
use sig_router::inspect::ROUTER;

use crate::connect::Link;

/// Most names that are listed.
const SHOWN: usize = 12;

/// What is to be said about the topics. To be asked before listening: a router lists what is listened to as well.
pub(crate) async fn hints(topics: &[Topic], link: &Link) -> Vec<String> {
    match link.client.list_remote_senders().await {
        Ok(senders) => topics.iter().filter_map(|topic| hint(topic, &senders)).collect(),
        Err(_) => Vec::new(),
    }
}

fn hint(topic: &Topic, senders: &[RemoteSenderInfo]) -> Option<String> {
    if topic.event_name().is_some_and(|event| event.as_str() == ROUTER) && topic.sender_name().is_none() {
        return Some(format!(
            "{ROUTER} is the channel of this name; what the router tells of itself is {ROUTER}/*"
        ));
    }
    // The router's own sender is there and is not listed.
    let name = topic.sender_name().filter(|name| !name.is_reserved())?;
    let here = senders.iter().filter(|info| info.connected);
    let Some(info) = here.clone().find(|info| info.name.as_ref() == Some(name)) else {
        let known = list("; there are: ", here.filter_map(|info| info.name.as_ref()));
        return Some(format!("no sender {name} is connected yet{known}"));
    };
    let event = topic.event_name().filter(|event| !event.is_presence())?;
    if info.events.iter().flatten().any(|known| known == event) {
        return None;
    }
    let known = list(
        "; it has: ",
        info.events.iter().flatten().filter(|known| !known.is_presence()),
    );
    Some(format!("sender {name} has no event {event}{known}"))
}

/// The names behind an introduction; nothing at all when there are none.
fn list<T: ToString>(introduction: &str, names: impl Iterator<Item = T>) -> String {
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    names.sort();
    let hidden = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    match (names.is_empty(), hidden) {
        (true, _) => String::new(),
        (false, 0) => format!("{introduction}{}", names.join(", ")),
        (false, hidden) => format!("{introduction}{} and {hidden} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_in_order_and_not_without_end() {
        assert_eq!(list(": ", ["b", "a"].into_iter()), ": a, b");
        assert_eq!(list(": ", std::iter::empty::<&str>()), "");
        assert!(list("", 0..100).ends_with(" and 88 more"));
    }
}
