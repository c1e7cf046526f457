//! Clients of AWS, built once at start.

use crate::config::ConfigError;
use crate::push::Pusher;
use crate::required;
use aws_config::{BehaviorVersion, SdkConfig};
use wigwag_store::Store;

/// Region, credentials and endpoints from the environment, as every AWS SDK reads them (`AWS_ENDPOINT_URL*` included).
pub async fn sdk_config() -> SdkConfig {
    aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await
}

/// The store, on the tables that the environment names.
pub fn store(config: &SdkConfig) -> Result<Store, ConfigError> {
    let tables = (required("TIMELINES_TABLE")?, required("DIRECTORY_TABLE")?);
    Ok(Store::new(
        aws_sdk_dynamodb::config::Builder::from(config),
        tables.0,
        tables.1,
    ))
}

/// The store of a function that uses the timelines alone.
pub fn timelines(config: &SdkConfig) -> Result<Store, ConfigError> {
    Ok(Store::new(
        aws_sdk_dynamodb::config::Builder::from(config),
        required("TIMELINES_TABLE")?,
        "",
    ))
}

/// The way to devices. Its endpoint is `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI`, which the SDK reads by itself and
/// without which there is none to post to.
pub fn pusher(config: &SdkConfig) -> Result<Pusher, ConfigError> {
    required("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI")?;
    Ok(Pusher::new(config))
}
