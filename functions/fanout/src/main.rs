//! Starts the function.

// The SDK's futures nest deeper than the compiler's default depth.
#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use wigwag_edge::{clock, telemetry};
use wigwag_fanout::{Deadlines, State, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init()?;
    let state = State::from_env()?;
    let state = &state;
    run(service_fn(async |event: LambdaEvent<_>| {
        let deadlines = Deadlines::from_context(&event.context);
        handle(state, event.payload, deadlines, clock::now_ms()).await
    }))
    .await
}
