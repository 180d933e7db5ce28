//! pysig's own clients: they do not see `#router` unless they name it, and then they do.

use serde_json::{Value, json};
use sig_tests::pysig::{Peer, Pysig};
use sig_tests::rig::{TcpServer, connected, soon};

async fn call(peer: &Peer, method: &str, params: Value) -> Value {
    let reply = peer.ok("call", json!({ "method": method, "params": params })).await;
    assert_eq!(reply["status"], 0, "{method}: {reply}");
    reply["response"].clone()
}

#[tokio::test]
async fn p48_list_senders_does_not_name_the_routers_own_sender() {
    let server = TcpServer::start();
    let port: u16 = server.address.rsplit(':').next().unwrap().parse().unwrap();
    for pysig in Pysig::all() {
        let client = pysig.spawn().await;
        assert_eq!(client.ok("connect", json!({ "port": port })).await, true);
        let _sender = server.router.add_sender("here").event("e").connect().unwrap();
        let listed = call(&client, "list_senders", json!({ "list_events": true })).await;
        let mut names: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["sender"].clone())
            .collect();
        names.sort_by_key(ToString::to_string);
        assert_eq!(names, [json!("here"), Value::Null]);
        assert!(!listed.to_string().contains("client_connected"), "{listed}");
    }
}

#[tokio::test]
async fn a_pysig_client_hears_and_asks_it_only_by_name() {
    for pysig in Pysig::all() {
        let server = TcpServer::start();
        let port: u16 = server.address.rsplit(':').next().unwrap().parse().unwrap();
        let client = pysig.spawn().await;
        assert_eq!(client.ok("connect", json!({ "port": port })).await, true);
        for (id, sender, event) in [
            ("everything", Value::Null, Value::Null),
            ("presence", Value::Null, json!("#connect")),
            ("named", json!("#router"), json!("client_connected")),
        ] {
            let params = json!({ "id": id, "sender": sender, "event": event });
            assert_eq!(client.ok("add_remote_listener", params).await, true);
        }
        let native = server.client();
        soon("the link", connected(&native)).await;
        let heard = client.heard("named").await;
        assert_eq!(
            (heard.sender, heard.event),
            (json!("#router"), json!("client_connected"))
        );
        assert_eq!(heard.data["dialect"], "sig/1");
        let _fence = server.router.add_sender("fence").event("e").connect().unwrap();
        for id in ["everything", "presence"] {
            let heard = client.heard(id).await;
            assert_eq!((heard.sender, heard.event), (json!("fence"), json!("#connect")), "{id}");
        }

        let info = call(
            &client,
            "request",
            json!({ "sender": "#router", "method": "info", "params": null }),
        )
        .await;
        assert_eq!(info["clients"], 2);
        let params = json!({ "limit": 2 });
        let clients = call(
            &client,
            "request",
            json!({ "sender": "#router", "method": "clients", "params": params }),
        )
        .await;
        let dialects: Vec<_> = clients["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["dialect"])
            .collect();
        assert_eq!(dialects, ["pysig", "sig/1"]);
    }
}
