//! One board, three processes: a port has one owner, the router, and everybody else shares the board through it.
//!
//! The program starts itself three times. Each hears every reading, and each may ask the board.

use std::error::Error;

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("boards are played over pseudo-terminals, which this platform has not; take a real one and `sig serve`".into())
}

#[cfg(unix)]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    match &args[..] {
        [_, role, socket] => unix::share(role, socket).await,
        _ => unix::own().await,
    }
}

#[cfg(unix)]
mod unix {
    use std::error::Error;
    use std::process::Stdio;
    use std::sync::Arc;

    use sig_carrier_serial::{Listener, Options, Place, Port};
    use sig_examples::board::Board;
    use sig_router::{ClientRouter, ServerRouter};
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::process::Command;

    const READINGS: u32 = 100;

    /// Owns the port.
    pub(super) async fn own() -> Result<(), Box<dyn Error>> {
        let socket = format!("shared-board-{}", std::process::id());
        let server = ServerRouter::new()?;
        server.attach(Arc::new(sig_carrier_ipc::listen(&socket)?));
        let (mut asked, mut last) = (0, String::new());
        let board = Board::with_lines(move |line| {
            if line.contains("\"hello\"") {
                return Some(r#"{"hello":"board","events":["reading"],"requests":["turn"]}"#.to_owned());
            }
            let (_, id) = line.split_once("\"id\":")?;
            let (id, _) = id.split_once(',')?;
            // The same line once more: the router did not hear the answer yet.
            if line != last {
                asked += 1;
                line.clone_into(&mut last);
            }
            Some(format!(r#"{{"id":{id},"response":{asked}}}"#))
        })?;
        let port = Port::new(Place::Device(board.device().to_owned()), Options::new())?;
        server.attach(Arc::new(Listener::new(port)));

        let mut children = Vec::new();
        for role in ["display", "logger", "control"] {
            let mut child = Command::new(std::env::current_exe()?)
                .args([role, &socket])
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            let mut lines = BufReader::new(child.stdout.take().ok_or("it was piped")?).lines();
            println!("{}", lines.next_line().await?.ok_or("it ended early")?);
            children.push((child, lines));
        }
        for reading in 1..=READINGS {
            board.print(format!("{{\"reading\":{reading}}}\n")).await;
        }
        for (mut child, mut lines) in children {
            println!("{}", lines.next_line().await?.ok_or("it ended early")?);
            child.wait().await?;
        }
        Ok(())
    }

    /// Shares the board.
    pub(super) async fn share(role: &str, socket: &str) -> Result<(), Box<dyn Error>> {
        let client = ClientRouter::connect(Arc::new(sig_carrier_ipc::dial(socket)?))?;
        let mut presence = client.listen_remote("board/#connect").await?;
        presence.recv().await.ok_or("the router is closed")??;
        let mut readings = client.listen_remote("board/reading").await?;
        let turn: u32 = client.remote_request("board", "turn", &()).await?.parse()?;
        println!("{role} is number {turn} to ask");
        let mut heard = Vec::new();
        while heard.last() != Some(&READINGS) {
            heard.push(readings.recv().await.ok_or("the router is closed")??.decode::<u32>()?);
        }
        println!(
            "{role} heard {} readings, {} in all",
            heard.len(),
            heard.iter().sum::<u32>()
        );
        Ok(())
    }
}
