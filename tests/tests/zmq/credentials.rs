//! Who may connect: passwords and keys, right and wrong, of pyzmq and of ours.

use std::fs;
use std::path::Path;

use serde_json::json;
use sig_carrier_zmq::{Keypair, ZmqFactory};
use sig_core::CarrierFactory as _;
use sig_router::{ClientRouter, LinkState};
use sig_tests::pyzmq::Pyzmq;
use sig_tests::rig::{becomes, connected};

use crate::world::Served;

fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn certificate(keys: &Keypair) -> String {
    format!(
        "curve\n    public-key = \"{}\"\n    secret-key = \"{}\"\n",
        keys.public().to_z85(),
        keys.secret_z85()
    )
}

/// A client of ours with these options in its address.
fn client(served: &Served, options: &str) -> ClientRouter {
    let url = format!("zmq:{}?{options}", served.endpoint);
    let carrier = ZmqFactory::default().dial(&url.parse().unwrap()).unwrap();
    ClientRouter::connect(carrier).unwrap()
}

/// It is not let in, and nothing that it says of that has a secret in it.
async fn refused(client: &ClientRouter, secret: &str) {
    let state = becomes(client.states(), |state| matches!(state, LinkState::Waiting { .. })).await;
    assert!(!format!("{state:?}").contains(secret), "{state:?}");
}

#[tokio::test]
async fn passwords_let_in_who_knows_them() {
    let directory = tempfile::tempdir().unwrap();
    let users = file(directory.path(), "users", "ada:enchantress\nbob:builder\n");
    let served = Served::at(&format!("zmq:tcp://127.0.0.1:*?plain={users}"));
    let ada = file(directory.path(), "ada", "ada:enchantress\n");
    let eve = file(directory.path(), "eve", "ada:Enchantress\n");

    connected(&client(&served, &format!("plain={ada}"))).await;
    refused(&client(&served, &format!("plain={eve}")), "nchantress").await;
    refused(&client(&served, ""), "nchantress").await;

    let Some(pyzmq) = Pyzmq::available() else { return };
    let security = json!({ "plain": ["bob", "builder"] });
    let mut bob = pyzmq.secure_client(&served.endpoint, "DEALER", "", &security).await;
    assert_eq!(bob.ok("get_version", json!({})).await, "1.01");
    for security in [json!({ "plain": ["bob", "wrecker"] }), json!({})] {
        let mut eve = pyzmq.secure_client(&served.endpoint, "DEALER", "", &security).await;
        eve.send("get_version", json!({})).await;
        eve.says("refused").await;
    }
}

#[tokio::test]
async fn keys_let_in_who_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let [router, ours, theirs, stranger] = [(); 4].map(|()| Keypair::generate());
    let keys = file(directory.path(), "router.key_secret", &certificate(&router));
    let list = format!("{}\n{}\n", ours.public().to_z85(), theirs.public().to_z85());
    let clients = file(directory.path(), "clients", &list);
    let served = Served::at(&format!("zmq:tcp://127.0.0.1:*?curve={keys}&clients={clients}"));
    let server = file(directory.path(), "router.key", &router.public().to_z85());
    let own = file(directory.path(), "own.key_secret", &certificate(&ours));
    let other = file(directory.path(), "other.key_secret", &certificate(&stranger));
    let wrong = file(directory.path(), "wrong.key", &stranger.public().to_z85());

    connected(&client(&served, &format!("curve={own}&server={server}"))).await;
    for options in [
        format!("curve={other}&server={server}"),
        format!("curve={own}&server={wrong}"),
        format!("server={server}"),
        String::new(),
    ] {
        refused(&client(&served, &options), &ours.secret_z85()).await;
    }

    let Some(pyzmq) = Pyzmq::available() else { return };
    let of = |server: &Keypair, own: &Keypair| json!({ "curve": [server.public().to_z85(), own.public().to_z85(), own.secret_z85()] });
    let security = of(&router, &theirs);
    let mut dealer = pyzmq.secure_client(&served.endpoint, "DEALER", "", &security).await;
    assert_eq!(dealer.ok("get_version", json!({})).await, "1.01");
    for security in [of(&router, &stranger), json!({})] {
        let mut eve = pyzmq.secure_client(&served.endpoint, "DEALER", "", &security).await;
        eve.send("get_version", json!({})).await;
        eve.says("refused").await;
    }
    assert_eq!(served.router.clients().len(), 1);
}
