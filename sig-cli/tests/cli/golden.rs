//! Texts that are compared with files.

use std::path::Path;

use crate::harness::Sandbox;

/// Set it to write the files instead of comparing with them.
const UPDATE: &str = "SIG_UPDATE_GOLDEN";

/// The text is that of this file.
pub(crate) fn golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.txt"));
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if std::env::var_os(UPDATE).is_some() {
        return std::fs::write(file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        text == expected,
        "{} is not what the command says now; if that is right, run the tests with {UPDATE}=1\n{text}",
        file.display()
    );
}

/// What is said about commands that cannot be done, with their exit codes; some words are replaced by others that are always the same.
#[cfg(unix)]
pub(crate) fn refusals(sandbox: &Sandbox, commands: &[&[&str]], words: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for args in commands {
        let refused = sandbox.run(args);
        assert_eq!(refused.out, "", "{args:?}");
        let args: Vec<_> = args
            .iter()
            .map(|arg| {
                if arg.is_empty() || arg.contains([' ', '*']) {
                    format!("'{arg}'")
                } else {
                    (*arg).to_owned()
                }
            })
            .collect();
        let code = refused.code.expect("it ends by itself");
        text.push_str(&format!(
            "$ sig {}\n{}exit code {code}\n\n",
            args.join(" "),
            refused.err
        ));
    }
    // Each system has numbers of its own.
    while let Some((before, behind)) = text.split_once(" (os error ") {
        let behind = behind.split_once(')').map_or("", |(_, behind)| behind);
        text = format!("{before}{behind}");
    }
    words.iter().fold(text, |text, (word, other)| text.replace(word, other))
}
