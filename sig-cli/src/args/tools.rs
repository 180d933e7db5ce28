//! Commands about the command itself.

use std::path::PathBuf;

use clap::Args;

/// Print the completion script of a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sig completions bash > ~/.local/share/bash-completion/completions/sig
  sig completions zsh > \"${fpath[1]}/_sig\"
  sig completions fish > ~/.config/fish/completions/sig.fish")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual pages.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sig man | man -l -
  sig man --dir ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Write one file per page into this directory instead
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
}
