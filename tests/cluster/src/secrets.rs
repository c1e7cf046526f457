//! The key that signs tokens. Read and rotated with Secrets Manager, as an operator does it.

use crate::Cluster;
use anyhow::{Context as _, Result};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use wigwag_edge::TokenKeys;
use wigwag_local::lambda::REGION;
use wigwag_local::stack::RunningStack;

/// Length of a key in characters, as in the template.
const KEY_CHARS: i64 = 64;

/// The key that the stack signs with now.
pub(crate) async fn key_of(stack: &RunningStack) -> Result<String> {
    let read = client_of(stack).get_secret_value().secret_id(secret_of(stack)?);
    read.send().await?.secret_string.context("a key is a text")
}

/// The keys of a stack that signs with this key.
pub(crate) fn keys(key: &str) -> Result<TokenKeys> {
    TokenKeys::new(key, "").context("the key is too short")
}

fn client_of(stack: &RunningStack) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("local", "local", None, None, "stories"))
        .http_client(wigwag_https::client())
        .endpoint_url(&stack.aws_endpoint_url);
    Client::from_conf(config.build())
}

fn secret_of(stack: &RunningStack) -> Result<&str> {
    let mut secrets = stack.stack.secrets.iter();
    let secret = secrets.find(|secret| secret.logical_id == "TokenKeySecret");
    Ok(&secret.context("the template has no such secret")?.arn)
}

impl Cluster {
    /// A client of Secrets Manager.
    pub fn secrets(&self) -> Client {
        client_of(&self.stack)
    }

    /// ARN of the secret that contains the key.
    pub fn token_secret(&self) -> Result<&str> {
        secret_of(&self.stack)
    }

    /// The key that the stack signs with now.
    pub async fn token_key(&self) -> Result<String> {
        key_of(&self.stack).await
    }

    /// Makes a new key the current one.
    pub async fn rotate(&mut self) -> Result<()> {
        let secrets = self.secrets();
        let made = secrets
            .get_random_password()
            .password_length(KEY_CHARS)
            .exclude_punctuation(true);
        let key = made.send().await?.random_password.context("a password was made")?;
        let put = secrets.put_secret_value().secret_id(self.token_secret()?);
        put.secret_string(&key).send().await?;
        self.keys = keys(&key)?;
        Ok(())
    }
}
