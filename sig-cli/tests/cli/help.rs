//! Help, completions and manual pages.

use crate::golden::golden;
use crate::harness::Sandbox;

const COMMANDS: [&str; 14] = [
    "demo",
    "serve",
    "listen",
    "trigger",
    "request",
    "ls",
    "top",
    "doctor",
    "forward",
    "relay",
    "version",
    "completions",
    "man",
    "ports",
];

#[test]
fn every_help_is_as_it_was() {
    let sandbox = Sandbox::new();
    golden("sig", &sandbox.run(&["--help"]).expect(0).out);
    for command in COMMANDS {
        let help = sandbox.run(&[command, "--help"]).expect(0);
        assert_eq!(help.err, "");
        golden(&format!("sig-{command}"), &help.out);
        assert_eq!(sandbox.run(&["help", command]).expect(0).out, help.out);
    }
    for way in ["from", "to"] {
        let help = sandbox.run(&["relay", way, "--help"]).expect(0);
        golden(&format!("sig-relay-{way}"), &help.out);
    }
}

#[test]
fn no_command_at_all_shows_what_there_is() {
    let shown = Sandbox::new().run(&[]).expect(2);
    assert_eq!(shown.out, "");
    shown.says(&["Usage: sig", "serve", "demo"]);
}

#[test]
fn the_exit_codes_are_in_the_help_and_the_manual() {
    let sandbox = Sandbox::new();
    for args in [["help"], ["man"]] {
        let text = sandbox.run(&args).expect(0).out;
        assert!(text.contains("no router answers") || args == ["help"], "{text}");
    }
    assert!(sandbox.run(&["--help"]).expect(0).out.contains("3  no router answers"));
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path().join("man/man1");
    let written = sandbox.run(&["man", "--dir", dir.to_str().unwrap()]).expect(0).out;
    assert_eq!(written.lines().count(), 1 + COMMANDS.len());
    for command in COMMANDS {
        let page = std::fs::read_to_string(dir.join(format!("sig-{command}.1"))).unwrap();
        assert!(page.contains(&format!(".TH sig-{command} 1")), "{page}");
    }
}

#[test]
fn completions_name_the_commands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.run(&["completions", shell]).expect(0).out;
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} does not complete {command}");
        }
    }
}
