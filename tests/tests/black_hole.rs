//! A link whose middle stops forwarding: nothing is closed, nothing comes through (promise 3, W6).
//!
//! Two programs in network namespaces of their own, and a third one between them. Needs Linux, `ip` of iproute2 and the
//! right to make namespaces; where one is missing it says so and passes. `simulated` proves the same without them.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    reason = "a broken assumption of a test is a panic with a line number"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use sig_tests::process::Process;

const PERIOD: Duration = Duration::from_secs(1);

/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(400);

/// Runs `ip`, and gives its complaint if it has one.
fn ip(args: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(args.split(' '))
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {args}: {}", complaint.trim()))
}

/// Two namespaces, `a` and `b`, whose only way to each other leads through a third.
struct Network {
    name: String,
}

impl Network {
    fn make() -> Result<Self, String> {
        let network = Self {
            name: format!("sig-{}", std::process::id()),
        };
        let name = &network.name;
        for end in ["a", "middle", "b"] {
            ip(&format!("netns add {name}-{end}"))?;
            ip(&format!("-n {name}-{end} link set lo up"))?;
        }
        for (end, net) in [("a", 1), ("b", 2)] {
            ip(&format!(
                "link add outside netns {name}-{end} type veth peer name to-{end} netns {name}-middle"
            ))?;
            ip(&format!("-n {name}-{end} address add 10.73.{net}.1/24 dev outside"))?;
            ip(&format!("-n {name}-middle address add 10.73.{net}.2/24 dev to-{end}"))?;
            ip(&format!("-n {name}-{end} link set outside up"))?;
            ip(&format!("-n {name}-middle link set to-{end} up"))?;
            ip(&format!("-n {name}-{end} route add default via 10.73.{net}.2"))?;
        }
        network.forward(true)?;
        Ok(network)
    }

    /// Whether the one in the middle forwards.
    fn forward(&self, forwards: bool) -> Result<(), String> {
        let set = format!("echo {} > /proc/sys/net/ipv4/ip_forward", u8::from(forwards));
        let middle = format!("{}-middle", self.name);
        let status = Command::new("ip")
            .args(["netns", "exec", &middle, "sh", "-c", &set])
            .status();
        let done = status.is_ok_and(|status| status.success());
        done.then_some(()).ok_or_else(|| format!("{set}: not allowed"))
    }

    fn run(&self, end: &str, args: &[&str]) -> Process {
        let namespace = format!("{}-{end}", self.name);
        let program = env!("CARGO_BIN_EXE_beating");
        Process::start("ip", &[&["netns", "exec", namespace.as_str(), program], args].concat())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for end in ["a", "middle", "b"] {
            let _ = ip(&format!("netns del {}-{end}", self.name));
        }
    }
}

#[tokio::test]
async fn promise_3_a_middle_that_stops_forwarding_is_a_timeout_at_both_ends() {
    let network = match Network::make() {
        Ok(network) => network,
        Err(reason) => return println!("skipped: there can be no network namespaces: {reason}"),
    };
    let (address, period) = ("10.73.1.1:7300", PERIOD.as_millis().to_string());
    let mut server = network.run("a", &["server", address, &period]);
    let mut client = network.run("b", &["client", address, &period]);
    server.says_line("#connect ").await;
    client.says_line("#connect ").await;

    for round in 0..4 {
        // Nothing but heartbeats, for so long that an end would be noticed; then at different moments between two of them.
        let whole = if round == 0 { 3 } else { 1 };
        tokio::time::sleep(PERIOD * whole + PERIOD * round / 4).await;
        network.forward(false).unwrap();
        let began = Instant::now();
        // The first thing that either of them says since.
        let here = async {
            let said = client.says("anything", |line| Some(line.to_owned())).await;
            (said, began.elapsed())
        };
        let there = async {
            let said = server.says("anything", |line| Some(line.to_owned())).await;
            (said, began.elapsed())
        };
        for (said, after) in <[_; 2]>::from(tokio::join!(here, there)) {
            assert_eq!(said, "#disconnect timeout");
            assert!(
                after >= PERIOD && after <= PERIOD * 5 / 2 + SLACK,
                "noticed after {after:?}"
            );
        }
        network.forward(true).unwrap();
        server.says_line("#connect ").await;
        client.says_line("#connect ").await;
    }
}
