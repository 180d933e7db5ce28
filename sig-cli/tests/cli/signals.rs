//! Ctrl-C, SIGTERM and closed pipes end the command cleanly.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Finished, Running, Sandbox};
use crate::router::Router;

#[test]
fn a_router_that_is_stopped_closes_and_ends_well() {
    let sandbox = Sandbox::new();
    for signal in ["INT", "TERM"] {
        let router = Router::start(&sandbox, &["--host"]);
        let mut listener = sandbox.start(&["listen", "--url", router.tcp()]);
        listener.note("listening");
        router.process.signal(signal);
        assert!(
            router
                .process
                .finish()
                .expect(0)
                .out
                .contains("{\"closed\":{\"aborted\":0,\"dropped\":0,\"flushed\":")
        );
        listener.note("lost the router");
    }
    assert!(
        !sandbox.path().join("sig.sock").exists(),
        "the socket's file is left behind"
    );
}

#[test]
fn a_listener_that_is_stopped_ends_well() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    for signal in ["INT", "TERM"] {
        let mut listener = sandbox.start(&["listen", "--url", router.tcp()]);
        listener.note("listening");
        listener.signal(signal);
        listener.finish().expect(0);
    }
}

#[test]
fn work_that_was_cut_short_says_so_by_its_code() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut listener = sandbox.start(&["listen", "--count", "5", "--url", router.tcp()]);
        listener.note("listening");
        listener.signal(signal);
        listener.finish().expect(code).says(&["interrupted"]);
    }
}

#[test]
fn a_stream_that_is_cut_short_has_sent_what_it_read() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    let mut listener = sandbox.start(&["listen", "a/b", "--url", router.tcp()]);
    listener.note("listening");
    let mut sender = sandbox.start_with_input(&["trigger", "a", "b", "-", "--url", router.tcp()]);
    sender.write("1\n");
    listener.line("a/b 1");
    sender.signal("INT");
    // Its standard input is still open: waiting for more of it must not keep the command.
    let (input, end) = (sender.stdin.take(), sender.finish());
    end.expect(130);
    drop(input);
}

#[test]
fn waiting_for_a_router_can_be_stopped() {
    let sandbox = Sandbox::new();
    let mut listener = sandbox.start(&["listen", "--wait", "--url", &sandbox.socket()]);
    listener.note("waiting for a router");
    listener.signal("INT");
    listener.finish().expect(130);
}

#[test]
fn a_second_signal_ends_at_once_whatever_blocks() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &[]);
    // Nobody reads the listener's output, so that it blocks in the middle of a line.
    let (_unread, output) = std::io::pipe().unwrap();
    let mut listener = sandbox.command(&["listen", "a/b", "--url", router.tcp()]);
    let mut listener = listener.stdout(output).stderr(Stdio::null()).spawn().unwrap();
    let mut probe = sandbox.start(&["listen", "a/b", "-n", "64", "--url", router.tcp()]);
    probe.note("listening");
    let mut sender = sandbox.start_with_input(&["trigger", "a", "b", "-", "--url", router.tcp()]);
    let line = format!("\"{}\"\n", "x".repeat(60_000));
    sender.write(&line.repeat(64));
    probe.finish().expect(0);
    let began = Instant::now();
    let code = loop {
        let pid = listener.id().to_string();
        let _ = std::process::Command::new("kill")
            .args(["-s", "INT", &pid])
            .stderr(Stdio::null())
            .status();
        match listener.try_wait().unwrap() {
            Some(status) => break status.code(),
            None => assert!(began.elapsed() < Duration::from_secs(30), "it does not end"),
        }
    };
    assert_eq!(code, Some(130));
}

/// Runs a command whose output nobody reads any more.
fn closed_pipe(sandbox: &Sandbox, args: &[&str]) -> Finished {
    let (reader, output) = std::io::pipe().unwrap();
    drop(reader);
    let finished = sandbox
        .command(args)
        .stdout(output)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    Finished {
        code: finished.status.code(),
        out: String::new(),
        err: String::from_utf8(finished.stderr).unwrap(),
    }
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let sandbox = Sandbox::new();
    let router = Router::start(&sandbox, &["--host"]);
    let url = ["--url", router.tcp()];
    for args in [
        &["man"][..],
        &["completions", "bash"],
        &["--help"],
        &["serve", "--help"],
        &[&["ls", "--events"], &url[..]].concat(),
        &[&["version"], &url[..]].concat(),
        &[&["request", "host", "snapshot"], &url[..]].concat(),
        &["serve", "tcp://127.0.0.1:0"],
        &["demo"],
    ] {
        let end = closed_pipe(&sandbox, args).expect(0);
        assert!(!end.err.contains("error"), "{args:?}: {}", end.err);
    }
    let end = closed_pipe(&sandbox, &["listen", "host", "--url", router.tcp()]).expect(0);
    assert!(
        end.err.starts_with("note: listening") && end.err.lines().count() == 1,
        "{end:?}"
    );
}

#[test]
fn a_demo_whose_reader_leaves_cleans_up() {
    let sandbox = Sandbox::new();
    closed_pipe(&sandbox, &["demo"]).expect(0);
    let left = std::fs::read_dir(sandbox.path().join("sig")).unwrap();
    assert!(
        left.flatten()
            .all(|file| file.path().extension().is_none_or(|kind| kind != "sock"))
    );
}

#[test]
fn a_full_disk_is_an_error() {
    let sandbox = Sandbox::new();
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("skipped: no /dev/full here");
        return;
    };
    let end = sandbox.command(&["man"]).stdout(full).output().unwrap();
    assert_eq!(end.status.code(), Some(1));
    assert!(
        String::from_utf8(end.stderr)
            .unwrap()
            .contains("cannot write to standard output")
    );
}

#[test]
fn a_demo_that_is_stopped_ends_well() {
    let sandbox = Sandbox::new();
    let mut demo: Running = sandbox.start(&["demo"]);
    demo.line("host/cpu");
    demo.signal("INT");
    demo.finish().expect(0);
}
