//! Sockets of pyzmq, in a process of their own.

use serde_json::{Value, json};
use sig_tests::process::Process;
use sig_tests::pyzmq::Pyzmq;

/// A Python process with the sockets that were opened in it.
pub(crate) struct Python(Process);

impl Python {
    pub(crate) fn start(pyzmq: &Pyzmq) -> Self {
        Self(pyzmq.run("sockets.py", &[]))
    }

    /// A command and its answer; see `sockets.py`.
    async fn ask(&mut self, command: Value) -> Value {
        self.0.tell(&command.to_string()).await;
        self.0
            .says(&command.to_string(), |line| serde_json::from_str(line).ok())
            .await
    }

    async fn done(&mut self, command: Value) {
        let answer = self.ask(command.clone()).await;
        assert_eq!(answer["done"], true, "{command}: {answer}");
    }

    pub(crate) async fn open(&mut self, name: &str, kind: &str, options: Value) {
        self.done(json!(["open", name, kind, options])).await;
    }

    /// One that connects there, without options.
    pub(crate) async fn connected(&mut self, name: &str, kind: &str, endpoint: &str) {
        self.open(name, kind, json!({})).await;
        self.connect(name, endpoint).await;
    }

    /// One that is bound to a port of its own, and where.
    pub(crate) async fn bound(&mut self, name: &str, kind: &str) -> String {
        self.open(name, kind, json!({})).await;
        self.bind(name, "tcp://127.0.0.1:*").await
    }

    pub(crate) async fn bind(&mut self, name: &str, endpoint: &str) -> String {
        // A port that was in use a moment ago may need another one.
        loop {
            let answer = self.ask(json!(["bind", name, endpoint])).await;
            match answer["bound"].as_str() {
                Some(bound) => return bound.to_owned(),
                None => assert!(answer["failed"].as_str().unwrap().contains("in use"), "{answer}"),
            }
        }
    }

    pub(crate) async fn connect(&mut self, name: &str, endpoint: &str) {
        self.done(json!(["connect", name, endpoint])).await;
    }

    pub(crate) async fn subscribe(&mut self, name: &str, topic: &str) {
        self.done(json!(["subscribe", name, topic])).await;
    }

    pub(crate) async fn unsubscribe(&mut self, name: &str, topic: &str) {
        self.done(json!(["unsubscribe", name, topic])).await;
    }

    pub(crate) async fn send(&mut self, name: &str, frames: &[&str]) {
        let command: Vec<Value> = ["send", name].iter().chain(frames).map(|&text| text.into()).collect();
        self.done(command.into()).await;
    }

    pub(crate) async fn recv(&mut self, name: &str) -> Vec<String> {
        let answer = self.ask(json!(["recv", name])).await;
        serde_json::from_value(answer["received"].clone()).unwrap_or_else(|_| panic!("{name}: {answer}"))
    }

    /// What is there within the milliseconds.
    pub(crate) async fn recv_within(&mut self, name: &str, limit: u32) -> Option<Vec<String>> {
        let answer = self.ask(json!(["recv", name, limit])).await;
        serde_json::from_value(answer["received"].clone()).ok()
    }

    pub(crate) async fn close(&mut self, name: &str) {
        self.done(json!(["close", name])).await;
    }

    pub(crate) async fn proxy(&mut self, front: &str, back: &str) {
        self.done(json!(["proxy", front, back])).await;
    }

    pub(crate) async fn admit(&mut self, name: &str, password: &str) {
        self.done(json!(["plain", name, password])).await;
    }

    /// A public and a secret key.
    pub(crate) async fn keys(&mut self) -> (String, String) {
        let answer = self.ask(json!(["curve"])).await;
        serde_json::from_value(answer["keys"].clone()).unwrap_or_else(|_| panic!("{answer}"))
    }

    pub(crate) async fn kill(self) {
        self.0.kill().await;
    }
}
