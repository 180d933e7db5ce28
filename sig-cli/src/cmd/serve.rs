//! `sig serve`

use crate::args::Serve;
use crate::connect::bad_address;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::exposure;
use crate::serving::{Listening, Serving};
use crate::{carriers, taken};

/// Runs a router until it is told to end.
pub(crate) async fn run(args: &Serve, context: &mut Context) -> Result<Code, Failure> {
    let urls = if args.urls.is_empty() {
        carriers::usual()
    } else {
        args.urls.clone()
    };
    let mut exposures = Vec::new();
    for url in &urls {
        carriers::check(url).map_err(|error| bad_address(url, &error))?;
        exposures.push(exposure::check(url, args.insecure)?);
    }
    let mut listening = Vec::new();
    for (url, exposure) in urls.iter().zip(exposures) {
        match Listening::open(url, exposure) {
            Ok(one) => listening.push(one),
            Err(error) => return Err(taken::explain(url, &error).await),
        }
    }
    let mut serving = Serving::start(listening, context)?;
    let end = until_stopped(args, &mut serving, context).await;
    serving.close(&mut context.out).await.and(end)
}

async fn until_stopped(args: &Serve, serving: &mut Serving, context: &mut Context) -> Result<Code, Failure> {
    if args.host {
        serving.add_host(args.period, &mut context.out)?;
    }
    context.out.show("Ready. Ctrl-C ends it.", "ready", &true)?;
    context.out.flush()?;
    loop {
        tokio::select! {
            () = context.stop.requested() => return Ok(Code::Done),
            (word, text) = serving.news() => context.out.note(word, text),
        }
    }
}
