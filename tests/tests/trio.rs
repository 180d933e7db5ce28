//! pysig's trio as three processes: in any order, and through a crash of the server.

#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use sig_tests::process::Process;
use sig_tests::rig::lasting_address;

const ORDERS: [[&str; 3]; 6] = [
    ["server", "publisher", "listener"],
    ["server", "listener", "publisher"],
    ["publisher", "server", "listener"],
    ["publisher", "listener", "server"],
    ["listener", "server", "publisher"],
    ["listener", "publisher", "server"],
];

/// Waits until the listener has heard the server of this process id, and of `another_timer` an event that the
/// publisher triggered after the router (again) had it.
async fn heard(listener: &mut Process, server: u32, publisher: &mut Process) {
    let live: u64 = publisher
        .says("live", |line| line.strip_prefix("live ")?.parse().ok())
        .await;
    let (mut timer, mut another) = (false, false);
    listener
        .says("both timers", |line| {
            match line.split_once(' ')? {
                ("timer", id) => timer |= id.parse() == Ok(server),
                ("another_timer", count) => another |= count.parse::<u64>().ok()? >= live,
                _ => {}
            }
            (timer && another).then_some(())
        })
        .await;
}

async fn starts_in_any_order_and_survives_crashes(mut address: impl FnMut() -> String) {
    for order in ORDERS {
        println!("{order:?}");
        let address = address();
        let mut processes = [const { None }; 3];
        for (slot, role) in processes.iter_mut().zip(order) {
            let mut process = Process::start(env!("CARGO_BIN_EXE_trio"), &[role, &address]);
            // It has done what it can before the next one starts, or has tried in vain.
            let says = if role == "server" { "listening" } else { "started" };
            process.says_line(says).await;
            *slot = Some((role, process));
        }
        let mut take = |wanted: &str| {
            let found = processes
                .iter_mut()
                .find(|slot| matches!(slot, Some((role, _)) if *role == wanted));
            found.unwrap().take().unwrap().1
        };
        let (mut server, mut publisher, mut listener) = (take("server"), take("publisher"), take("listener"));
        heard(&mut listener, server.id(), &mut publisher).await;

        for _ in 0..2 {
            server.kill().await;
            server = Process::start(env!("CARGO_BIN_EXE_trio"), &["server", &address]);
            server.says_line("listening").await;
            heard(&mut listener, server.id(), &mut publisher).await;
        }
    }
}

#[tokio::test]
async fn starts_in_any_order_and_survives_crashes_of_the_server_over_tcp() {
    starts_in_any_order_and_survives_crashes(lasting_address).await;
}

#[cfg(unix)]
#[tokio::test]
async fn starts_in_any_order_and_survives_crashes_of_the_server_over_local_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let mut count = 0;
    starts_in_any_order_and_survives_crashes(|| {
        count += 1;
        let socket = directory.path().join(format!("trio{count}"));
        socket.to_str().unwrap().to_owned()
    })
    .await;
}
