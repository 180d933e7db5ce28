//! A peer that speaks sig/1 by hand, and may lie.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use sig_wire::{EventFrame, EventHeader, Flags, Kind, Preface, Split};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::soon;

/// A connection to a server, with no manners of its own.
#[derive(Debug)]
pub struct Raw {
    /// The connection.
    pub stream: TcpStream,
    received: Vec<u8>,
}

/// One frame that came.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A control message.
    Control(Value),
    /// An event.
    Event {
        /// Its alias.
        alias: u32,
        /// Its number.
        number: u64,
        /// Its extensions.
        ext: Vec<u8>,
        /// Its payload.
        payload: Vec<u8>,
    },
    /// Any other frame.
    Other(u8),
}

impl Raw {
    /// Connects, and says nothing.
    ///
    /// # Panics
    ///
    /// When nobody listens there.
    pub async fn connect(address: &str) -> Self {
        Self::over(TcpStream::connect(address).await.expect("somebody listens"))
    }

    /// Says nothing yet, over this connection.
    ///
    /// # Panics
    ///
    /// When it is closed.
    #[must_use]
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Connects and agrees on sig/1.
    ///
    /// # Panics
    ///
    /// When the server does not.
    pub async fn preface(address: &str) -> Self {
        let mut raw = Self::connect(address).await;
        raw.agree().await;
        raw
    }

    async fn agree(&mut self) {
        self.send(&Preface::new(sig_wire::Encoding::Sig1).encode()).await;
        let mut answer = [0; sig_wire::preface::LEN];
        soon("an answer to the preface", self.stream.read_exact(&mut answer))
            .await
            .expect("a preface");
        assert_eq!(answer, Preface::chosen(1, sig_wire::Encoding::Sig1).encode());
    }

    /// Connects and opens a session.
    ///
    /// # Panics
    ///
    /// When the server does not welcome it.
    pub async fn hello(address: &str) -> Self {
        let mut raw = Self::connect(address).await;
        raw.open(&hello()).await;
        raw
    }

    /// Opens a session with this hello, where nothing was said before.
    ///
    /// # Panics
    ///
    /// When the server does not welcome it.
    pub async fn open(&mut self, hello: &Value) {
        self.agree().await;
        self.send(&control(hello)).await;
        let welcome = self.control().await;
        assert_eq!(welcome["method"], "welcome", "{welcome}");
    }

    /// Takes a client, as a router would, and welcomes it.
    ///
    /// # Panics
    ///
    /// When what comes is no client.
    pub async fn welcoming(listener: &TcpListener) -> Self {
        let (stream, _) = soon("a client", listener.accept()).await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        let mut raw = Self {
            stream,
            received: Vec::new(),
        };
        let mut offer = [0; sig_wire::preface::LEN];
        soon("a preface", raw.stream.read_exact(&mut offer))
            .await
            .expect("a preface");
        raw.send(&Preface::chosen(1, sig_wire::Encoding::Sig1).encode()).await;
        let hello = raw.control().await;
        assert_eq!(hello["method"], "hello", "{hello}");
        let welcome = json!({ "version": 1, "router_id": "raw", "epoch": 1 });
        raw.send(&control(&json!({ "method": "welcome", "params": welcome })))
            .await;
        raw
    }

    /// Waits for this call, and gives its id and parameters.
    ///
    /// # Panics
    ///
    /// When the peer ends the connection instead.
    pub async fn called(&mut self, method: &str) -> (u64, Value) {
        loop {
            let mut message = self.control().await;
            if message["method"] == method {
                return (message["id"].as_u64().expect("an id"), message["params"].take());
            }
        }
    }

    /// Answers a call.
    pub async fn answer(&mut self, id: u64, response: &Value) {
        self.send(&control(&json!({ "id": id, "status": 0, "response": response })))
            .await;
    }

    /// Sends bytes.
    ///
    /// # Panics
    ///
    /// When the server has closed the connection.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the connection is open");
    }

    /// Sends a call and waits for its reply.
    pub async fn call(&mut self, id: u64, method: &str, params: &Value) -> Value {
        self.send(&call(id, method, params)).await;
        self.reply(id).await
    }

    /// Waits for the reply to a call.
    ///
    /// # Panics
    ///
    /// When the server ends the connection instead.
    pub async fn reply(&mut self, id: u64) -> Value {
        loop {
            let message = self.control().await;
            if message["id"] == id && message.get("status").is_some() {
                return message;
            }
        }
    }

    /// The next control message.
    ///
    /// # Panics
    ///
    /// When the server ends the connection instead.
    pub async fn control(&mut self) -> Value {
        loop {
            match self.next().await.expect("the server ended the connection") {
                Incoming::Control(message) => return message,
                Incoming::Event { .. } | Incoming::Other(_) => {}
            }
        }
    }

    /// The next frame; `None` when the server ended the connection.
    ///
    /// # Panics
    ///
    /// When what comes is not sig/1.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            if let Split::Frame(frame) = sig_wire::split(&self.received, u32::MAX).expect("a frame") {
                let incoming = match frame.kind {
                    Kind::Control => Incoming::Control(serde_json::from_slice(frame.body).expect("JSON")),
                    Kind::Event => {
                        let event = EventFrame::parse(&frame).expect("an event");
                        Incoming::Event {
                            alias: event.header.alias,
                            number: event.header.number,
                            ext: event.ext.to_vec(),
                            payload: event.payload.to_vec(),
                        }
                    }
                    other => Incoming::Other(other.to_byte()),
                };
                let size = frame.size();
                self.received.drain(..size);
                return Some(incoming);
            }
            let mut buffer = [0; 4096];
            match soon("a frame, or the end", self.stream.read(&mut buffer)).await {
                Ok(0) => return None,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if is_end(&error) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits until the server ends the connection; gives what it said last: the reason, if it gave one.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub async fn ended(mut self) -> Option<Value> {
        let mut last = None;
        while let Some(incoming) = self.next().await {
            if let Incoming::Control(message) = incoming {
                last = Some(message);
            }
        }
        last
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
    )
}

/// The bytes of a frame.
///
/// # Panics
///
/// When the body is too large.
#[must_use]
pub fn frame(kind: Kind, flags: Flags, body: &[u8]) -> Vec<u8> {
    let header = sig_wire::encode_header(kind, flags, body.len(), u32::MAX).expect("small enough");
    [&header[..], body].concat()
}

/// The frame of a control message.
#[must_use]
pub fn control(message: &Value) -> Vec<u8> {
    frame(Kind::Control, Flags::NONE, message.to_string().as_bytes())
}

/// The frame of a call.
#[must_use]
pub fn call(id: u64, method: &str, params: &Value) -> Vec<u8> {
    control(&json!({ "id": id, "method": method, "params": params }))
}

/// The frame of an event.
#[must_use]
pub fn event(alias: u32, number: u64, payload: &[u8]) -> Vec<u8> {
    let head = EventHeader { alias, number }
        .encode_head(payload.len(), u32::MAX)
        .expect("small enough");
    [&head[..], payload].concat()
}

/// A proper hello, of an instance of its own.
#[must_use]
pub fn hello() -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    hello_of(&format!("raw {}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A proper hello of this instance.
#[must_use]
pub fn hello_of(instance: &str) -> Value {
    json!({ "method": "hello", "params": { "versions": [1, 1], "codec": "json", "instance": instance, "max_message": 16_777_216 } })
}
