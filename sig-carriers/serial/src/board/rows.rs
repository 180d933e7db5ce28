//! Lines of numbers from a board of which nothing else is known yet.

use sig_core::{EventName, Payload};

type Events = Vec<(EventName, Payload)>;

/// Decides when numbers are what a board has to say.
///
/// Any text may hold a line that is only a number, and the first line after opening may be the end of one. So numbers count
/// from the second line on that has as many as the one before, unless something else showed that the board is there.
#[derive(Debug, Default)]
pub(super) struct Rows {
    trusted: bool,
    /// How many numbers the last line had, if it was one of numbers.
    width: Option<usize>,
    held: Option<Events>,
    /// Something came before.
    begun: bool,
}

impl Rows {
    /// Takes every line of numbers from here on.
    pub(super) fn trust(&mut self) {
        *self = Self {
            trusted: true,
            ..Self::default()
        };
    }

    /// Something else came that is no document.
    pub(super) fn interrupt(&mut self) {
        self.begun = true;
        self.width = None;
        self.held = None;
    }

    /// A line of so many numbers came: what is to be told now, one after the other.
    pub(super) fn take(&mut self, width: usize, events: Events) -> Vec<Events> {
        if self.trusted {
            return vec![events];
        }
        let is_first = !std::mem::replace(&mut self.begun, true);
        if self.width.replace(width) == Some(width) {
            let held = self.held.take();
            self.trust();
            return held.into_iter().chain([events]).collect();
        }
        self.held = (!is_first).then_some(events);
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(rows: &mut Rows, numbers: &str) -> usize {
        let events = vec![(
            EventName::new("values").unwrap(),
            Payload::from_json_text(numbers.to_owned()),
        )];
        rows.take(numbers.split(',').count(), events).len()
    }

    #[test]
    fn two_lines_of_the_same_form_are_wanted_and_the_first_of_all_may_be_cut_off() {
        let mut rows = Rows::default();
        assert_eq!(
            [
                take(&mut rows, "1.5,40"),
                take(&mut rows, "21.5,40"),
                take(&mut rows, "7")
            ],
            [0, 1, 1]
        );

        let mut rows = Rows::default();
        rows.interrupt();
        assert_eq!(
            [
                take(&mut rows, "115200"),
                take(&mut rows, "1,2"),
                take(&mut rows, "3,4")
            ],
            [0, 0, 2]
        );
    }

    #[test]
    fn text_in_between_begins_anew() {
        let mut rows = Rows::default();
        rows.interrupt();
        assert_eq!(take(&mut rows, "1"), 0);
        rows.interrupt();
        assert_eq!(take(&mut rows, "2"), 0);
        assert_eq!(take(&mut rows, "3"), 2);
    }

    #[test]
    fn nothing_is_held_once_the_board_is_known() {
        let mut rows = Rows::default();
        rows.trust();
        assert_eq!(take(&mut rows, "1"), 1);
        rows.interrupt();
        assert_eq!(take(&mut rows, "1,2"), 1);
    }
}
