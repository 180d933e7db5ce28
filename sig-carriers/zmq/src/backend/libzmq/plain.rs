//! Who may come in by PLAIN: libzmq asks a socket at a known endpoint of the same context, by RFC 27.

use std::sync::Arc;

use bytes::Bytes;
use sig_core::Tasks;
use sig_libzmq::{Context, Failed, Socket};

use super::frames;
use super::shared::Shared;
use crate::security::{Admission, Credentials};
use crate::{Kind, Message};

const ENDPOINT: &str = "inproc://zeromq.zap.01";
const VERSION: &str = "1.0";
const REP: i32 = 4;

/// Answers for the sockets of one context, which are all of one socket. Where nobody answers libzmq lets nobody in.
pub(super) fn answer_for(context: &Context, admission: Admission<Credentials>, tasks: &Tasks) -> Result<(), Failed> {
    let socket = Socket::new(context, REP)?;
    socket.bind(ENDPOINT)?;
    let socket = Shared::new(socket, false)?;
    let admission = Arc::new(admission);
    tasks.spawn("plain", async move {
        while let Ok(request) = socket.receiving(|raw| frames::recv(Kind::Rep, raw)).await {
            let admission = Arc::clone(&admission);
            // It may block.
            let answer = tokio::task::spawn_blocking(move || answer(&request, &admission)).await;
            let answer = answer.unwrap_or_else(|_| reply(&Bytes::new(), None));
            if socket
                .sending(|raw| frames::send(Kind::Rep, raw, &answer))
                .await
                .is_err()
            {
                break;
            }
        }
    });
    Ok(())
}

/// A request is: version, number, domain, address, identity, mechanism, name, password.
fn answer(request: &Message, admission: &Admission<Credentials>) -> Message {
    let text = |index| request.frame(index).and_then(|frame| std::str::from_utf8(frame).ok());
    let number = request.frame_bytes(1).unwrap_or_default();
    let is_plain = request.len() == 8 && text(0) == Some(VERSION) && text(5) == Some("PLAIN");
    let name = match (is_plain, text(6), text(7)) {
        (true, Some(name), Some(password)) if admission.admits(&Credentials::new(name, password)) => Some(name),
        _ => None,
    };
    reply(&number, name)
}

fn reply(number: &Bytes, admitted: Option<&str>) -> Message {
    let (status, text) = match admitted {
        Some(_) => ("200", "OK"),
        None => ("400", "wrong name or password"),
    };
    let user = admitted.unwrap_or_default().to_owned();
    let [version, status, text] = [VERSION, status, text].map(|text| Bytes::from_static(text.as_bytes()));
    // The last is more properties, of which there are none.
    Message::frames([version, number.clone(), status, text, user.into(), Bytes::new()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(frames: &[&'static str]) -> Message {
        Message::frames(frames.iter().copied())
    }

    #[test]
    fn only_who_is_admitted_comes_in_and_nothing_else_is_believed() {
        let only = Admission::only([Credentials::new("ada", "s3cret")]);
        let status = |frames: &[&'static str]| {
            let answer = answer(&request(frames), &only);
            assert_eq!((answer.len(), answer.frame(0)), (6, Some(&b"1.0"[..])));
            assert_eq!(
                answer.frame(1).map(<[u8]>::len),
                frames.get(1).map_or(Some(0), |number| Some(number.len()))
            );
            let status = answer.frame(2).map(<[u8]>::to_vec);
            (
                String::from_utf8(status.unwrap_or_default()).unwrap(),
                answer.frame(4).unwrap_or_default().to_vec(),
            )
        };
        let good = ["1.0", "7", "", "127.0.0.1", "", "PLAIN", "ada", "s3cret"];
        assert_eq!(status(&good), ("200".to_owned(), b"ada".to_vec()));
        let refused = ("400".to_owned(), Vec::new());
        for (index, wrong) in [(0, "2.0"), (5, "NULL"), (6, "bob"), (7, "S3cret"), (7, "")] {
            let mut bad = good;
            bad[index] = wrong;
            assert_eq!(status(&bad), refused, "{bad:?}");
        }
        for short in [&good[..0], &good[..6], &good[..7]] {
            assert_eq!(status(short), refused);
        }
    }
}
