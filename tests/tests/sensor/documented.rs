//! What docs/SERIAL.md shows is what is there, and works.

use std::fs;
use std::path::Path;
use std::process::Command;

use sig_carrier_serial::framing::{Item, Reader, Settings};
use sig_carrier_serial::{Check, Options};
use sig_tests::boards::{Board, compiled, find, scratch, sensor};
use sig_tests::process::Process;

use super::built;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SERIAL.md");
    fs::read_to_string(path).expect("it is there")
}

/// The first code block of this language, as it stands between its fences.
fn block(language: &str) -> String {
    let page = page();
    let (before, rest) = page
        .split_once(&format!("```{language}\n"))
        .expect("there is such a block");
    let indent = before.rsplit('\n').next().expect("a line has a beginning").len();
    let (code, _) = rest.split_once("```").expect("it ends");
    let lines = code.lines().map(|line| line.get(indent..).unwrap_or_default());
    lines
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
        + "\n"
}

#[test]
fn the_sketch_on_the_page_is_the_file() {
    let sketch = sensor().join("arduino/plain_board/plain_board.ino");
    assert_eq!(block("cpp"), fs::read_to_string(sketch).expect("it is there"));
}

#[test]
fn the_c_on_the_page_compiles() {
    let compiler = find("cc", &["gcc", "cc", "clang"]).expect("CONTRIBUTING.md asks for a C compiler");
    let file = scratch().join("page.c");
    fs::write(&file, block("c")).expect("a file");
    let mut command = Command::new(compiler);
    command.args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "-I"]);
    command
        .arg(sensor().join("c"))
        .arg(&file)
        .arg("-o")
        .arg(file.with_extension("o"));
    assert_eq!(compiled(command), "");
}

/// The board that a computer plays, as somebody without a board would build it.
#[test]
fn the_commands_without_a_board_work() {
    if find("c++", &["c++"]).is_err() {
        return;
    }
    let folder = scratch().join("arduino");
    for part in ["shim", "plain_board"] {
        fs::create_dir_all(folder.join(part)).expect("a folder");
        for file in fs::read_dir(sensor().join("arduino").join(part)).expect("it is there") {
            let file = file.expect("a file");
            fs::copy(file.path(), folder.join(part).join(file.file_name())).expect("it can be copied");
        }
    }
    let commands = block("sh");
    let (build, run) = commands.trim_end().split_once('\n').expect("two commands");
    let status = Command::new("sh").args(["-c", build]).current_dir(&folder).status();
    assert!(status.expect("there is a shell").success());
    assert_eq!(run.split(' ').next(), Some("./board"));
    assert!(folder.join("board").is_file());
}

/// The five minutes, with a board that is played, and places of this test instead of the usual ones.
#[tokio::test]
async fn the_five_minutes_work() {
    if !Board::PlainSketch.is_there() {
        return;
    }
    let page = page();
    let commands: Vec<_> = page
        .split("```console\n")
        .skip(1)
        .take(2)
        .flat_map(|block| block.split("```").next().expect("it ends").lines())
        .filter_map(|line| line.trim().strip_prefix("sig "))
        .collect();
    let [_ports, serve, listen, request] = commands[..] else {
        panic!("other commands: {commands:?}");
    };
    let (link, place) = (scratch().join("minutes"), tempfile::tempdir().expect("a place"));
    let url = format!("ipc://{}", place.path().join("sig.sock").display());
    let sig = |line: &str| {
        let line = line
            .replace("ipc://", &url)
            .replace("/dev/ttyACM0", &link.display().to_string());
        let mut command = tokio::process::Command::new(&built::programs()["sig"]);
        command.args(line.split(' ')).env("SIG_URL", &url);
        Process::of(&line, command)
    };
    let board = Board::PlainSketch.plug(&link).await;
    let mut router = sig(serve);
    router
        .says("that it serves", |line| line.contains(&url).then_some(()))
        .await;
    let mut listener = sig(&format!("{listen} --wait"));
    listener
        .says("a temperature", |line| line.contains("temp").then_some(()))
        .await;
    sig(request)
        .says("the answer", |line| (line == "true").then_some(()))
        .await;
    board.unplug().await;
    let left = |line: &str| line.contains("#disconnect {").then_some(());
    listener.says("that the board left", left).await;
    let _board = Board::PlainSketch.plug(&link).await;
    let back = |line: &str| line.contains("#connect {").then_some(());
    listener.says("that it is back", back).await;
}

#[test]
fn every_option_on_the_page_is_one_and_none_is_missing() {
    let page = page();
    let (_, section) = page.split_once("\n## Options\n").expect("there is a section");
    let (section, _) = section.split_once("\n## ").expect("it ends");
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" |"));
    let mut options: Vec<_> = rows
        .flat_map(|(names, _)| names.split(", ").map(|name| name.trim_matches('`').to_owned()))
        .collect();
    options.sort();
    assert!(options.len() >= 17, "{options:?}");
    let refused = |option: &str| {
        let url = format!("serial:///dev/ttyACM0?{option}=").parse().expect("a URL");
        Options::from_url(&url).expect_err("no option is empty").to_string()
    };
    for option in &options {
        assert!(!refused(option).contains("no option"), "{option}: {}", refused(option));
    }
    // The text that refuses what is no option names those that are.
    let known = refused("bawd");
    let mut missing: Vec<_> = known
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.contains('_') && !["reset_on_open", "ttyACM0"].contains(word))
        .filter(|word| !options.iter().any(|option| option == word))
        .collect();
    missing.dedup();
    assert!(missing.is_empty(), "{missing:?} of {known}");
}

#[test]
fn the_check_sum_on_the_page_is_right() {
    let mut reader = Reader::new(Settings {
        check: Check::Crc32,
        ..Settings::default()
    });
    let lines = block("text");
    let checked = lines.lines().nth(1).expect("two lines");
    reader.push(format!("{checked}\n").as_bytes());
    assert!(
        matches!(reader.next_item(), Some(Item::Document { framed: false, .. })),
        "{checked}"
    );
    assert_eq!(lines.lines().next(), checked.split('*').next());
}
