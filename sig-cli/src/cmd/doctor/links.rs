//! Links that fare badly: a serial port without a board, a board at another rate.

use sig_router::inspect::{LinkReport, LinkState, Verdict};

use super::Finding;

/// What is wrong with a link, if something is.
pub(super) fn finding(link: &LinkReport) -> Option<Finding> {
    let LinkReport { address, detail, .. } = link;
    let (code, what, fix) = match (link.state, link.verdict) {
        (LinkState::Live, Some(verdict)) => {
            let (what, fix) = heard(verdict);
            (verdict.as_str(), what, fix)
        }
        (LinkState::Absent, _) => (
            "link_absent",
            "nothing is there",
            "plug the board in (it is opened by itself), or see what is there: sig ports",
        ),
        (LinkState::Opening, _) if !detail.is_empty() => (
            "link_refused",
            "it cannot be opened",
            "do what the text says; it is tried again by itself",
        ),
        (LinkState::Lost, _) => (
            "link_lost",
            "the board is gone",
            "plug it in again (it is opened by itself), or see what is there: sig ports",
        ),
        _ => return None,
    };
    let detail = if detail.is_empty() {
        String::new()
    } else {
        format!(": {detail}")
    };
    Some(Finding {
        code,
        text: format!("{address}: {what}{detail}"),
        fix: fix.to_owned(),
    })
}

/// What a verdict means, and what to do.
fn heard(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::NothingReceived => (
            "nothing is received",
            "look whether the board has power and runs a program that sends, and whether its TX goes to RX here",
        ),
        Verdict::WrongBaud => (
            "what arrives looks like another baud rate",
            "write the rate of the board's program into the address, such as ?baud=9600",
        ),
        Verdict::TextMixedIn => (
            "text is mixed into what the board sends",
            "let nothing else on the board print to this port, or listen to its event log to see what it is",
        ),
        Verdict::PeerTooOld => (
            "the other end speaks a version that is too old",
            "bring the software at the other end up to date",
        ),
        _ => (
            "something is wrong with what arrives",
            "this command is older than the router: update it",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_state_and_verdict_is_told_with_what_to_do() {
        let report = |state| LinkReport::new("serial", "serial:COM3", state);
        let absent = finding(&report(LinkState::Absent).with_detail("there is no COM3")).unwrap();
        assert_eq!(
            (absent.code, &*absent.text),
            ("link_absent", "serial:COM3: nothing is there: there is no COM3")
        );
        assert!(absent.fix.contains("sig ports"));
        let busy = finding(&report(LinkState::Opening).with_detail("in use by screen (pid 7)")).unwrap();
        assert_eq!(busy.text, "serial:COM3: it cannot be opened: in use by screen (pid 7)");
        let lost = finding(&report(LinkState::Lost)).unwrap();
        assert_eq!(
            (lost.code, &*lost.text),
            ("link_lost", "serial:COM3: the board is gone")
        );
        for (verdict, code) in [
            (Verdict::NothingReceived, "nothing_received"),
            (Verdict::WrongBaud, "wrong_baud"),
            (Verdict::TextMixedIn, "text_mixed_in"),
            (Verdict::PeerTooOld, "peer_too_old"),
            (Verdict::Other, "other"),
        ] {
            let found = finding(&report(LinkState::Live).with_verdict(verdict)).unwrap();
            assert_eq!(found.code, code);
            assert!(!found.fix.is_empty());
        }
    }

    #[test]
    fn a_link_that_fares_well_is_no_finding() {
        for state in [LinkState::Live, LinkState::Opening] {
            assert_eq!(finding(&LinkReport::new("serial", "serial:COM3", state)), None);
        }
    }
}
