//! What can be written on the command line.

mod client;
mod relay;
mod server;
mod tools;
mod zmq;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(crate) use client::{Doctor, Listen, Ls, Request, Target, Top, Trigger, Version};
pub(crate) use relay::{From as RelayFrom, Relay, To as RelayTo, Way as RelayWay};
pub(crate) use server::{Demo, Serve};
pub(crate) use tools::{Completions, Man, Ports};
pub(crate) use zmq::{Forward, Pattern as ForwardPattern};

use crate::exit;

/// Events and requests between programs.
///
/// A router passes events from senders to listeners, and requests to whoever answers them. This command runs a router
/// (serve), takes part in one (listen, trigger, request) and shows what is there (ls) and how it fares (top, doctor).
///
/// To see it at work: sig demo
#[derive(Debug, Parser)]
#[command(
    name = "sig",
    bin_name = "sig",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_long_help = exit::HELP,
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Options that every command takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Common {
    /// Write one JSON object per line, errors and notes too
    #[arg(long, global = true, display_order = 100)]
    pub(crate) json: bool,

    /// Log what happens to standard error (-vv: more, -vvv: everything)
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 101)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Serve(Serve),
    Listen(Listen),
    Trigger(Trigger),
    Request(Request),
    Ls(Ls),
    Top(Top),
    Doctor(Doctor),
    Ports(Ports),
    Forward(Forward),
    Relay(Relay),
    Version(Version),
    Completions(Completions),
    Man(Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use sig_core::Topic;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn data_may_be_a_negative_number_or_a_dash() {
        for data in ["-5", "-", "-1.5e3"] {
            let cli = Cli::try_parse_from(["sig", "trigger", "a", "b", data, "--json"]).unwrap();
            let Command::Trigger(trigger) = cli.command else {
                panic!("not trigger")
            };
            assert_eq!(trigger.data.as_deref(), Some(data));
            assert!(cli.common.json);
        }
    }

    #[test]
    fn listen_hears_everything_unless_told() {
        let topics = |args: &[&str]| match Cli::try_parse_from(args).unwrap().command {
            Command::Listen(listen) => listen.topics,
            other => panic!("{other:?}"),
        };
        assert_eq!(topics(&["sig", "listen"]), [Topic::Router]);
        assert_eq!(topics(&["sig", "listen", "a", "b/c"]).len(), 2);
    }
}
