//! The callee, and its link.

use futures::FutureExt as _;
use sig_router::ClientRouter;
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{client_of, connected};

use super::super::world::{World, called, callee};
use super::{Fault, ask, gone, late};

pub(super) fn faults() -> Vec<Fault> {
    vec![
        removed().boxed(),
        killed().boxed(),
        on_the_cable("the callee's link is cut", Cable::Cut).boxed(),
        on_the_cable("the callee's link is dead", Cable::Silent).boxed(),
        on_the_cable("the callee hears nothing", Cable::Deaf).boxed(),
        before_it_is_asked("the callee's link is cut before it is asked", Cable::Cut).boxed(),
        before_it_is_asked("the callee's link is dead before it is asked", Cable::Silent).boxed(),
        name_taken_meanwhile().boxed(),
        router_dropped().boxed(),
        router_closed().boxed(),
    ]
}

async fn removed() {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let (sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let fault = async {
        called(&mut tells).await;
        sender.remove().await;
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    ended.check("the callee is removed", gone);
}

async fn killed() {
    let world = World::tcp();
    let asker = world.client();
    let mut process = world.callee().unwrap();
    process.says_line("ready").await;
    connected(&asker).await;
    let fault = async {
        process.says_line("asked").await;
        process.kill().await;
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    ended.check("the callee's program is killed", gone);
}

async fn on_the_cable(what: &'static str, cable: Cable) {
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (asker, client) = (world.client(), client_of(&proxy.address.to_string()));
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let fault = async {
        called(&mut tells).await;
        proxy.set(cable);
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    ended.check(what, if cable == Cable::Cut { gone } else { late });
}

async fn before_it_is_asked(what: &'static str, cable: Cable) {
    let world = World::tcp();
    let proxy = Proxy::to(world.address()).await;
    let (asker, client) = (world.client(), client_of(&proxy.address.to_string()));
    let (_sender, _tells) = callee(&client).await;
    connected(&asker).await;
    proxy.set(cable);
    let ended = ask(asker.remote_request("callee", "echo", &())).await;
    // The server may or may not know yet, and a sender that is away is not connected.
    let not_there = |answer: &_| gone(answer) || matches!(answer, Err(sig_router::RequestError::NoSuchSender { .. }));
    ended.check(what, |answer| {
        if cable == Cable::Cut {
            not_there(answer)
        } else {
            late(answer)
        }
    });
}

async fn name_taken_meanwhile() {
    let world = World::tcp();
    let (asker, client, other) = (world.client(), world.client(), world.client());
    let (sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let fault = async {
        called(&mut tells).await;
        sender.remove().await;
        callee(&other).await
    };
    let (ended, (_sender, mut others)) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    ended.check("another takes the callee's name", gone);
    // Nobody asked the other one.
    assert!(others.try_recv().is_err());
}

async fn router_ends(what: &'static str, end: impl AsyncFnOnce(ClientRouter)) {
    let world = World::tcp();
    let (asker, client) = (world.client(), world.client());
    let (_sender, mut tells) = callee(&client).await;
    connected(&asker).await;
    let fault = async {
        called(&mut tells).await;
        end(client).await;
    };
    let (ended, ()) = tokio::join!(ask(asker.remote_request("callee", "hang", &())), fault);
    // In good order, running requests have half a second: more than this one takes.
    ended.check(what, |answer| gone(answer) || late(answer));
}

async fn router_dropped() {
    router_ends("the callee's router is dropped", async |client| drop(client)).await;
}

async fn router_closed() {
    router_ends("the callee's router is closed", async |client| {
        client.close(sig_tests::rig::WAIT).await;
    })
    .await;
}
