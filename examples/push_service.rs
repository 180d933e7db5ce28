//! A push service: one server pushes messages to clients by name, and clients say what to push to whom.
//!
//! Each user has an inbox at the server, a sender named `inbox.USER`. A client listens to its own inbox, and asks the
//! sender `push` to put a message into somebody's. Inboxes come into being with the first message: listening does not
//! depend on that.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use sig_router::{ClientRouter, HandlerError, RemoteEventStream, Request, Sender, ServerRouter, Topic};

/// A message from one user to another.
#[derive(Debug, Serialize, Deserialize)]
struct Push {
    from: String,
    to: String,
    text: String,
}

/// The inboxes. As long as the service is there, they are.
struct Service {
    server: ServerRouter,
    inboxes: Mutex<HashMap<String, Sender>>,
}

impl Service {
    /// Handles a request `send`: pushes the message, and answers whether anybody listened.
    #[expect(clippy::needless_pass_by_value, reason = "a handler is given its request")]
    fn send(&self, request: Request) -> Result<bool, HandlerError> {
        let push: Push = request.params()?;
        let name = format!("inbox.{}", push.to);
        let signal = {
            let mut inboxes = self
                .inboxes
                .lock()
                .map_err(|_| HandlerError::new("the service is broken"))?;
            if !inboxes.contains_key(&name) {
                let inbox = self.server.add_sender(&name).event("message").connect()?;
                inboxes.insert(name.clone(), inbox);
            }
            inboxes[&name].signal("message")?
        };
        let online = self
            .server
            .senders()
            .iter()
            .any(|sender| sender.name.as_str() == name && sender.listeners > 0);
        // Not `trigger`: one slow reader must not keep the others' messages waiting.
        signal.try_trigger(&push)?;
        Ok(online)
    }
}

/// A client of the service, and what is pushed to this user.
async fn online(address: &str, user: &str) -> Result<(ClientRouter, RemoteEventStream), Box<dyn Error>> {
    let client = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(address)?))?;
    let inbox = Topic::event(format!("inbox.{user}"), "message")?;
    let messages = client.listen_remote(inbox).await?;
    Ok((client, messages))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let carrier = sig_carrier_tcp::listen("127.0.0.1:0")?;
    let address = carrier.medium().local_addr().to_string();
    let server = ServerRouter::new()?;
    server.attach(Arc::new(carrier));
    let service = Service {
        server: server.clone(),
        inboxes: Mutex::default(),
    };
    let _push = server
        .add_sender("push")
        .request("send", move |request| service.send(request))
        .connect()?;

    let (alice, alices) = online(&address, "alice").await?;
    let (bob, bobs) = online(&address, "bob").await?;
    for (client, from, to, text) in [
        (&alice, "alice", "bob", "lunch?"),
        (&bob, "bob", "alice", "in ten minutes"),
        (&bob, "bob", "carol", "lunch?"),
    ] {
        let push = Push {
            from: from.to_owned(),
            to: to.to_owned(),
            text: text.to_owned(),
        };
        let heard: bool = client.remote_request("push", "send", &push).await?.parse()?;
        println!("{from} to {to}: {}", if heard { "pushed" } else { "nobody listens" });
    }

    for mut messages in [bobs, alices] {
        if let Some(event) = messages.recv().await.transpose()? {
            let Push { from, to, text } = event.decode()?;
            println!("{to} got \"{text}\" from {from}");
        }
    }
    Ok(())
}
