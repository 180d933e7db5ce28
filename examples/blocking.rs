//! Without async code: the plain threads of a script, a graphical interface or a laboratory.
//!
//! `sig_router::blocking` has everything under the names of the async interface, and parks the thread where that one is
//! awaited. Functions that listen, and handlers, may block for as long as they like.

use std::error::Error;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use sig_router::blocking::{ClientRouter, GetError, ServerRouter};
use sig_router::{DEFAULT_GRACE, Event, Request};

/// How long to wait for something that has to come.
const SOON: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let server = ServerRouter::new()?;
    let carrier = sig_carrier_tcp::listen("127.0.0.1:0")?;
    let address = carrier.medium().local_addr().to_string();
    server.attach(Arc::new(carrier));

    // The oven, usually a program of its own. Its handler takes its time, which costs nobody else any.
    let workshop = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address)?))?;
    let oven = workshop
        .add_remote_sender("oven")
        .event("celsius")
        .request("heat", |request: Request| {
            thread::sleep(Duration::from_millis(50));
            Ok(request.params::<f64>()?)
        })
        .request("switch_off", |_| Ok("off"))
        .connect()?;
    let celsius = oven.signal("celsius")?;

    // The laboratory. Its link is made in the background; whoever needs it waits for it.
    let lab = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(&address)?))?;
    lab.ready(SOON)?;
    let mut readings = lab.listen_remote("oven/celsius")?;

    // A function that listens may ask and wait for the answer, on the very router that calls it.
    let (tell, told) = mpsc::sync_channel(1);
    let asking = lab.clone();
    let guard = lab.add_remote_listener("oven/celsius", move |event: &Event<'_>| {
        if event.decode::<f64>().is_ok_and(|degrees| degrees > 200.0) {
            let answer = asking.remote_request("oven", "switch_off", &()).wait();
            // Nobody reads it only where nobody is left to care.
            let _ = tell.send(answer);
        }
    })?;

    let target: f64 = lab.remote_request("oven", "heat", &180).timeout(SOON).wait()?.parse()?;
    println!("the oven heats to {target} degrees");
    let driver = thread::spawn(move || [60, 180, 220].iter().try_for_each(|degrees| celsius.trigger(degrees)));
    for _ in 0..3 {
        let reading = readings.get(SOON)?.ok_or("the oven says nothing")?;
        println!("reading {}: {} degrees", reading.number(), reading.decode::<f64>()?);
    }
    driver.join().map_err(|_| "the driver panicked")??;
    println!("too hot: switched {}", told.recv()??.parse::<String>()?);
    if readings.get(Duration::from_millis(50))?.is_none() {
        println!("nothing new for 50 ms");
    }
    guard.unlisten();

    // Whoever waits, in whichever thread, learns that there is nothing to wait for: so a program ends at Ctrl-C.
    let waiting = thread::spawn(move || readings.get(Duration::MAX));
    let closed = lab.close(DEFAULT_GRACE);
    match waiting.join() {
        Ok(Err(GetError::Closed)) => println!("closed, {} events dropped", closed.dropped),
        other => println!("unexpected: {other:?}"),
    }
    workshop.close(DEFAULT_GRACE);
    server.close(DEFAULT_GRACE);
    Ok(())
}
