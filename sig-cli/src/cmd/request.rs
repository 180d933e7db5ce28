//! `sig request`

use sig_core::RawJson;
use sig_router::RequestError;

use crate::args::Request;
use crate::connect::connect;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::one_line;

/// Asks, and prints the response.
pub(crate) async fn run(args: &Request, context: &mut Context) -> Result<Code, Failure> {
    let params = params(args.params.as_deref())?;
    let link = connect(&args.target, context).await?;
    let asked = link
        .client
        .remote_request(args.sender.as_str(), args.method.as_str(), &params);
    let response = context.unless_stopped(asked.timeout(args.timeout).into_future()).await;
    link.close().await;
    match response? {
        Ok(response) => context.out.raw(format!("{}\n", one_line(response.text())).as_bytes())?,
        Err(error) => return Err(failure(args, &error)),
    }
    Ok(Code::Done)
}

fn params(text: Option<&str>) -> Result<RawJson, Failure> {
    let Some(text) = text else {
        return Ok(RawJson::null());
    };
    RawJson::from_text(text).map_err(|error| {
        Failure::new(
            Code::Usage,
            "not_json",
            format_args!("the parameters are not JSON: {error}"),
        )
        .with_fix("quote them for the shell, such as '[1, 2]' or '\"text\"'")
    })
}

/// What the error means to somebody at a shell.
fn failure(args: &Request, error: &RequestError) -> Failure {
    let (sender, method) = (&args.sender, &args.method);
    let failure = |code: Code, text: String| Failure::new(code, error.code(), text);
    match error {
        RequestError::NoSuchSender { .. } => {
            failure(Code::NotFound, format!("no sender {sender} is connected")).with_fix("see who is there: sig ls")
        }
        RequestError::NoSuchMethod { .. } => failure(Code::NotFound, format!("sender {sender} has no method {method}")),
        RequestError::NotSupported { .. } => failure(Code::NotFound, format!("sender {sender} answers no requests")),
        RequestError::TimedOut { after } => failure(
            Code::TimedOut,
            format!("{sender} did not answer {method} within {after:?}"),
        )
        .with_fix("give it longer: --timeout 60s"),
        RequestError::NotConnected => failure(
            Code::NoRouter,
            format!("the link to the router was lost before {sender} answered"),
        ),
        RequestError::Busy | RequestError::Refused(_) => failure(Code::Refused, error.to_string()),
        RequestError::HandlerFailed { code, text } => {
            let code = code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            failure(
                Code::Failed,
                format!("{sender} failed to answer {method}{code}: {text}"),
            )
        }
        other => failure(Code::Failed, other.to_string()),
    }
}
