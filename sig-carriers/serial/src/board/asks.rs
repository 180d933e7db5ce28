//! Requests to a board: one at a time, said again until it answers.

use std::collections::VecDeque;
use std::time::Duration;

use sig_core::{Failure, MessageId, Outcome, RawJson, Reply};
use tokio::time::Instant;

use super::document::Answer;
use super::say;
use super::session::Out;

/// Most requests that wait for the one before them.
pub(crate) const MAX_WAITING: usize = 16;

/// How often a request is said again, at most. The pauses are alike: the deadline is the end of the last one.
const RETRIES: u32 = 3;

/// Something that a board is asked for.
#[derive(Debug)]
pub(crate) struct Ask {
    /// Whom the answer is for.
    pub(crate) call: MessageId,
    pub(crate) method: String,
    pub(crate) params: RawJson,
    /// How long the answer is of use, and until when.
    pub(crate) timeout: Duration,
    pub(crate) deadline: Instant,
}

/// The requests to one board.
#[derive(Debug)]
pub(crate) struct Asks {
    /// The id of the last one: a board that hears it again says again what it said.
    last_id: u16,
    under_way: Option<UnderWay>,
    waiting: VecDeque<Ask>,
    /// Most bytes of a request on the line.
    max_size: usize,
    retries: u64,
    unasked: u64,
}

#[derive(Debug)]
struct UnderWay {
    id: u16,
    text: String,
    /// Who waits for the answer, if anybody still does.
    call: Option<MessageId>,
    left: u32,
    pause: Duration,
    /// When it is said again.
    again: Instant,
    deadline: Instant,
}

impl Asks {
    /// None yet. A board may remember a request of another time, so the first id is a random one.
    pub(crate) fn new(max_size: usize) -> Self {
        Self {
            last_id: fastrand::u16(1..),
            under_way: None,
            waiting: VecDeque::new(),
            max_size,
            retries: 0,
            unasked: 0,
        }
    }

