//! A greenhouse: boards that print lines, each on a port of its own, and programs that know nothing of serial lines.
//!
//! The boards are played over pseudo-terminals; with real ones only the device names differ (see docs/SERIAL.md).

use std::error::Error;

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("boards are played over pseudo-terminals, which this platform has not; take a real one and `sig serve`".into())
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    use std::sync::Arc;

    use sig_carrier_serial::{Listener, Options, Place, Port};
    use sig_core::{EventName, SenderName};
    use sig_examples::board::Board;
    use sig_router::{Presence, ServerRouter};

    let server = ServerRouter::new()?;
    let mut presence = server.listen("#connect")?;
    // A logger writes everything down, an alarm program knows only a channel: whoever has an alarm. The boards come when they like.
    let mut logger = server.listen("*")?;
    let mut alarms = server.listen("#alarm")?;
    let mut humidity = server.listen("weather/hum")?;

    // Says who it is, and answers: a window that can be opened.
    let bed = Board::with_lines(|line| {
        if line.contains("\"hello\"") {
            return Some(r##"{"hello":"bed","events":["temp","#alarm"],"requests":["window"]}"##.to_owned());
        }
        let (_, id) = line.split_once("\"id\":")?;
        let (id, _) = id.split_once(',')?;
        Some(format!(
            r#"{{"id":{id},"response":"the window is {}"}}"#,
            if line.contains("true") { "open" } else { "shut" }
        ))
    })?;
    // Cannot hear at all: the name of what it prints comes from the options.
    let tank = Board::plug(|_| Vec::new())?;
    // A data logger that prints numbers.
    let weather = Board::plug(|_| Vec::new())?;

    let plain = Options::new().baud(9600);
    let columns = ["temp", "hum"].map(EventName::new);
    let [temp, hum] = columns;
    for (board, options) in [
        (&bed, plain.clone()),
        (&tank, plain.clone().name(SenderName::new("tank")?)),
        (&weather, plain.name(SenderName::new("weather")?).columns([temp?, hum?])),
    ] {
        let port = Port::new(Place::Device(board.device().to_owned()), options)?;
        server.attach(Arc::new(Listener::new(port)));
    }
    tank.print("level sensor v3\n{\"level\":0.8}\n").await;
    weather.print("21.5,40\n21.5,40\n").await;
    let mut names = Vec::new();
    while names.len() < 3 {
        let event = presence.recv().await.ok_or("the router is closed")??;
        names.push(event.sender().to_string());
    }
    names.sort();
    println!("here are {}", names.join(", "));

    bed.print("{\"temp\":2.5}\n{\"event\":\"#alarm\",\"data\":\"frost\"}\n")
        .await;
    let alarm = alarms.recv().await.ok_or("the router is closed")??;
    println!("alarm of {}: {}", alarm.sender(), alarm.decode::<String>()?);
    println!("{}", server.request("bed", "window", &false).await?.parse::<String>()?);

    weather.print("21.75,39\n").await;
    while let Some(event) = humidity.recv().await {
        if event?.decode::<f64>()? < 40.0 {
            println!("the air of weather is dry");
            break;
        }
    }
    tank.print("pump is dry\n{\"event\":\"#alarm\",\"data\":\"no water\"}\n")
        .await;
    let alarm = alarms.recv().await.ok_or("the router is closed")??;
    println!("alarm of {}: {}", alarm.sender(), alarm.decode::<String>()?);

    drop(tank);
    let mut lines = Vec::new();
    loop {
        let event = logger.recv().await.ok_or("the router is closed")??;
        match event.name().as_str() {
            "#connect" => {}
            "#disconnect" => {
                lines.sort();
                println!("the log has:\n  {}", lines.join("\n  "));
                println!(
                    "{} left: {}",
                    event.sender(),
                    event.decode::<Presence>()?.reason.unwrap_or_default()
                );
                return Ok(());
            }
            name => lines.push(format!("{}/{name} {}", event.sender(), event.payload()?.json_text()?)),
        }
    }
}
