//! Finding the router that a command talks to.

use std::fmt;
use std::time::Duration;

use sig_core::{CarrierError, CarrierUrl};
use sig_router::{ClientRouter, LinkState};

use crate::args::Target;
use crate::carriers;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::stop::GRACE;

/// How long one address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long saying goodbye may take where nothing else is to be sent.
const GOODBYE: Duration = Duration::from_millis(500);

/// Between two rounds of looking for a router that is waited for.
const PAUSE: Duration = Duration::from_millis(250);

/// A router that answered.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: ClientRouter,
    pub(crate) url: CarrierUrl,
}

impl Link {
    /// Ends the link.
    pub(crate) async fn close(self) {
        self.client.close(GOODBYE).await;
    }

    /// Ends the link when what is on its way to the router has gone out.
    pub(crate) async fn flush_and_close(self) {
        self.client.close(GRACE).await;
    }
}

/// Connects to the router that was named, or to the first usual one that answers.
pub(crate) async fn connect(target: &Target, context: &Context) -> Result<Link, Failure> {
    context.unless_stopped(search(target, context)).await?
}

async fn search(target: &Target, context: &Context) -> Result<Link, Failure> {
    let urls = match &target.url {
        Some(url) => vec![url.clone()],
        None => carriers::usual(),
    };
    let mut told = false;
    loop {
        let mut tried = Vec::new();
        for url in &urls {
            match attempt(url).await? {
                Ok(client) => {
                    return Ok(Link {
                        client,
                        url: url.clone(),
                    });
                }
                Err(why) => tried.push(format!("{url}: {why}")),
            }
        }
        if !target.wait {
            return Err(nobody(&tried, target.url.as_ref()));
        }
        if !told {
            context.out.note(
                "waiting",
                format_args!("waiting for a router; tried {}", tried.join("; ")),
            );
            told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// One address. The inner error is for what may be different at another address or time.
pub(crate) async fn attempt(url: &CarrierUrl) -> Result<Result<ClientRouter, String>, Failure> {
    let carrier = carriers::schemes()
        .dial(&url.to_string())
        .map_err(|error| bad_address(url, &error))?;
    let client = ClientRouter::connect(carrier).map_err(|error| Failure::new(Code::Failed, "system", error))?;
    let mut states = client.states();
    let settled = states.wait_for(|state| !matches!(state, LinkState::Connecting));
    let why = match tokio::time::timeout(PATIENCE, settled).await {
        Ok(Ok(state)) => match &*state {
            LinkState::Connected => None,
            LinkState::Waiting { error, .. } => Some(error.to_string()),
            LinkState::Refused { code, text } => {
                let text = format!("the router at {url} refused: {text}");
                return Err(Failure::new(Code::Refused, "refused", format_args!("{text} ({code})")));
            }
            other => Some(format!("{other:?}")),
        },
        Ok(Err(_)) => Some("the link was closed".to_owned()),
        Err(_) => Some(format!("no answer within {PATIENCE:?}")),
    };
    match why {
        None => Ok(Ok(client)),
        Some(why) => {
            client.close(Duration::ZERO).await;
            Ok(Err(why))
        }
    }
}

/// An address that cannot be used at all. The error says what to write instead; one that knows nothing of URLs, because
/// it speaks of the part behind the scheme, is completed.
pub(crate) fn bad_address(url: &CarrierUrl, error: &CarrierError) -> Failure {
    match error {
        CarrierError::Address { address, why } if !address.starts_with(&format!("{}:", url.scheme())) => {
            Failure::new(Code::Usage, "address", format_args!("address {url}: {why}"))
                .with_fix(format!("write it as {}://HOST:PORT", url.scheme()))
        }
        _ => Failure::new(Code::Usage, "address", error),
    }
}

fn nobody(tried: &[String], named: Option<&CarrierUrl>) -> Failure {
    let text = format!("no router answers\n  {}", tried.join("\n  "));
    Failure::new(Code::NoRouter, "no_router", text).with_fix(match named {
        Some(url) => format!("check the address, or start a router there: sig serve {url}"),
        None => "start one: sig serve\nor name the one you mean: --url tcp://HOST:PORT".to_owned(),
    })
}

/// The link broke under a command.
pub(crate) fn lost(url: &CarrierUrl, error: &dyn fmt::Display) -> Failure {
    Failure::new(
        Code::NoRouter,
        "link_lost",
        format_args!("the router at {url} did not answer: {error}"),
    )
}
