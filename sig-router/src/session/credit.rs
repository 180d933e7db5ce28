//! How much a sender may put on a link: credits, counted in bytes from the beginning.

/// The receiving side of one sender: how much was taken, and how much more may come.
///
/// Totals are cumulative, so a grant that is repeated or overtaken does no harm.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    consumed: u64,
    granted: u64,
}

impl Window {
    /// A window of `size` bytes, at least 1, all of it granted.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            consumed: 0,
            granted: size.max(1),
        }
    }

    /// Whether something may come behind so many bytes: a peer that sends more does not keep to its credit.
    pub(crate) fn covers(&self, bytes: u64) -> bool {
        self.consumed.saturating_add(bytes) < self.granted
    }

    /// So many bytes were taken from the sender and dealt with.
    pub(crate) fn consumed(&mut self, bytes: u64) {
        self.consumed = self.consumed.saturating_add(bytes);
    }

    /// The total to announce now for a window of `size` bytes, which need not be the one before, if it is worth a message:
    /// the gate is open, and at least half of it was consumed since the last grant.
    pub(crate) fn grant(&mut self, size: u64, open: bool) -> Option<u64> {
        let size = size.max(1);
        let total = self.consumed.saturating_add(size);
        let more = total.saturating_sub(self.granted);
        if !open || more == 0 || more.saturating_mul(2) < size {
            return None;
        }
        self.granted = total;
        Some(total)
    }

    /// What was granted since the beginning.
    pub(crate) fn total(&self) -> u64 {
        self.granted
    }
}

/// The sending side of one sender: how much was spent of what was granted.
#[derive(Debug, Clone)]
pub(crate) struct Credit {
    granted: u64,
    spent: u64,
    /// What was lent and is neither spent nor free until it is given back.
    lent: u64,
}

impl Credit {
    /// Credit for `granted` bytes.
    pub(crate) fn new(granted: u64) -> Self {
        Self {
            granted,
            spent: 0,
            lent: 0,
        }
    }

    /// Lends everything that is left.
    pub(crate) fn lend(&mut self) -> u64 {
        self.lent = self.granted.saturating_sub(self.spent);
        self.lent
    }

    /// So much is left of what was lent; the rest was spent.
    pub(crate) fn give_back(&mut self, left: u64) {
        let spent = std::mem::take(&mut self.lent).saturating_sub(left);
        self.spent = self.spent.saturating_add(spent);
    }

    /// So many bytes were sent; `true` when the credit is exhausted now. A message that begins within the credit may go
    /// beyond it.
    pub(crate) fn spend(&mut self, bytes: u64) -> bool {
        self.spent = self.spent.saturating_add(bytes);
        !self.is_open()
    }

    /// The peer granted this total; a smaller one than before is ignored. `true` when the credit was exhausted and is
    /// not any more.
    pub(crate) fn granted(&mut self, total: u64) -> bool {
        let was_open = self.is_open();
        self.granted = self.granted.max(total);
        !was_open && self.is_open()
    }

    /// Whether a message may be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.spent < self.granted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_grant_waits_for_half_a_window_and_an_open_gate() {
        let mut window = Window::new(100);
        assert_eq!((window.grant(100, true), window.total()), (None, 100));
        window.consumed(49);
        assert_eq!(window.grant(100, true), None);
        window.consumed(1);
        assert_eq!(window.grant(100, false), None, "the gate is closed");
        assert_eq!(window.grant(100, true), Some(150));
        assert_eq!(window.grant(100, true), None, "granted already");
        window.consumed(200);
        assert_eq!((window.grant(100, true), window.total()), (Some(350), 350));
    }

    #[test]
    fn a_window_that_shrinks_takes_nothing_back_and_is_never_stuck() {
        let mut window = Window::new(100);
        window.consumed(50);
        assert_eq!(window.grant(10, true), None, "more was granted than that");
        window.consumed(45);
        assert_eq!(window.grant(10, true), Some(105));
        window.consumed(1);
        assert_eq!(window.grant(200, true), Some(296));
    }

    #[test]
    fn credit_is_spent_and_renewed() {
        let mut credit = Credit::new(10);
        assert!(!credit.spend(9));
        assert!(credit.is_open());
        assert!(credit.spend(50), "a single message may overshoot");
        assert!(!credit.granted(59), "still nothing left");
        assert!(credit.granted(60));
        assert!(!credit.granted(5), "going backwards is ignored");
        assert!(credit.is_open());
        assert!(!Credit::new(0).is_open());
    }

    #[test]
    fn what_was_lent_counts_as_spent_but_for_what_comes_back() {
        let mut credit = Credit::new(100);
        credit.spend(10);
        assert_eq!(credit.lend(), 90);
        assert!(!credit.granted(150), "it was never exhausted");
        credit.give_back(5);
        assert_eq!(credit.lend(), 55);
        credit.give_back(55);
        assert!(credit.is_open() && credit.spend(55));
        credit.give_back(0);
        assert!(!credit.is_open(), "nothing was lent any more");
    }

    #[test]
    fn the_largest_numbers_do_not_wrap() {
        let mut window = Window::new(u64::MAX);
        window.consumed(u64::MAX);
        assert_eq!((window.grant(u64::MAX, true), window.total()), (None, u64::MAX));
        let mut credit = Credit::new(u64::MAX);
        assert!(credit.spend(u64::MAX));
    }

    #[test]
    fn a_window_of_nothing_still_moves() {
        let mut window = Window::new(0);
        assert_eq!(window.total(), 1);
        window.consumed(7);
        assert_eq!(window.grant(0, true), Some(8));
    }

    proptest! {
        /// A sender, a link and a receiver whose gate opens and closes: never more under way than a window and one
        /// message, and everything arrives once the gate stays open.
        #[test]
        fn flow_is_bounded_and_never_stuck(
            size in 1u64..200,
            messages in prop::collection::vec(0u64..300, 1..60),
            steps in prop::collection::vec((0u8..4, any::<bool>()), 0..200),
        ) {
            let mut window = Window::new(size);
            let mut credit = Credit::new(window.total());
            let (mut unsent, mut flying) = (VecDeque::from(messages), VecDeque::new());
            let mut grants = VecDeque::new();
            let endless = (0..4000u32).map(|step| ((step % 4) as u8, true));
            for (step, open) in steps.into_iter().chain(endless) {
                match step {
                    0 if credit.is_open() => {
                        if let Some(message) = unsent.pop_front() {
                            let under_way: u64 = flying.iter().sum();
                            prop_assert!(under_way < size, "{under_way} under way in a window of {size}");
                            prop_assert_eq!(credit.spend(message), !credit.is_open());
                            flying.push_back(message);
                        }
                    }
                    1 => flying.pop_front().into_iter().for_each(|message| window.consumed(message)),
                    2 => grants.extend(window.grant(size, open)),
                    _ => {
                        if let Some(total) = grants.pop_front() {
                            credit.granted(total);
                        }
                    }
                }
            }
            prop_assert!(unsent.is_empty() && flying.is_empty(), "stuck: {unsent:?} {flying:?}");
        }
    }
}
