//! Starts the function.

// The SDK's futures nest deeper than the compiler's default depth.
#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use wigwag_api::{State, handle};
use wigwag_edge::{clock, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init()?;
    let state = State::from_env()?;
    state.keys.warm(clock::now_ms()).await;
    let state = &state;
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(state, event.payload, clock::now_ms()).await
    }))
    .await
}
