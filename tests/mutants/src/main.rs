//! All functions in one binary, each as its own `main.rs` starts it. The last word of
//! `AWS_LAMBDA_FUNCTION_NAME` says which function to be. Built in the mutated copy alone.

// The SDK's futures nest deeper than the compiler's default depth.
#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use std::time::Duration;
use wigwag_edge::{clock, telemetry};

/// The same as in `functions/default/src/main.rs`.
const ANSWERING: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME")?;
    telemetry::init()?;
    match function.rsplit('-').next().unwrap_or_default() {
        "AuthorizerFunction" => authorizer().await,
        "ConnectFunction" => connect().await,
        "DisconnectFunction" => disconnect().await,
        "DefaultFunction" => default().await,
        "ApiFunction" => api().await,
        "FanoutFunction" => fanout().await,
        _ => Err(format!("AWS_LAMBDA_FUNCTION_NAME: there is no function {function}").into()),
    }
}

async fn authorizer() -> Result<(), Error> {
    let state = &wigwag_authorizer::State::from_env()?;
    state.keys.warm(clock::now_ms()).await;
    run(service_fn(async |event: LambdaEvent<_>| {
        wigwag_authorizer::handle(state, &event.payload, clock::now_ms()).await
    }))
    .await
}

async fn connect() -> Result<(), Error> {
    let state = &wigwag_connect::State::from_env()?;
    run(service_fn(async |event: LambdaEvent<_>| {
        wigwag_connect::handle(state, event.payload, clock::now_ms()).await
    }))
    .await
}

async fn disconnect() -> Result<(), Error> {
    let state = &wigwag_disconnect::State::from_env()?;
    run(service_fn(async |event: LambdaEvent<_>| {
        wigwag_disconnect::handle(state, event.payload, clock::now_ms()).await
    }))
    .await
}

async fn default() -> Result<(), Error> {
    let state = &wigwag_default::State::from_env()?;
    run(service_fn(async |event: LambdaEvent<_>| {
        let deadline = clock::deadline(&event.context, ANSWERING);
        wigwag_default::handle(state, event.payload, deadline, clock::now_ms()).await
    }))
    .await
}

async fn api() -> Result<(), Error> {
    let state = &wigwag_api::State::from_env()?;
    state.keys.warm(clock::now_ms()).await;
    run(service_fn(async |event: LambdaEvent<_>| {
        wigwag_api::handle(state, event.payload, clock::now_ms()).await
    }))
    .await
}

async fn fanout() -> Result<(), Error> {
    let state = &wigwag_fanout::State::from_env()?;
    run(service_fn(async |event: LambdaEvent<_>| {
        let deadlines = wigwag_fanout::Deadlines::from_context(&event.context);
        wigwag_fanout::handle(state, event.payload, deadlines, clock::now_ms()).await
    }))
    .await
}
