//! Starts the authorizer.

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use wigwag_authorizer::{State, handle};
use wigwag_edge::clock;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let state = State::from_env()?;
    let state = &state;
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(state, &event.payload, clock::now_ms()).map_err(Error::from)
    }))
    .await
}
