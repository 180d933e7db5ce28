//! The router between them.

use futures::FutureExt as _;
use sig_core::RawJson;
use sig_router::RequestError;
use sig_tests::process::Process;
use sig_tests::rig::{WAIT, client_of, connected};

use super::super::world::{World, called, callee};
use super::{Fault, ask, late, offline};

pub(super) fn faults() -> Vec<Fault> {
    vec![
        while_it_hangs("the server is closed", async |world| {
            world.server.close(WAIT).await;
        })
        .boxed(),
        while_it_hangs("the server is dropped", async |world| drop(world)).boxed(),
        while_it_hangs("the carrier is stopped", async |world| world.carrier.stop().await).boxed(),
        while_it_hangs("all clients are kicked", async |world| {
            for client in world.server.clients() {
                world.server.kick(client.id, "a test");
            }
        })
        .boxed(),
        killed().boxed(),
        closed_before().boxed(),
    ]
}

/// The asker's link ends, or first the callee's; or the deadline comes before the end of the goodbyes.
fn ended_somehow(answer: &Result<RawJson, RequestError>) -> bool {
    offline(answer) || super::gone(answer) || late(answer) || *answer == Err(RequestError::Cancelled)
}

async fn while_it_hangs(what: &'static str, fault: impl AsyncFnOnce(World)) {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let fault = async {
        called(&mut tells).await;
        fault(world).await;
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    ended.check(what, ended_somehow);
}

async fn killed() {
    let mut process = Process::start(env!("CARGO_BIN_EXE_callee"), &["server", "127.0.0.1:0"]);
    let address = process.says("its address", |line| Some(line.to_owned())).await;
    let asker = client_of(&address);
    connected(&asker).await;
    let fault = async {
        process.says_line("asked").await;
        process.kill().await;
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    ended.check("the server is killed", offline);
}

async fn closed_before() {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let (_sender, _tells) = callee(&client).await;
    connected(&asker).await;
    world.server.close(WAIT).await;
    let ended = ask(asker.remote_request("callee", "echo", &())).await;
    ended.check("the server was closed", offline);
}
