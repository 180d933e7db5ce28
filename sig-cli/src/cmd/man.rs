//! `sig man`

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::args::{Cli, Man};
use crate::exit::{Code, Failure};
use crate::output::Output;

/// Prints the pages one after the other, or writes them to files.
pub(crate) fn run(args: &Man, out: &mut Output) -> Result<Code, Failure> {
    let pages = pages().map_err(|error| Failure::system("cannot write the manual pages", &error))?;
    match &args.dir {
        None => pages.iter().try_for_each(|(_, page)| out.raw(page))?,
        Some(dir) => {
            for (name, page) in &pages {
                let file = write(dir, name, page)
                    .map_err(|error| Failure::system(&format!("cannot write to {}", dir.display()), &error))?;
                out.show(&file, "page", &file)?;
            }
        }
    }
    Ok(Code::Done)
}

fn write(dir: &Path, name: &str, page: &[u8]) -> io::Result<String> {
    std::fs::create_dir_all(dir)?;
    let file = dir.join(format!("{name}.1"));
    std::fs::write(&file, page)?;
    Ok(file.display().to_string())
}

/// The page of `sig` and one for each of its commands.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut sig = Cli::command().disable_help_subcommand(true);
    sig.build();
    let commands = sig.get_subcommands().filter(|command| !command.is_hide_set());
    std::iter::once(&sig).chain(commands).map(page).collect()
}

fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let name = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_owned();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .manual("sig manual")
        .render(&mut page)?;
    Ok((name, page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_the_codes_are_in_the_first() {
        let pages = pages().unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[..3], ["sig", "sig-demo", "sig-serve"]);
        assert_eq!(names.len(), 1 + Cli::command().get_subcommands().count());
        let first = String::from_utf8(pages[0].1.clone()).unwrap();
        assert!(first.contains("Exit codes") && first.contains("no router answers"));
    }
}
