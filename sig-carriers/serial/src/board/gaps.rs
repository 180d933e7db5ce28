//! Which of a board's documents did not arrive.

/// Counts what is missing between the numbers of a board's documents, which count from 0 and begin anew with the board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// The number of the next document, once one came.
    next: Option<u32>,
    missing: u64,
}

impl Gaps {
    /// A document with this number came: how many are missing right before it.
    ///
    /// What was lost before the first one is not known, and neither is what a board that started again had still to say.
    pub(crate) fn take(&mut self, number: u32) -> u64 {
        let ahead = self.next.map_or(0, |next| number.wrapping_sub(next));
        self.next = Some(number.wrapping_add(1));
        // It does not lose half of all numbers at once: then it counts anew.
        let missing = if ahead < u32::MAX / 2 { u64::from(ahead) } else { 0 };
        self.missing += missing;
        missing
    }

    /// The board says who it is, as the first thing it ever said: it has just begun.
    pub(crate) fn restart(&mut self) {
        self.next = None;
    }

    /// How many are missing in all.
    pub(crate) fn missing(self) -> u64 {
        self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_between_two_is_counted_also_where_the_numbers_end() {
        let mut gaps = Gaps::default();
        let numbers = [u32::MAX - 3, u32::MAX - 2, u32::MAX, 0, 4, 5];
        let missing = numbers.map(|number| gaps.take(number));
        assert_eq!(missing, [0, 0, 1, 0, 3, 0]);
        assert_eq!(gaps.missing(), 4);
    }

    #[test]
    fn a_board_that_starts_again_has_lost_nothing() {
        let mut gaps = Gaps::default();
        let missing = [1000, 0, 1, 3, 3].map(|number| gaps.take(number));
        assert_eq!(missing, [0, 0, 0, 1, 0]);
    }
}
