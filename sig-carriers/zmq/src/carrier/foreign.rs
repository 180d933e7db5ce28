//! Peers that are no router of ours and speak pysig's JSON, one document in each message.

use bytes::{Bytes, BytesMut};
use sig_core::{
    Batch, Codec as _, CodecError, Documents, Encoding, Failure, Json, Message, MessageId, Outcome, RawJson, Reply,
};

/// What one message holds: documents that can be read.
pub(super) fn read(body: &Bytes, max_frame: usize) -> Result<Batch, String> {
    if body.len() > max_frame {
        let size = body.len();
        return Err(CodecError::TooLarge { size, limit: max_frame }.to_string());
    }
    let mut documents = Documents::new(max_frame.saturating_add(1));
    documents.push(body);
    let mut batch = Batch::of_frames(Encoding::Packed);
    while let Some(document) = documents.next().map_err(|error| error.to_string())? {
        match Json.unpack(document.clone()) {
            Ok(Message::Event(_)) => return Err("events are for sig/1; trigger one with the method signal".to_owned()),
            Ok(_) => batch.push_frame(document),
            Err(error) => return Err(error.to_string()),
        }
    }
    match (documents.is_idle(), batch.is_empty()) {
        (true, false) => Ok(batch),
        (true, true) => Err("the message is empty; it should hold a JSON document".to_owned()),
        (false, _) => Err("the message ends in the middle of a JSON document".to_owned()),
    }
}

/// The answer to what cannot be read: pysig's status -2, with a null id, since none is known.
pub(super) fn unreadable(why: &str) -> Bytes {
    let null = MessageId::Other(RawJson::null());
    pack(null, format!("not a message that this router can read: {why}"))
}

/// The answer to a call to a REQ socket, in its place.
pub(super) fn deaf(id: MessageId) -> Batch {
    let why = "the peer is a REQ socket, which takes replies only: connect it with a DEALER to have it called";
    let mut batch = Batch::of_frames(Encoding::Packed);
    batch.push_frame(pack(id, why.to_owned()));
    batch
}

fn pack(id: MessageId, text: String) -> Bytes {
    let outcome = Outcome::Failed(Failure { code: None, text });
    let mut bytes = BytesMut::new();
    // A reply of texts can always be written.
    let _ = Json.pack(&Reply { id, outcome }.into(), &mut bytes);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Vec<Bytes>, String> {
        let mut batch = super::read(&Bytes::from_static(text.as_bytes()), 100)?;
        Ok(std::iter::from_fn(|| batch.next_frame()).collect())
    }

    #[test]
    fn documents_are_read_as_pysig_writes_them() {
        let one = r#"{"id":1,"method":"signal","params":{"data":NaN}}"#;
        assert_eq!(
            read(one).unwrap(),
            [&br#"{"id":1,"method":"signal","params":{"data":"NaN"}}"#[..]]
        );
        assert_eq!(
            read(r#" {"id":1,"status":0} {"id":2,"method":null} "#).unwrap().len(),
            2
        );
    }

    #[test]
    fn what_cannot_be_read_is_answered() {
        for (bad, why) in [
            ("", "empty"),
            ("[1]", "object"),
            ("{", "middle"),
            (r#"{"id":1,"method":"a"} x"#, "begins with x"),
            (r#"{"id":1,,}"#, "JSON"),
            (
                r#"{"method":"event","params":{"alias":1,"number":1,"data":1}}"#,
                "signal",
            ),
        ] {
            let said = read(bad).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
        let large = Bytes::from(vec![b' '; 101]);
        assert!(super::read(&large, 100).unwrap_err().contains("101"));
        let answer = unreadable("it is \"odd\"");
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((answer["id"].is_null(), answer["status"].as_i64()), (true, Some(-2)));
    }
}
