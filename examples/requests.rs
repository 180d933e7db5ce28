//! Requests: handlers, the default handler, deadlines, and every way in which one can fail.
//!
//! Server and client are in one process here, over the local carrier; over TCP nothing else would change.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use sig_carrier_local::Local;
use sig_router::{ClientRouter, HandlerError, Request, RequestError, ServerRouter};

/// Rest for as long as it is asked to. Dropped at once when the asker gives up.
async fn nap(request: Request) -> Result<&'static str, HandlerError> {
    tokio::time::sleep(Duration::from_millis(request.params()?)).await;
    Ok("rested")
}

#[expect(clippy::needless_pass_by_value, reason = "a handler is given its request")]
fn divide(request: Request) -> Result<f64, HandlerError> {
    // An error of any type becomes the handler's with `?`: parameters of the wrong type, for one.
    let (dividend, divisor): (f64, f64) = request.params()?;
    if divisor == 0.0 {
        return Err(HandlerError::new("division by zero").with_code("zero"));
    }
    Ok(dividend / divisor)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Arc::new(Local::new());
    let server = ServerRouter::new()?;
    server.attach(hub.clone());
    let client = ClientRouter::connect(Arc::new(hub.dialer()))?;

    // A sender may answer requests, trigger events, or both. This one belongs to the client, and the server's side asks
    // it over the link.
    let _calculator = client
        .add_remote_sender("calculator")
        .request("divide", divide)
        .request_async("nap", nap)
        .default_request(|request: Request| Ok(format!("no method {}, but here I am", request.method())))
        .connect()
        .await?;

    let answer: f64 = server.request("calculator", "divide", &(84, 2)).await?.parse()?;
    println!("84 / 2 = {answer}");
    println!(
        "{}",
        server.request("calculator", "sing", &()).await?.parse::<String>()?
    );

    // The handler's own error arrives as such, with its text and its code.
    match server.request("calculator", "divide", &(1, 0)).await {
        Err(RequestError::HandlerFailed { code, text }) => println!("1 / 0: {text} (code {code:?})"),
        other => println!("1 / 0: {other:?}"),
    }
    if let Err(error) = server.request("calculator", "divide", &"one by two").await {
        println!("nonsense: {error}");
    }

    // Every request has a deadline, ten seconds unless told otherwise, and it travels along to the handler.
    let nap = server
        .request("calculator", "nap", &60_000)
        .timeout(Duration::from_millis(50));
    if let Err(error) = nap.await {
        println!("a long nap: {error}");
    }

    // Nobody of this name is no reason to wait.
    match server.request("typewriter", "type", &()).await {
        Err(RequestError::NoSuchSender { sender }) => println!("there is no {sender}"),
        other => println!("{other:?}"),
    }
    Ok(())
}
