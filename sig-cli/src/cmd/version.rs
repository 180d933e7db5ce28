//! `sig version`

use crate::args::Version;
use crate::connect::{connect, lost};
use crate::context::Context;
use crate::exit::{Code, Failure};

/// Prints the version of this command and of the router, if there is one.
pub(crate) async fn run(args: &Version, context: &mut Context) -> Result<Code, Failure> {
    let own = env!("CARGO_PKG_VERSION");
    context.out.show(format_args!("sig {own}"), "sig", &own)?;
    context.out.flush()?;
    let link = match connect(&args.target, context).await {
        Err(failure) if failure.code == Code::NoRouter && args.target.url.is_none() => {
            context.out.show("no router answers", "router", &())?;
            return Ok(Code::Done);
        }
        link => link?,
    };
    let version = context.unless_stopped(link.client.remote_version()).await;
    let url = link.url.clone();
    link.close().await;
    let protocol = version?.map_err(|error| lost(&url, &error))?;
    let value = serde_json::json!({ "protocol": protocol, "url": url.to_string() });
    context
        .out
        .show(format_args!("router at {url}, protocol {protocol}"), "router", &value)?;
    Ok(Code::Done)
}
