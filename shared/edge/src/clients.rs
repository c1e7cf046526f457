//! Clients of AWS, built once at start.
//!
//! In Lambda the region, the credentials and the endpoints are in the environment, so they are read
//! from there alone: `aws-config` would bring the whole chain of credential providers into every
//! binary (docs/adr/0009). All clients share one HTTPS client, [`wigwag_https::client`].

use crate::config::{ConfigError, required};
use crate::keys::Keys;
use crate::push::Pusher;
use crate::queue::Queue;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use wigwag_store::Store;

/// The store, on the tables that the environment names.
pub fn store() -> Result<Store, ConfigError> {
    Ok(Store::new(
        dynamodb()?,
        required("TIMELINES_TABLE")?,
        required("DIRECTORY_TABLE")?,
    ))
}

/// The pusher. Its endpoint is `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI`, without which it has
/// none.
pub fn pusher() -> Result<Pusher, ConfigError> {
    let config = aws_sdk_apigatewaymanagement::Config::builder()
        .behavior_version(aws_sdk_apigatewaymanagement::config::BehaviorVersion::v2026_01_12())
        .region(region()?)
        .credentials_provider(credentials()?)
        .http_client(wigwag_https::client())
        .endpoint_url(required("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")?);
    Ok(Pusher::new(config))
}

/// The queue to the fan-out workers, at `FANOUT_QUEUE_URL`.
pub fn fanout_queue() -> Result<Queue, ConfigError> {
    queue("FANOUT_QUEUE_URL")
}

/// The queue for tasks that cannot be read or that were given up, at
/// `FANOUT_DEAD_LETTER_QUEUE_URL`.
pub fn fanout_dead_letter_queue() -> Result<Queue, ConfigError> {
    queue("FANOUT_DEAD_LETTER_QUEUE_URL")
}

/// The keys of the tokens, in the secret that `TOKEN_KEY_SECRET` names.
pub fn token_keys() -> Result<Keys, ConfigError> {
    let mut config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::v2026_01_12())
        .region(region()?)
        .credentials_provider(credentials()?)
        .http_client(wigwag_https::client());
    config.set_endpoint_url(endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"));
    Ok(Keys::new(config, required("TOKEN_KEY_SECRET")?))
}

fn queue(url: &'static str) -> Result<Queue, ConfigError> {
    let mut config = aws_sdk_sqs::Config::builder()
        .behavior_version(aws_sdk_sqs::config::BehaviorVersion::v2026_01_12())
        .region(region()?)
        .credentials_provider(credentials()?)
        .http_client(wigwag_https::client());
    config.set_endpoint_url(endpoint("AWS_ENDPOINT_URL_SQS"));
    Ok(Queue::new(config, required(url)?))
}

fn dynamodb() -> Result<aws_sdk_dynamodb::config::Builder, ConfigError> {
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(region()?)
        .credentials_provider(credentials()?)
        .http_client(wigwag_https::client());
    config.set_endpoint_url(endpoint("AWS_ENDPOINT_URL_DYNAMODB"));
    Ok(config)
}

fn region() -> Result<Region, ConfigError> {
    Ok(Region::new(required("AWS_REGION")?))
}

/// The credentials of the function's role. Lambda gives each process its own, valid as long as the
/// process lives.
fn credentials() -> Result<Credentials, ConfigError> {
    let (key_id, secret) = (required("AWS_ACCESS_KEY_ID")?, required("AWS_SECRET_ACCESS_KEY")?);
    Ok(Credentials::new(
        key_id,
        secret,
        std::env::var("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    ))
}

/// The endpoint of a service, if it is not the one of AWS: its own variable, or the one for all.
fn endpoint(service: &str) -> Option<String> {
    std::env::var(service)
        .or_else(|_| std::env::var("AWS_ENDPOINT_URL"))
        .ok()
}
