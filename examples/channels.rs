//! Four ways to listen, in one process and without any runtime: a `Router` needs none.
//!
//! An event whose name begins with `#` is a channel: who listens to `#alarm` hears it from every sender.

use std::error::Error;

use sig_router::{Event, Router};

fn main() -> Result<(), Box<dyn Error>> {
    let router = Router::new();
    let heard_as = |form: &'static str| {
        move |event: &Event<'_>| {
            let text = event.value::<String>().map_or("", String::as_str);
            println!("{form:<18} {}/{} {text}", event.sender(), event.name());
        }
    };

    // Listeners may come before their senders. Each lasts until its guard is dropped.
    let _specific = router.add_listener("boiler/temperature", heard_as("one event:"))?;
    let _channel = router.add_listener("#alarm", heard_as("the channel:"))?;
    let _sender = router.add_listener("boiler", heard_as("all of boiler:"))?;
    let everything = router.add_listener("*", heard_as("everything:"))?;

    println!("-- the boiler connects");
    let boiler = router
        .add_sender("boiler")
        .events(["temperature", "#alarm"])
        .connect()?;
    let door = router.add_sender("door").event("#alarm").connect()?;

    // A listener is called on the spot, with the very value: here `event.value` finds the `String` itself.
    println!("-- events");
    boiler.signal("temperature")?.try_trigger(&"71 °C".to_owned())?;
    boiler.signal("#alarm")?.try_trigger(&"too hot".to_owned())?;
    door.signal("#alarm")?.try_trigger(&"open".to_owned())?;

    println!("-- without the listener to everything");
    drop(everything);
    boiler.signal("temperature")?.try_trigger(&"72 °C".to_owned())?;

    println!("-- who is there\n{router}");
    Ok(())
}
