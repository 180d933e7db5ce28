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

/// List the serial ports of this machine, without opening any.
///
/// Opening a port resets many boards: this only reads what the system knows of them. Each line begins with an address that
/// means this board alone and, where it can, stays the same when the board is plugged in elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json each port is an object with the fields address, device, by_id, by_path, and, of a
USB board, vid, pid, sn, manufacturer, product; null is what is not known.

Examples:
  sig ports
  sig serve \"$(sig ports --json | jq -r .address | head -n 1)\"")]
pub(crate) struct Ports {}

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
