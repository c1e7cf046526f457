//! The SQS client and its settings, from the command line and the environment.

use super::RedriveArgs;
use crate::command_error::{CommandError, innermost};
use anyhow::Context as _;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use std::collections::HashMap;
use std::env;
use wigwag_client::Url;

/// Creates a client from the command line and the environment. `aws-config` knows more sources of
/// credentials, but adds the clients of three more services.
pub(super) fn client(args: &RedriveArgs) -> Result<Client, CommandError> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let endpoint = match &args.endpoint_url {
        Some(url) => Some(url.as_str().to_owned()),
        None => set("AWS_ENDPOINT_URL_SQS")
            .or_else(|| set("AWS_ENDPOINT_URL"))
            .or_else(|| endpoint_outside_aws(&args.queue_url)),
    };
    let is_local = endpoint.as_deref().is_some_and(is_on_this_machine);
    let region = args.region.clone();
    let region = region
        .or_else(|| set("AWS_REGION"))
        .or_else(|| set("AWS_DEFAULT_REGION"))
        .or_else(|| region_from_url(&args.queue_url))
        .or_else(|| is_local.then(|| "us-east-1".to_owned()))
        .ok_or_else(|| CommandError::usage("the AWS region is unknown; give --region or AWS_REGION"))?;
    let credentials = match (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => Credentials::new(id, secret, set("AWS_SESSION_TOKEN"), None, "environment"),
        _ if is_local => Credentials::new("local", "local", None, None, "this machine"),
        _ => {
            return Err(CommandError::usage(
                "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or take them from a profile with\n  \
                 eval \"$(aws configure export-credentials --profile NAME --format env)\"",
            ));
        }
    };
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(wigwag_https::client());
    config.set_endpoint_url(endpoint);
    Ok(Client::from_conf(config.build()))
}

/// The endpoint of a queue outside AWS. An SQS emulator uses one endpoint for its queue URLs and
/// its calls.
fn endpoint_outside_aws(queue_url: &Url) -> Option<String> {
    let is_aws = queue_url.host_str().is_some_and(|host| {
        let host = host.trim_end_matches(".cn");
        host.ends_with(".amazonaws.com") || host.ends_with(".api.aws")
    });
    (!is_aws).then(|| queue_url.origin().ascii_serialization())
}

fn is_on_this_machine(url: &str) -> bool {
    let url: Option<Url> = url.parse().ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."))
}

/// The region in `https://sqs.<region>.amazonaws.com/…`.
fn region_from_url(url: &Url) -> Option<String> {
    let rest = url.host_str()?.strip_prefix("sqs.")?;
    let (region, domain) = rest.split_once('.')?;
    domain.starts_with("amazonaws.com").then(|| region.to_owned())
}

/// Converts a failed call into an error of this command.
#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
pub(super) fn failed<E, R>(error: SdkError<E, R>) -> CommandError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match &error {
        SdkError::ServiceError(refusal) => {
            let code = refusal.err().code().unwrap_or("no code");
            let message = refusal.err().message().unwrap_or("no message");
            CommandError::refused(None, format!("SQS refused: {code}: {message}"))
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
            CommandError::Unreachable(format!("cannot reach SQS: {}", innermost(&error)))
        }
        _ => CommandError::Other(anyhow::anyhow!("SQS: {}", DisplayErrorContext(&error))),
    }
}

pub(super) async fn attributes(client: &Client, url: &str) -> Result<HashMap<Attribute, String>, CommandError> {
    let call = client.get_queue_attributes().queue_url(url);
    let output = call.attribute_names(Attribute::All).send().await.map_err(failed)?;
    Ok(output.attributes.unwrap_or_default())
}

pub(super) fn required(attributes: &HashMap<Attribute, String>, name: &Attribute) -> Result<String, CommandError> {
    let value = attributes.get(name).cloned();
    Ok(value.with_context(|| format!("SQS did not return the {} of the queue", name.as_str()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_the_queue_url() {
        let region = |url: &str| region_from_url(&url.parse().unwrap());
        let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/fanout.fifo";
        assert_eq!(region(url).as_deref(), Some("eu-central-1"));
        assert_eq!(region("http://127.0.0.1:4566/000000000000/q.fifo"), None);
        assert_eq!(region("https://sqs.example.org/1/q"), None);
    }

    #[test]
    fn a_queue_outside_aws_uses_the_host_of_its_url_as_endpoint() {
        let endpoint = |url: &str| endpoint_outside_aws(&url.parse().unwrap());
        assert_eq!(
            endpoint("http://127.0.0.1:4566/000000000000/q.fifo").as_deref(),
            Some("http://127.0.0.1:4566")
        );
        for url in [
            "https://sqs.eu-central-1.amazonaws.com/1/q.fifo",
            "https://sqs.cn-north-1.amazonaws.com.cn/1/q.fifo",
            "https://eu-central-1.queue.amazonaws.com/1/q.fifo",
            "https://sqs.eu-central-1.api.aws/1/q.fifo",
        ] {
            assert_eq!(endpoint(url), None, "{url}");
        }
    }

    #[test]
    fn only_a_queue_on_this_machine_needs_no_credentials() {
        assert!(is_on_this_machine("http://127.0.0.1:4566") && is_on_this_machine("http://localhost:4566/"));
        assert!(!is_on_this_machine("https://sqs.eu-central-1.amazonaws.com"));
        assert!(!is_on_this_machine("http://localhost.example.org"));
    }
}
