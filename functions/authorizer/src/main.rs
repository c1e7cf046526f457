//! Starts the authorizer.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use wigwag_authorizer::{State, handle};
use wigwag_edge::{clock, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init()?;
    let state = State::from_env()?;
    let state = &state;
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(state, &event.payload, clock::now_ms()).map_err(Error::from)
    }))
    .await
}