    /// How often something was said again, and how many answers came that nobody waited for.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.retries, self.unasked)
    }

    pub(crate) fn ask(&mut self, ask: Ask, now: Instant, out: &mut VecDeque<Out>) {
        if self.under_way.is_none() && self.waiting.is_empty() {
            self.begin(ask, now, out);
        } else if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(ask);
        } else {
            let text = format!("the board is busy: {MAX_WAITING} requests wait for it already");
            out.push_back(failed(ask.call, "busy", text));
        }
    }

    /// Nobody waits for the answer to this call any more. What the board was asked already it may still do: until it
    /// answers, or would be asked again, it is not asked for something else.
    pub(crate) fn cancel(&mut self, call: u64) {
        self.waiting.retain(|ask| ask.call.number() != Some(call));
        if let Some(under_way) = &mut self.under_way {
            if under_way.call.as_ref().and_then(MessageId::number) == Some(call) {
                under_way.call = None;
                under_way.left = 0;
                under_way.deadline = under_way.again.min(under_way.deadline);
            }
        }
    }

    pub(crate) fn answer(&mut self, answer: Answer, now: Instant, out: &mut VecDeque<Out>) {
        let Some(under_way) = self.under_way.take_if(|under_way| under_way.id == answer.id) else {
            // The answer to one that was said twice, most likely.
            self.unasked += 1;
            return;
        };
        if let Some(call) = under_way.call {
            let outcome = match answer.outcome {
                Ok(response) if response.is_empty() => Outcome::Done(RawJson::null()),
                Ok(response) => match RawJson::from_text(String::from_utf8_lossy(&response)) {
                    Ok(response) => Outcome::Done(response),
                    Err(error) => Outcome::Failed(Failure::new("codec", error.to_string())),
                },
                Err(refusal) => {
                    let code = match refusal.code {
                        Some(code) => format!("handler_failed:{code}").into(),
                        None => "handler_failed".into(),
                    };
                    Outcome::Failed(Failure {
                        code: Some(code),
                        text: refusal.text,
                    })
                }
            };
            out.push_back(Out::Router(Reply { id: call, outcome }.into()));
        }
        self.go_on(now, out);
    }

    /// Says again what is due, and gives up what took too long.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut VecDeque<Out>) {
        let late = |ask: &Ask| ask.deadline <= now;
        while let Some(at) = self.waiting.iter().position(late) {
            if let Some(ask) = self.waiting.remove(at) {
                out.push_back(timed_out(ask.call));
            }
        }
        let Some(under_way) = &mut self.under_way else { return };
        if under_way.deadline <= now {
            if let Some(call) = under_way.call.take() {
                out.push_back(timed_out(call));
            }
            self.under_way = None;
            self.go_on(now, out);
        } else if under_way.again <= now && under_way.left > 0 {
            under_way.left -= 1;
            under_way.again = now + under_way.pause;
            self.retries += 1;
            out.push_back(Out::Board(under_way.text.clone()));
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let under_way = self.under_way.as_ref().map(|under_way| match under_way.left {
            0 => under_way.deadline,
            _ => under_way.again.min(under_way.deadline),
        });
        self.waiting.iter().map(|ask| ask.deadline).chain(under_way).min()
    }

    /// Nobody waits for anything any more.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.under_way = None;
    }

    fn go_on(&mut self, now: Instant, out: &mut VecDeque<Out>) {
        while self.under_way.is_none() {
            let Some(ask) = self.waiting.pop_front() else { return };
            self.begin(ask, now, out);
        }
    }

    fn begin(&mut self, ask: Ask, now: Instant, out: &mut VecDeque<Out>) {
        if ask.deadline <= now {
            return out.push_back(timed_out(ask.call));
        }
        let id = self.last_id.checked_add(1).unwrap_or(1);
        let text = say::request(id, &ask.method, ask.params.text());
        if text.len() > self.max_size {
            let text = format!(
                "the request takes {} bytes, and a line to the board at most {}; see the option max_frame",
                text.len(),
                self.max_size
            );
            return out.push_back(failed(ask.call, "refused", text));
        }
        self.last_id = id;
        let pause = ask.timeout / (RETRIES + 1);
        out.push_back(Out::Board(text.clone()));
        self.under_way = Some(UnderWay {
            id,
            text,
            call: Some(ask.call),
            left: RETRIES,
            pause,
            again: now + pause,
            deadline: ask.deadline,
        });
    }
}

fn failed(call: MessageId, code: &'static str, text: String) -> Out {
    let outcome = Outcome::Failed(Failure::new(code, text));
    Out::Router(Reply { id: call, outcome }.into())
}

fn timed_out(call: MessageId) -> Out {
    failed(call, "timed_out", "the board did not answer in time".to_owned())
}

#[cfg(test)]
mod tests {
    use sig_core::Message;

    use super::*;
    use crate::board::document::{Content, Refusal, read};

    const TIMEOUT: Duration = Duration::from_secs(8);

    struct World {
        asks: Asks,
        now: Instant,
        out: VecDeque<Out>,
    }

    impl World {
        fn new() -> Self {
            Self {
                asks: Asks::new(200),
                now: Instant::now(),
                out: VecDeque::new(),
            }
        }

        fn ask(&mut self, call: u64, params: &str) {
            let ask = Ask {
                call: MessageId::Number(call),
                method: "led".to_owned(),
                params: RawJson::from_text(params).unwrap(),
                timeout: TIMEOUT,
                deadline: self.now + TIMEOUT,
            };
            self.asks.ask(ask, self.now, &mut self.out);
        }

        fn answer(&mut self, id: u16, outcome: Result<&'static str, &str>) {
            let outcome = outcome.map(Into::into).map_err(|text| Refusal {
                code: None,
                text: text.to_owned(),
            });
            self.asks.answer(Answer { id, outcome }, self.now, &mut self.out);
        }

        fn pass(&mut self, time: Duration) {
            let end = self.now + time;
            while let Some(next) = self.asks.next_deadline().filter(|next| *next <= end) {
                self.now = next;
                self.asks.tick(next, &mut self.out);
            }
            self.now = end;
        }

