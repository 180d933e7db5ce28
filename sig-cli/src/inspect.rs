//! Asking a router how it fares.

use serde::de::DeserializeOwned;
use sig_router::RequestError;
use sig_router::inspect::{Page, Query, ROUTER};

use crate::connect::{Link, lost};
use crate::exit::{Code, Failure};

/// Asks for an object.
pub(crate) async fn ask<T: DeserializeOwned>(link: &Link, method: &str, query: &Query) -> Result<T, Failure> {
    let response = link.client.remote_request(ROUTER, method, query).await;
    let response = response.map_err(|error| match error {
        RequestError::NoSuchSender { .. } => {
            let text = format!(
                "the router at {} does not tell how it fares: it is an older one, or pysig's",
                link.url
            );
            Failure::new(Code::NotFound, "no_such_sender", text).with_fix("see who is there: sig ls")
        }
        error => lost(&link.url, &error),
    })?;
    response
        .parse()
        .map_err(|error| Failure::new(Code::Failed, "codec", format_args!("{method} of {ROUTER}: {error}")))
}

/// Asks for the rows of a list, page by page, up to so many.
pub(crate) async fn ask_all<T: DeserializeOwned>(
    link: &Link,
    method: &str,
    mut query: Query,
    most: usize,
) -> Result<Vec<T>, Failure> {
    let mut rows = Vec::new();
    loop {
        let page: Page<T> = ask(link, method, &query).await?;
        rows.extend(page.rows);
        match page.next {
            Some(next) if rows.len() < most => query = query.after(next),
            _ => return Ok(rows),
        }
    }
}
