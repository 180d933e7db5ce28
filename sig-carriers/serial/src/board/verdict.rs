//! What is wrong with a line, from what arrived on it.

use std::time::Duration;

use sig_core::Verdict;
use tokio::time::Instant;

/// How long a line may be silent, or say nothing that can be read, before that is worth a word.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Bytes that no text has come by themselves when a board starts; at the wrong rate they go on to come.
const GARBAGE_SPAN: Duration = Duration::from_secs(1);

/// The fewest bytes from which a rate is judged, and the fewest of which one must end a line.
const GARBAGE_BYTES: u64 = 16;
const ENDLESS_BYTES: u64 = 48;

/// Of so many bytes one must be none of a text.
const GARBAGE_SHARE: u64 = 5;

/// How long text between frames is worth a word.
const MIXED_FOR: Duration = Duration::from_secs(10);

/// So many broken documents are worth a word: one may be noise.
const BROKEN: u64 = 2;

/// What arrived on a line, as far as it says what is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    opened: Instant,
    bytes: u64,
    /// What came since the last valid document or frame.
    since: Since,
    valid: u64,
    framed: bool,
    /// Text between valid frames, and documents with text in them.
    mixed: u64,
    mixed_at: Option<Instant>,
    /// Why the peer cannot be talked to.
    old: Option<String>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Since {
    bytes: u64,
    /// When the first of them came, and the last.
    span: Option<(Instant, Instant)>,
    garbage: u64,
    garbage_span: Option<(Instant, Instant)>,
    texts: u64,
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
}

impl Evidence {
    /// Of a line that was opened now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            opened: now,
            bytes: 0,
            since: Since::default(),
            valid: 0,
            framed: false,
            mixed: 0,
            mixed_at: None,
            old: None,
        }
    }

    /// So many bytes came, and so many of them are in no text.
    pub(crate) fn bytes(&mut self, bytes: u64, garbage: u64, now: Instant) {
        self.bytes += bytes;
        self.since.bytes += bytes;
        self.since.garbage += garbage;
        if bytes > 0 {
            extend(&mut self.since.span, now);
        }
        if garbage > 0 {
            extend(&mut self.since.garbage_span, now);
        }
    }

    /// A document or a frame was right.
    pub(crate) fn valid(&mut self, framed: bool) {
        self.valid += 1;
        self.framed |= framed;
        self.since = Since::default();
        self.old = None;
    }

    /// A line of text came that is no document.
    pub(crate) fn text(&mut self, text: &[u8], now: Instant) {
        self.since.texts += 1;
        let is_readable = text
            .iter()
            .all(|byte| *byte >= b' ' || byte.is_ascii_whitespace() || *byte == 0x1b);
        let is_broken = text.contains(&b'{') && text.contains(&b'"');
        if self.valid > 0 && is_readable && (self.framed || is_broken) {
            self.mixed += 1;
            self.mixed_at = Some(now);
        }
    }

    /// The peer cannot be talked to, for this reason.
    pub(crate) fn old_peer(&mut self, why: impl Into<String>) {
        self.old = Some(why.into());
    }

    /// What is wrong now, if anything is. `baud` is the rate at which the line is sampled.
    pub(crate) fn judge(&self, baud: u32, now: Instant) -> Option<Finding> {
        let open_for = now.saturating_duration_since(self.opened);
        let finding = |verdict, detail: String| Some(Finding { verdict, detail });
        if let Some(why) = &self.old {
            return finding(
                Verdict::PeerTooOld,
                format!("{why}; bring the program of the device up to date"),
            );
        }
        if self.bytes == 0 && open_for >= PATIENCE {
            let detail = format!(
                "nothing arrived in {:.1} s; is the board powered and its program running, is TX wired to RX and ground to \
                 ground? A board that prints only when it is asked needs no change",
                open_for.as_secs_f32()
            );
            return finding(Verdict::NothingReceived, detail);
        }
        if self.since.is_garbage() || self.since.is_endless() {
            let what = if self.since.is_garbage() {
                format!(
                    "{} of the last {} bytes are none of a text",
                    self.since.garbage, self.since.bytes
                )
            } else {
                format!("the last {} bytes end no line", self.since.bytes)
            };
            let detail = format!(
                "{what}, and nothing could be read; the board probably runs at another rate than {baud} baud: set the option \
                 baud to the rate in its program (9600 and 115200 are usual)"
            );
            return finding(Verdict::WrongBaud, detail);
        }
        if self.valid == 0 && self.since.texts >= 3 && open_for >= PATIENCE {
            let detail = format!(
                "{} lines of text arrived and none of them is a document; print lines such as {{\"temp\": 21.5}} or 21.5,40",
                self.since.texts
            );
            return finding(Verdict::TextMixedIn, detail);
        }
        let is_recent = self
            .mixed_at
            .is_some_and(|at| now.saturating_duration_since(at) < MIXED_FOR);
        if is_recent && (self.framed || self.mixed >= BROKEN) {
            let detail = if self.framed {
                format!(
                    "{} lines of text stood between frames; what the device prints beside them is its log, and damages a \
                     frame that it falls into: print it where no frame is being sent, or not at all",
                    self.mixed
                )
            } else {
                format!(
                    "{} documents had something else in their line; print each by itself, with a line break before and after",
                    self.mixed
                )
            };
            return finding(Verdict::TextMixedIn, detail);
        }
        None
    }
}