        /// The id of the request that the board was sent, and nothing else.
        fn sent(&mut self) -> u16 {
            let Some(Out::Board(text)) = self.out.pop_front() else {
                panic!("{:?}", self.out)
            };
            assert!(
                matches!(read(text.as_bytes(), &[]).unwrap().content, Content::Events(_)),
                "{text}"
            );
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["method"], "led");
            value["id"].as_u64().unwrap().try_into().unwrap()
        }

        fn replied(&mut self) -> (u64, String) {
            let Some(Out::Router(Message::Reply(reply))) = self.out.pop_front() else {
                panic!("{:?}", self.out)
            };
            let text = match reply.outcome {
                Outcome::Done(response) => response.text().to_owned(),
                Outcome::Failed(failure) => failure.code.unwrap().into_owned(),
                other => panic!("{other:?}"),
            };
            (reply.id.number().unwrap(), text)
        }
    }

    #[test]
    fn one_is_under_way_sixteen_wait_and_the_next_is_busy() {
        let mut world = World::new();
        (0..18).for_each(|call| world.ask(call, "true"));
        let mut id = world.sent();
        assert_eq!(world.replied(), (17, "busy".to_owned()));
        for call in 0..17 {
            assert!(world.out.is_empty(), "one at a time");
            world.answer(id, Ok("1"));
            assert_eq!(world.replied(), (call, "1".to_owned()));
            if call < 16 {
                let next = world.sent();
                assert_ne!(next, id);
                id = next;
            }
        }
        assert!(world.out.is_empty() && world.asks.next_deadline().is_none());
    }

    #[test]
    fn it_is_said_again_three_times_and_answered_once() {
        let mut world = World::new();
        world.ask(1, "true");
        let id = world.sent();
        world.pass(TIMEOUT / 2);
        assert_eq!((world.sent(), world.sent()), (id, id));
        world.answer(id.wrapping_add(9), Ok("0"));
        world.answer(id, Ok("1"));
        world.answer(id, Ok("1"));
        assert_eq!(world.replied(), (1, "1".to_owned()));
        assert!(world.out.is_empty());
        assert_eq!(world.asks.counts(), (2, 2));

        world.ask(2, "true");
        let id = world.sent();
        world.pass(TIMEOUT);
        assert_eq!([world.sent(), world.sent(), world.sent()], [id; 3]);
        assert_eq!(world.replied(), (2, "timed_out".to_owned()));
        world.answer(id, Ok("late"));
        assert!(world.out.is_empty());
    }

    #[test]
    fn what_waits_too_long_times_out_and_the_rest_goes_on() {
        let mut world = World::new();
        world.ask(1, "true");
        world.pass(TIMEOUT - Duration::from_secs(1));
        world.out.clear();
        world.ask(2, "true");
        world.pass(Duration::from_secs(1));
        assert_eq!(world.replied(), (1, "timed_out".to_owned()));
        let id = world.sent();
        world.answer(id, Err("no led"));
        assert_eq!(world.replied(), (2, "handler_failed".to_owned()));
    }

    #[test]
    fn what_is_cancelled_is_not_said_again_and_holds_nobody_up_for_long() {
        let mut world = World::new();
        (1..4).for_each(|call| world.ask(call, "true"));
        let first = world.sent();
        world.asks.cancel(2);
        world.asks.cancel(1);
        world.pass(TIMEOUT / 4);
        let third = world.sent();
        assert_ne!(third, first);
        world.answer(first, Ok("1"));
        world.answer(third, Ok("3"));
        assert_eq!(world.replied(), (3, "3".to_owned()));
        assert!(world.out.is_empty());
    }

    #[test]
    fn what_is_too_long_for_a_line_is_refused_with_the_limit() {
        let mut world = World::new();
        world.ask(1, &format!("\"{}\"", "x".repeat(200)));
        assert_eq!(world.replied(), (1, "refused".to_owned()));
        world.ask(2, "true");
        world.sent();
    }

    #[test]
    fn ids_are_never_0_and_never_the_same_twice_in_a_row() {
        let mut world = World::new();
        world.asks.last_id = u16::MAX;
        for id in [1, 2] {
            world.ask(u64::from(id), "1");
            assert_eq!(world.sent(), id);
            world.answer(id, Ok("null"));
            world.replied();
        }
    }
}
