//! `sig_sensor.h` compiles without a warning, keeps its promises under the sanitizers, and fits.

use std::path::PathBuf;
use std::process::Command;

use sig_tests::boards::{compiled, find, scratch, sensor};

const STRICT: [&str; 6] = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"];
const SANITIZED: [&str; 4] = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

fn test_file(name: &str) -> PathBuf {
    sensor().join("c/test").join(name)
}

/// Compiles a test program and runs it; gives what it printed.
fn run(program: &str, compiler: &str, options: &[&str], arguments: &[&str]) -> String {
    let made = scratch().join(format!("{program}-{compiler}"));
    let mut command = Command::new(compiler);
    command.args(STRICT).args(SANITIZED).args(options);
    let _ = compiled({
        command.arg(test_file(&format!("{program}.c"))).arg("-o").arg(&made);
        command
    });
    let output = Command::new(&made).args(arguments).output().expect("it was built");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} by {compiler}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// Every C compiler that is there. One must be: CONTRIBUTING.md asks for it.
fn compilers() -> Vec<&'static str> {
    let found: Vec<_> = ["gcc", "clang", "cc"]
        .into_iter()
        .filter_map(|name| find(name, &[name]).ok())
        .collect();
    assert!(!found.is_empty(), "no C compiler");
    found
}

/// Its state is at most 2 KiB: pointers are longer here than on a board, so this is the most it takes anywhere.
#[test]
fn the_header_keeps_its_promises_under_the_sanitizers() {
    for compiler in compilers() {
        let said = run("sensor_test", compiler, &["-std=c99"], &[]);
        assert!(said.contains("promises kept"), "{said}");
        let size = said
            .split(", ")
            .find_map(|part| part.strip_suffix(" bytes of state\n")?.parse::<usize>().ok());
        assert!(size.is_some_and(|size| (100..=2048).contains(&size)), "{said}");
    }
}

#[test]
fn the_header_takes_whatever_a_line_brings() {
    let said = run("fuzz", compilers()[0], &["-std=c99", "-DSIG_FUZZ_MAIN"], &["3", "1"]);
    let words: Vec<_> = said.split(' ').collect();
    let [inputs, _, calls, ..] = words[..] else {
        panic!("{said}");
    };
    let (inputs, calls): (u64, u64) = (inputs.parse().expect("a number"), calls.parse().expect("a number"));
    assert!(inputs >= 1000 && calls > 100, "{said}");
}

/// As C and as C++, alone in a file and twice in a program.
#[test]
fn the_header_compiles_without_a_warning() {
    let header = sensor().join("c");
    let use_it = "#include \"sig_sensor.h\"\n#include \"sig_sensor.h\"\n";
    let implement_it = format!("#define SIG_SENSOR_IMPLEMENTATION\n{use_it}");
    let mut tried = 0;
    for (compiler, language, standards) in [
        ("gcc", "c", &["c99", "c11"][..]),
        ("clang", "c", &["c99"]),
        ("g++", "c++", &["c++11", "c++20"]),
        ("clang++", "c++", &["c++11"]),
        ("cc", "c", &["c99"]),
    ] {
        if find(compiler, &[compiler]).is_err() {
            continue;
        }
        for standard in standards {
            let folder = scratch().join(format!("{compiler}-{standard}"));
            std::fs::create_dir_all(&folder).expect("a place for files");
            let use_file = folder.join("use.c");
            let implement_file = folder.join("implement.c");
            let main = "int main(void) { static sig_sensor sensor; return sensor.n == 0 ? 0 : 1; }\n";
            std::fs::write(&use_file, format!("{use_it}{main}")).expect("a file");
            std::fs::write(&implement_file, &implement_it).expect("a file");
            let mut command = Command::new(compiler);
            command
                .args(STRICT)
                .arg(format!("-std={standard}"))
                .args(["-O2", "-x", language]);
            command.arg("-I").arg(&header).arg(use_file).arg(implement_file);
            command.arg("-o").arg(folder.join("program"));
            let said = compiled(command);
            assert_eq!(said, "", "{compiler} {standard}");
            tried += 1;
        }
    }
    assert!(tried > 0, "no compiler");
}

/// In the firmware everything that lives is the header's state, and the firmware's own ring and few numbers.
#[test]
fn the_whole_firmware_lives_in_2_kib_without_an_allocator() {
    if !sig_tests::boards::Board::QemuFrames.is_there() {
        return;
    }
    let elf = scratch().join("SIG_FRAMES.elf");
    let mut command = Command::new("arm-none-eabi-nm");
    command.arg("--print-size").arg(elf);
    let output = command.output().expect("it is there with the compiler");
    let symbols = String::from_utf8(output.stdout).expect("text");
    let mut memory = 0;
    for symbol in symbols.lines() {
        let words: Vec<_> = symbol.split(' ').collect();
        let name = words.last().expect("a line has a word");
        assert!(!["malloc", "_sbrk", "calloc", "free"].contains(name), "{symbol}");
        if let [_, size, "b" | "B" | "d" | "D", _] = words[..] {
            memory += u32::from_str_radix(size, 16).expect("nm writes sizes");
        }
    }
    assert!((200..=2048).contains(&memory), "{memory} bytes:\n{symbols}");
}
