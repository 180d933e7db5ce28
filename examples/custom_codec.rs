//! A codec of one's own: messages travel compressed. `pack` and `unpack` are all there is to it.
//!
//! The carrier is the ordinary TCP one. Both ends must use the same codec; one that does not is told so.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use sig_core::bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{Codec, CodecError, DEFAULT_MAX_FRAME, Json, Message};
use sig_router::{ClientRouter, ServerRouter};

/// JSON, deflated.
#[derive(Debug, Clone, Default)]
struct Deflate {
    plain: Arc<AtomicUsize>,
    packed: Arc<AtomicUsize>,
}

fn failed(error: &std::io::Error) -> CodecError {
    CodecError::Custom {
        codec: "json+deflate",
        message: error.to_string(),
    }
}

impl Codec for Deflate {
    /// Compared by the two ends before anything else.
    fn name(&self) -> &'static str {
        "json+deflate"
    }

    fn pack(&self, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        let (before, mut json) = (out.len(), BytesMut::new());
        Json.pack(message, &mut json)?;
        let mut encoder = DeflateEncoder::new(out.writer(), Compression::fast());
        encoder
            .write_all(&json)
            .and_then(|()| encoder.try_finish())
            .map_err(|error| failed(&error))?;
        drop(encoder);
        self.plain.fetch_add(json.len(), Relaxed);
        self.packed.fetch_add(out.len() - before, Relaxed);
        Ok(())
    }

    fn unpack(&self, frame: Bytes) -> Result<Message, CodecError> {
        // What a peer sends is not to be trusted: a few bytes can unpack to gigabytes, so there is a limit.
        let (limit, mut json) = (DEFAULT_MAX_FRAME, Vec::new());
        let size = DeflateDecoder::new(&*frame)
            .take(limit as u64 + 1)
            .read_to_end(&mut json)
            .map_err(|error| failed(&error))?;
        if size > limit {
            return Err(CodecError::TooLarge { size, limit });
        }
        Json.unpack(json.into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let codec = Deflate::default();
    let carrier = sig_carrier_tcp::listen("127.0.0.1:0")?.with_codec(codec.clone());
    let address = carrier.medium().local_addr().to_string();
    let server = ServerRouter::new()?;
    server.attach(Arc::new(carrier));
    let novel = server.add_sender("novel").event("page").connect()?;

    let client = ClientRouter::connect(Arc::new(
        sig_carrier_tcp::dial(&address)?.with_codec(Deflate::default()),
    ))?;
    let mut pages = client.listen_remote("novel/page").await?;
    novel
        .signal("page")?
        .trigger(&"All work and no play makes Jack a dull boy. ".repeat(50))
        .await?;
    if let Some(page) = pages.recv().await.transpose()? {
        println!("a page of {} letters arrived", page.decode::<String>()?.len());
    }
    println!(
        "the server packed {} bytes into {}",
        codec.plain.load(Relaxed),
        codec.packed.load(Relaxed)
    );

    // A client without the codec.
    let stranger = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address)?))?;
    if let Err(error) = stranger.ready(Duration::from_secs(1)).await {
        println!("without the codec: {error}");
    }
    Ok(())
}
