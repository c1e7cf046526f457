//! A running stack of a test's own.

use crate::accounts::Account;
use crate::device::Device;
use crate::dial::Dial;
use crate::secrets;
use crate::template_file::template;
use anyhow::{Context as _, Result};
use std::sync::atomic::AtomicU64;
use wigwag_edge::TokenKeys;
use wigwag_local::gateway::Rate;
use wigwag_local::meter::Reading;
use wigwag_local::stack::{RunningStack, StackOptions};

/// A running stack. Each story starts one of its own.
#[derive(Debug)]
pub struct Cluster {
    /// The stack.
    pub stack: RunningStack,
    pub(crate) http: reqwest::Client,
    /// Numbers the phones of the accounts.
    pub(crate) phones: AtomicU64,
    /// Sign tokens as the stack does.
    pub keys: TokenKeys,
}

/// The template's parameters that limit how much a route takes.
const RATES: [&str; 4] = [
    "FramesPerSecond",
    "ConnectionsPerSecond",
    "RequestsPerSecond",
    "LoginsPerSecond",
];

impl Cluster {
    /// Starts the project's template with its defaults.
    pub async fn start() -> Result<Self> {
        Self::with(|_| {}).await
    }

    /// Starts the project's template with some template parameters set.
    pub async fn with_parameters(parameters: &[(&str, &str)]) -> Result<Self> {
        let owned = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self::with(|options| options.parameters.extend(owned)).await
    }

    /// Starts the project's template with some options changed.
    ///
    /// Its routes take as much as an AWS account allows: a crowd here does in a second what users
    /// do in a day.
    pub async fn with(change: impl FnOnce(&mut StackOptions)) -> Result<Self> {
        let mut options = StackOptions {
            template: template(),
            ..StackOptions::default()
        };
        let account = Rate::default().per_second.to_string();
        let raised = RATES.map(|rate| (rate.to_owned(), account.clone()));
        options.parameters.extend(raised);
        change(&mut options);
        let stack = RunningStack::start(options).await.context("start the stack")?;
        let key = secrets::key_of(&stack).await.context("read the key of the tokens")?;
        Ok(Self {
            stack,
            http: http(),
            phones: AtomicU64::new(1),
            keys: secrets::keys(&key)?,
        })
    }

    /// Stops the stack, and waits until no process is left.
    ///
    /// # Panics
    /// If a worker left a failure of a FIFO batch unreported: AWS might have deleted the message.
    pub async fn stop(self) {
        let unreported = self.stack.meter().read().queues.unreported_failures;
        self.stack.stop().await;
        assert_eq!(unreported, 0, "some messages failed and were not reported as failed");
    }

    /// A connection to be opened, without a token.
    pub fn dial(&self) -> Dial {
        Dial::new(&self.stack.websocket_url)
    }

    /// Connects a device with its token in the query and protobuf frames.
    pub async fn device(&self, account: &Account) -> Result<Device> {
        let dial = self.dial().token(&account.token).subprotocols("wigwag.pb.v1");
        dial.connect().await.context("connect")
    }

    /// Connects a device that speaks JSON.
    pub async fn json_device(&self, account: &Account) -> Result<Device> {
        self.dial().token(&account.token).connect().await.context("connect")
    }

    /// What the stack has counted since it started, or since the last reset.
    pub async fn meter(&self) -> Result<Reading> {
        let url = format!("{}/_local/meter", self.stack.aws_endpoint_url);
        Ok(self.http.get(url).send().await?.json().await?)
    }

    /// Counts from zero again.
    pub async fn reset_meter(&self) -> Result<()> {
        let url = format!("{}/_local/meter/reset", self.stack.aws_endpoint_url);
        self.http.post(url).send().await?.error_for_status()?;
        Ok(())
    }
}

/// An HTTP client. reqwest needs a cryptography provider, even for plain HTTP.
fn http() -> reqwest::Client {
    // Refused from the second cluster on.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