impl Since {
    fn is_garbage(&self) -> bool {
        goes_on(self.garbage_span) && self.bytes >= GARBAGE_BYTES && self.garbage * GARBAGE_SHARE >= self.bytes
    }

    /// At half or twice the rate, letters become other letters, but the ends of lines are gone.
    fn is_endless(&self) -> bool {
        goes_on(self.span) && self.bytes >= ENDLESS_BYTES && self.texts == 0
    }
}

fn extend(span: &mut Option<(Instant, Instant)>, now: Instant) {
    span.get_or_insert((now, now)).1 = now;
}

fn goes_on(span: Option<(Instant, Instant)>) -> bool {
    span.is_some_and(|(from, to)| to.saturating_duration_since(from) >= GARBAGE_SPAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    /// What is found in the 3 seconds of a line on which the same arrives every 100 ms.
    fn found(mut arrive: impl FnMut(&mut Evidence, u32, Instant)) -> Option<Verdict> {
        let opened = Instant::now();
        let mut evidence = Evidence::new(opened);
        for step in 0..30 {
            let now = opened + STEP * step;
            arrive(&mut evidence, step, now);
        }
        evidence
            .judge(9600, opened + Duration::from_secs(3))
            .map(|finding| finding.verdict)
    }

    fn text(evidence: &mut Evidence, text: &str, now: Instant) {
        evidence.bytes(text.len() as u64, 0, now);
        evidence.text(text.as_bytes(), now);
    }

    fn document(evidence: &mut Evidence, framed: bool, now: Instant) {
        evidence.bytes(14, 0, now);
        evidence.valid(framed);
    }

    #[test]
    fn silence_is_told_after_a_while_and_until_something_comes() {
        assert_eq!(found(|_, _, _| {}), Some(Verdict::NothingReceived));
        let opened = Instant::now();
        let mut evidence = Evidence::new(opened);
        assert_eq!(evidence.judge(9600, opened + Duration::from_secs(2)), None);
        evidence.bytes(1, 0, opened);
        assert_eq!(evidence.judge(9600, opened + Duration::from_secs(9)), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_another_rate_if_they_go_on() {
        let garbage = |evidence: &mut Evidence, now| evidence.bytes(6, 4, now);
        assert_eq!(
            found(|evidence, _, now| garbage(evidence, now)),
            Some(Verdict::WrongBaud)
        );
        // A boot loader that has a rate of its own.
        assert_eq!(
            found(|evidence, step, now| if step < 5 {
                garbage(evidence, now)
            }),
            None
        );
        // Valid documents say more than what came before them.
        let mixed = |evidence: &mut Evidence, step: u32, now| match step % 7 {
            6 => document(evidence, false, now),
            _ => garbage(evidence, now),
        };
        assert_eq!(found(mixed), None);
    }

    #[test]
    fn two_seconds_of_boot_text_are_nothing_wrong() {
        let boot = |evidence: &mut Evidence, step, now| match step {
            ..20 => text(evidence, "rst:0x1 (POWERON_RESET),boot:0x13\n", now),
            _ => document(evidence, false, now),
        };
        assert_eq!(found(boot), None);
    }

    #[test]
    fn text_alone_or_between_frames_or_in_documents_is_told() {
        let only = |evidence: &mut Evidence, _, now| text(evidence, "temperature: 21.5 C", now);
        assert_eq!(found(only), Some(Verdict::TextMixedIn));
        let lines = |framed, line: &'static str| {
            move |evidence: &mut Evidence, step: u32, now| match step % 5 {
                4 => text(evidence, line, now),
                _ => document(evidence, framed, now),
            }
        };
        assert_eq!(found(lines(true, "hello")), Some(Verdict::TextMixedIn));
        assert_eq!(found(lines(false, "hello")), None, "that is the log");
        assert_eq!(found(lines(false, "hello{\"temp\":21.5}")), Some(Verdict::TextMixedIn));
        let once = |evidence: &mut Evidence, step: u32, now| match step {
            9 => text(evidence, "{\"temp\":2{\"temp\":21.5}", now),
            _ => document(evidence, false, now),
        };
        assert_eq!(found(once), None, "one is noise");
    }

    #[test]
    fn a_peer_that_is_too_old_is_told_until_it_says_something_else() {
        let opened = Instant::now();
        let mut evidence = Evidence::new(opened);
        evidence.old_peer("it speaks version 0");
        let finding = evidence.judge(9600, opened).unwrap();
        assert_eq!(finding.verdict, Verdict::PeerTooOld);
        assert!(
            finding.detail.starts_with("it speaks version 0; "),
            "{}",
            finding.detail
        );
        evidence.valid(true);
        assert_eq!(evidence.judge(9600, opened), None);
    }

    #[test]
    fn a_finding_says_what_to_do() {
        let opened = Instant::now();
        let mut evidence = Evidence::new(opened);
        evidence.bytes(40, 40, opened);
        evidence.bytes(2, 2, opened + Duration::from_secs(1));
        let finding = evidence.judge(9600, opened + Duration::from_secs(1)).unwrap();
        assert!(finding.detail.contains("42 of the last 42") && finding.detail.contains("than 9600 baud"));
    }
}
