//! A small computer and a large one, joined by a serial cable: everything works over it as over TCP, only slower.
//!
//! The cable is played over pseudo-terminals; with a real one only the device names differ (see docs/SERIAL.md).

use std::error::Error;

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("the cable is played over pseudo-terminals, which this platform has not; take a real one".into())
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    use std::sync::Arc;

    use sig_carrier_serial::link::Dialer;
    use sig_carrier_serial::{Listener, Options, Place, Port};
    use sig_examples::board::Cable;
    use sig_router::{ClientRouter, Presence, Request, ServerRouter};

    let cable = Cable::new()?;
    let [at_home, at_the_pi] = cable.devices();
    let port = |device: &std::path::Path| Port::new(Place::Device(device.to_owned()), Options::new().baud(921_600));

    // In the house: a router that listens at the cable, as `sig serve serial:///dev/ttyUSB0?baud=921600` does.
    let server = ServerRouter::new()?;
    server.attach(Arc::new(Listener::new(port(at_home)?)));
    let mut news = server.listen("camera/*")?;

    // In the garden: a Pi that brings a camera.
    let pi = ClientRouter::connect(Arc::new(Dialer::new(port(at_the_pi)?)))?;
    let camera = pi
        .add_remote_sender("camera")
        .event("picture")
        .request("zoom", |request: Request| Ok(request.params::<u32>()?.min(8)))
        .connect()
        .await?;

    // A picture that takes a while on this line. The request does not wait for it.
    let picture = "pixel ".repeat(20_000);
    camera.signal("picture")?.trigger(&picture).await?;
    println!(
        "zoom is {}",
        server.request("camera", "zoom", &10).await?.parse::<u32>()?
    );

    let mut cable = Some(cable);
    while let Some(event) = news.recv().await {
        let event = event?;
        match event.name().as_str() {
            "#connect" => println!("the camera is here, over {}", event.decode::<Presence>()?.carrier),
            "#disconnect" => {
                println!(
                    "the camera left: {}",
                    event.decode::<Presence>()?.reason.unwrap_or_default()
                );
                break;
            }
            _ => {
                println!("a picture of {} letters", event.decode::<String>()?.len());
                // Somebody mows the lawn.
                cable = None;
            }
        }
    }
    drop(cable);
    Ok(())
}
