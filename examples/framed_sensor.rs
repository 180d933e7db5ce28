//! A board with check sums at the end of a bad line: nothing wrong is heard, and what was lost is counted.
//!
//! What runs on the board is `sig-sensor`, as it would on a microcontroller; `sensor/c/sig_sensor.h` is the same in C.

use std::error::Error;

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("boards are played over pseudo-terminals, which this platform has not; take a real one and `sig serve`".into())
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    use std::sync::{Arc, Mutex};

    use sig_carrier_serial::{Listener, Options, Place, Port};
    use sig_examples::board::Board;
    use sig_router::ServerRouter;
    use sig_sensor::{Dialect, Out, Sensor, Talk, Value};

    /// The transmitter of the board.
    #[derive(Debug, Default)]
    struct Uart(Vec<u8>);

    impl sig_sensor::Port for Uart {
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    const BOARD: sig_sensor::Board<'static> = sig_sensor::Board {
        name: "scale",
        events: Some(&["grams"]),
        requests: Some(&["tare"]),
        dialect: Dialect::Frames,
    };

    // The firmware: a scale that can be set to zero.
    fn call(method: &str, params: Value<'_>, answer: &mut Out<'_>, talk: &mut Talk<'_, Uart>) {
        match params.as_f64() {
            Some(grams) if method == "tare" && grams >= 0.0 => {
                talk.log("set to zero");
                answer.decimal(grams, 1);
            }
            _ => answer.fail("tare wants grams, not less than none"),
        }
    }

    let firmware: Arc<Mutex<Sensor<'static, Uart>>> = Arc::new(Mutex::new(Sensor::new(BOARD, Uart::default())));
    let hears = {
        let firmware = Arc::clone(&firmware);
        move |bytes: &[u8]| {
            let Ok(mut sensor) = firmware.lock() else {
                return Vec::new();
            };
            sensor.feed(bytes, &mut call);
            std::mem::take(&mut sensor.talk().port().0)
        }
    };
    let says = |grams: f64| -> Result<Vec<u8>, Box<dyn Error>> {
        let mut sensor = firmware.lock().map_err(|_| "the firmware panicked")?;
        sensor.talk().event_decimal("grams", grams, 1);
        Ok(std::mem::take(&mut sensor.talk().port().0))
    };

    let server = ServerRouter::new()?;
    let mut presence = server.listen("scale/#connect")?;
    let board = Board::plug(hears)?;
    let port = Port::new(Place::Device(board.device().to_owned()), Options::new())?;
    server.attach(Arc::new(Listener::new(port)));
    // The router asks who this is as soon as the port is open.
    presence.recv().await.ok_or("the router is closed")??;

    let mut grams = server.listen("scale/grams")?;
    board.print(says(100.0)?).await;
    // A flipped bit, and text of a debugger in between.
    let mut spoilt = says(200.0)?;
    spoilt[12] ^= 4;
    board.print(spoilt).await;
    board.print(&b"DEBUG: adc overrun\r\n"[..]).await;
    board.print(says(300.0)?).await;
    for _ in 0..3 {
        match grams.recv().await.ok_or("the router is closed")? {
            Ok(event) => println!("{} g", event.decode::<f64>()?),
            Err(missed) => println!("{} was lost on the line", missed.count()),
        }
    }

    println!("tare: {}", server.request("scale", "tare", &300).await?.parse::<f64>()?);
    match server.request("scale", "tare", &-1).await {
        Ok(answer) => println!("tare: {}", answer.text()),
        Err(error) => println!("tare: {error}"),
    }
    Ok(())
}
