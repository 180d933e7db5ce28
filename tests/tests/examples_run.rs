//! Every example runs to its end and says what it should.

mod built;

use std::process::Stdio;
use std::time::Duration;

use sig_tests::process::Process;
use tokio::net::TcpSocket;
use tokio::process::Command;
use tokio::time::timeout;

/// No example takes more than a few seconds, but a machine may be busy.
const WAIT: Duration = Duration::from_secs(60);

/// The examples that run for ever: they have a test of their own, together.
const TRIO: [&str; 3] = ["timer_server", "another_timer", "timer_listener"];

/// Runs an example to its end and gives what it printed, which must hold these texts in this order.
async fn run(example: &str, expected: &[&str]) -> String {
    let program = built::programs().get(example).expect("cargo built it");
    let output = Command::new(program).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(WAIT, output).await.expect("it ends").expect("it starts");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example}: {}\n{text}{errors}", output.status);
    let mut rest = &*text;
    for expected in expected {
        let Some(at) = rest.find(expected) else {
            panic!("{example} does not print {expected:?} (in this place):\n{text}");
        };
        rest = &rest[at + expected.len()..];
    }
    text
}

#[tokio::test]
async fn quickstart() {
    run("quickstart", &["timer says hello\n", "a tic every 1.5 s\n"]).await;
}

#[tokio::test]
async fn channels() {
    let order =
        ["everything: ", "all of boiler: ", "the channel: "].map(|form| format!("{form:<19}boiler/#alarm too hot\n"));
    let text = run(
        "channels",
        &[
            &*order.concat(),
            "the channel:       door/#alarm open",
            "[boiler] (connected)",
        ],
    )
    .await;
    assert!(!text.contains("everything:        boiler/temperature 72"), "{text}");
}

#[tokio::test]
async fn requests() {
    let expected = [
        "84 / 2 = 42\n",
        "no method sing, but here I am\n",
        "division by zero (code Some(\"zero\"))\n",
        "nonsense: ",
        "a long nap: no answer within ",
        "there is no typewriter\n",
    ];
    run("requests", &expected).await;
}

#[tokio::test]
async fn blocking() {
    let expected = [
        "the oven heats to 180 degrees\n",
        "reading 1: 60 degrees\nreading 2: 180 degrees\nreading 3: 220 degrees\n",
        "too hot: switched off\n",
        "nothing new for 50 ms\n",
        "closed, 0 events dropped\n",
    ];
    run("blocking", &expected).await;
}

#[tokio::test]
async fn gauge() {
    let expected = [
        "the display begins with 100, which was there: true\n",
        "the recorder got 900\n",
        "the display shows 1000 and skipped 899\n",
    ];
    run("gauge", &expected).await;
}

#[tokio::test]
async fn presence() {
    let expected = [
        "lamp is here: ",
        "requests Some([Some(\"toggle\")])\nlamp left: removed\n",
        "lamp is here: ",
        "lamp left: closed\n",
        "radio is here: ",
        "radio left: kicked\n",
        "radio is here: ",
        "radio left: link_lost\n",
    ];
    run("presence", &expected).await;
}

#[tokio::test]
async fn zmq_relay() {
    run("zmq_relay", &["camera/frame is a cat\n", "camera/frame is a dog\n"]).await;
}

#[tokio::test]
async fn push_service() {
    let expected = [
        "alice to bob: pushed\n",
        "bob to carol: nobody listens\n",
        "bob got \"lunch?\" from alice\nalice got \"in ten minutes\" from bob\n",
    ];
    run("push_service", &expected).await;
}

#[tokio::test]
async fn disk_usage() {
    let text = run("disk_usage", &["disks@", " is there\n", " has left\n"]).await;
    // A container may have no disk of its own to show, but what is shown is shown three times.
    let reports = text.lines().filter(|line| line.contains(" % used, ")).count();
    assert_eq!(reports % 3, 0, "{text}");
}

#[tokio::test]
#[cfg(unix)]
async fn ipc_pair() {
    let expected = [
        "the worker is process ",
        "1 + 2 + .. + 100 = 5050\n",
        "the worker says progress: all done\n",
        "the worker left (closed)\n",
        "exit status: 0\n",
    ];
    run("ipc_pair", &expected).await;
}

#[tokio::test]
#[cfg(not(unix))]
async fn ipc_pair_says_that_the_platform_has_no_local_sockets() {
    let program = built::programs().get("ipc_pair").expect("cargo built it");
    let output = Command::new(program).output().await.expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("tcp"), "{errors}");
}

