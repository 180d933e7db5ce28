//! The commands, one file each.

mod completions;
mod demo;
mod doctor;
mod forward;
mod listen;
mod ls;
mod man;
mod ports;
mod relay;
mod request;
mod serve;
mod top;
mod trigger;
mod version;
mod zeromq;

use crate::args::{Command, Common};
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::Output;

/// Runs the command.
pub(crate) fn run(command: &Command, common: Common) -> Result<Code, Failure> {
    let mut out = Output::new(common.json);
    match command {
        Command::Completions(args) => {
            completions::run(args, &mut out)?;
            return out.flush().map(|()| Code::Done);
        }
        Command::Man(args) => {
            man::run(args, &mut out)?;
            return out.flush().map(|()| Code::Done);
        }
        Command::Ports(_) => {
            ports::run(&mut out)?;
            return out.flush().map(|()| Code::Done);
        }
        _ => {}
    }
    let mut runtime = match command {
        // To hand a message to another thread costs more than to pass it on.
        Command::Forward(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|error| Failure::system("cannot start", &error))?;
    let result = runtime.block_on(async {
        let mut context = Context::new(out)?;
        let code = network(command, &mut context).await?;
        context.out.flush().map(|()| code)
    });
    // A thread may still wait for standard input or a dead file system: it must not keep the process.
    runtime.shutdown_background();
    result
}

async fn network(command: &Command, context: &mut Context) -> Result<Code, Failure> {
    match command {
        Command::Demo(args) => demo::run(args, context).await,
        Command::Serve(args) => serve::run(args, context).await,
        Command::Listen(args) => listen::run(args, context).await,
        Command::Trigger(args) => trigger::run(args, context).await,
        Command::Request(args) => request::run(args, context).await,
        Command::Ls(args) => ls::run(args, context).await,
        Command::Top(args) => top::run(args, context).await,
        Command::Doctor(args) => doctor::run(args, context).await,
        Command::Forward(args) => forward::run(args, context).await,
        Command::Relay(args) => relay::run(args, context).await,
        Command::Version(args) => version::run(args, context).await,
        Command::Completions(_) | Command::Man(_) | Command::Ports(_) => Ok(Code::Done),
    }
}
