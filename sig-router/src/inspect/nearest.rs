//! The name that was perhaps meant.

/// Longer names are not compared.
const LONGEST: usize = 64;

/// How many names of one sender's events are looked at.
pub(super) const MOST_OF_ONE: usize = 1000;

/// How many names are looked at for one answer in all.
const MOST: usize = 50_000;

/// Finds names that look alike, and does not look for ever.
#[derive(Debug)]
pub(super) struct Nearest {
    left: usize,
}

impl Nearest {
    pub(super) fn new() -> Self {
        Self { left: MOST }
    }

    /// The known name that is nearest to the one given, if any is near enough to have been meant.
    pub(super) fn to<'a>(&mut self, name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let length = name.chars().count();
        if length > LONGEST {
            return None;
        }
        // One slip of the finger in three letters, and another case, are near.
        let near = 1.max(length / 3);
        let folded = name.to_lowercase();
        let mut best: Option<(usize, &str)> = None;
        for candidate in known {
            self.left = match self.left.checked_sub(1) {
                Some(left) => left,
                None => break,
            };
            if candidate.chars().count().abs_diff(length) > near {
                continue;
            }
            let distance = strsim::osa_distance(&folded, &candidate.to_lowercase());
            // Of a short name everything else would be near.
            if distance <= near && distance < length && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
        Nearest::new().to(name, known.iter().copied())
    }

    #[test]
    fn slips_and_other_cases_are_found_and_other_names_are_not() {
        let known = ["timer", "thermometer", "log", "x"];
        assert_eq!(nearest("tmier", &known), Some("timer"));
        assert_eq!(nearest("Timer", &known), Some("timer"));
        assert_eq!(nearest("termometre", &known), Some("thermometer"));
        assert_eq!(nearest("logs", &known), Some("log"));
        assert_eq!(nearest("clock", &known), None);
        assert_eq!(nearest("y", &known), None);
        assert_eq!(nearest("timer", &[]), None);
    }

    #[test]
    fn it_does_not_look_for_ever() {
        let mut nearest = Nearest::new();
        let many = vec!["aaaaaa"; MOST];
        assert_eq!(nearest.to("bbbbbb", many.iter().copied()), None);
        assert_eq!(nearest.to("timers", std::iter::once("timer")), None);
    }
}