#[tokio::test]
#[cfg(unix)]
async fn greenhouse() {
    let expected = [
        "here are bed, tank, weather\n",
        "alarm of bed: frost\nthe window is shut\n",
        "the air of weather is dry\n",
        "alarm of tank: no water\n",
        "the log has:\n",
        "  bed/#alarm \"frost\"\n  bed/temp 2.5\n",
        "  tank/#alarm \"no water\"\n  tank/level 0.8\n  tank/log \"pump is dry\"\n",
        "  weather/hum 39\n  weather/hum 40\n  weather/hum 40\n",
        "  weather/temp 21.5\n  weather/temp 21.5\n  weather/temp 21.75\n",
        "tank left: link_lost\n",
    ];
    run("greenhouse", &expected).await;
}

#[tokio::test]
#[cfg(unix)]
async fn framed_sensor() {
    let expected = [
        "100 g\n1 was lost on the line\n300 g\n",
        "tare: 300\ntare: ",
        "tare wants grams, not less than none",
    ];
    run("framed_sensor", &expected).await;
}

#[tokio::test]
#[cfg(unix)]
async fn shared_board() {
    let mut expected = Vec::new();
    for (turn, role) in ["display", "logger", "control"].iter().enumerate() {
        expected.push(format!("{role} is number {} to ask\n", turn + 1));
    }
    for role in ["display", "logger", "control"] {
        expected.push(format!("{role} heard 100 readings, 5050 in all\n"));
    }
    run("shared_board", &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

#[tokio::test]
#[cfg(unix)]
async fn pi_link() {
    let expected = [
        "zoom is 8\n",
        "the camera is here, over serial\na picture of 120000 letters\nthe camera left: link_lost\n",
    ];
    run("pi_link", &expected).await;
}

#[tokio::test]
async fn child_process() {
    let expected = [
        "life 1 of the worker: it squares 1, 2, 3 to [1, 4, 9]\n",
        "and the request fails: sender worker left",
        "it is gone: ",
        "life 2 of the worker: it squares 1, 2, 3 to [1, 4, 9]\n",
        "done\n",
    ];
    run("child_process", &expected).await;
}

#[tokio::test]
async fn custom_codec() {
    let expected = [
        "a page of 2200 letters arrived\n",
        "the server packed ",
        "without the codec: ",
        "same codec",
    ];
    let text = run("custom_codec", &expected).await;
    let line = text.lines().find(|line| line.contains("packed")).expect("it says so");
    let sizes: Vec<usize> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(matches!(sizes[..], [plain, packed] if packed < plain / 2), "{line}");
}

/// A port that nobody else is given while this lives. A listening socket may still be bound to it, except on Windows.
fn reserve() -> (Option<TcpSocket>, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("a socket has this option");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = socket.local_addr().expect("it is bound").to_string();
    (Some(socket).filter(|_| cfg!(not(windows))), address)
}

/// The three together, the server last; it crashes and comes back, and nobody else does anything about it.
#[tokio::test]
async fn timer_trio() {
    let (_reserved, address) = reserve();
    let start = |example: &str| Process::start(&built::programs()[example], &[&address, "--period", "0.05"]);
    let mut listener = start("timer_listener");
    let mut another = start("another_timer");
    for life in 0..2 {
        let mut server = start("timer_server");
        server.says_line(&format!("listening on tcp://{address}")).await;
        if life == 0 {
            another
                .says_line(&format!("the server at {address} knows another_timer"))
                .await;
        }
        let (mut timer, mut other) = (false, false);
        let heard = |line: &str| {
            timer |= line.starts_with("'tic' received from 'timer' (data: ");
            other |= line.starts_with("'tic' received from 'another_timer' (data: ");
            (timer && other).then_some(())
        };
        listener.says("both timers", heard).await;
        server.kill().await;
        listener
            .says("the loss", |line| line.starts_with("no link: ").then_some(()))
            .await;
    }
}

#[tokio::test]
async fn timer_trio_ends_when_told() {
    let (_reserved, address) = reserve();
    let args = [&*address, "--seconds", "0.3"];
    let mut programs = TRIO.map(|example| Process::start(&built::programs()[example], &args));
    for program in &mut programs {
        program.says_line("done").await;
    }
}

#[test]
fn no_example_is_left_out() {
    let manifest = std::fs::read_to_string(built::root().join("examples/Cargo.toml")).expect("there is one");
    let examples = manifest
        .split("[[example]]\nname = \"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'));
    for (name, _) in examples {
        assert!(
            include_str!("examples_run.rs").contains(&format!("\"{name}\"")),
            "nothing runs the example {name}"
        );
    }
    assert!(manifest.contains("[[example]]"));
}
