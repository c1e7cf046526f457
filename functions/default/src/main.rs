//! Starts the function.

// The SDK's futures nest deeper than the compiler's default depth.
#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use std::time::Duration;
use wigwag_default::{State, handle};
use wigwag_edge::{clock, telemetry};

/// Time that is kept for the answer: pushes end this long before the function is cut off.
const ANSWERING: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init()?;
    let state = State::from_env()?;
    let state = &state;
    run(service_fn(async |event: LambdaEvent<_>| {
        let deadline = clock::deadline(&event.context, ANSWERING);
        handle(state, event.payload, deadline, clock::now_ms()).await
    }))
    .await
}
