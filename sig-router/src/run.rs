//! One run of a carrier, whatever the carrier does.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use sig_core::{Carrier, CarrierError, Disconnect, Inbound, Tasks, Uplink};

use crate::request::panic_text;

/// Runs a carrier until it ends: by itself, with a panic, or, once told to stop, after `grace` at the latest. What it
/// spawned has ended then as well, and `settle` was called before it is told that all its clients are gone.
pub(crate) async fn run_carrier(
    carrier: &Arc<dyn Carrier>,
    inbound: Arc<dyn Inbound>,
    tasks: &Tasks,
    grace: Duration,
    settle: impl FnOnce(&Result<(), CarrierError>),
) -> Result<(), CarrierError> {
    let run = tasks.child();
    let uplink = Uplink::new(inbound, run.clone());
    let running = AssertUnwindSafe(Arc::clone(carrier).run(uplink.clone())).catch_unwind();
    let overdue = async {
        run.stop_token().cancelled().await;
        tokio::time::sleep(grace).await;
    };
    let ended = tokio::select! {
        biased;
        ended = running => ended.unwrap_or_else(|panic| {
            Err(CarrierError::Other(format!("the carrier panicked: {}", panic_text(&*panic))))
        }),
        () = overdue => Err(CarrierError::Other(format!("the carrier did not stop within {grace:?}"))),
    };
    run.shutdown(grace).await;
    settle(&ended);
    carrier
        .handle_all_clients_disconnected(&uplink, Disconnect::closed())
        .await;
    ended
}
