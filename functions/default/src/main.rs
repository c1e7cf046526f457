//! Starts the function.

// The SDK's futures nest deeper than the compiler's default depth.
#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use wigwag_default::{State, handle};
use wigwag_edge::clock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let state = State::from_env().await?;
    let state = &state;
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(state, event.payload, clock::now_ms()).await
    }))
    .await
}
