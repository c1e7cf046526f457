//! A running stack: its addresses, its parts, and how it stops.

use std::collections::BTreeMap;
use std::fs::File;

use futures_util::future::join_all;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::StackStartError;
use crate::faults::Injector;
use crate::gateway::http::HttpServer;
use crate::gateway::{Gateway, PostFault};
use crate::lambda::{ACCOUNT_ID, Lambda, REGION};
use crate::mapping::{MappingServices, Mappings};
use crate::meter::Meter;
use crate::sqs::Sqs;
use crate::template;

/// A running stack. It stops when this is dropped; [`RunningStack::stop`] also waits until it has
/// stopped.
#[derive(Debug)]
pub struct RunningStack {
    /// `ws://127.0.0.1:PORT/STAGE`, or without the stage if the template has not exactly one
    /// WebSocket API.
    pub websocket_url: String,
    /// `http://127.0.0.1:PORT`, with the stage if the only HTTP API has a stage other than
    /// `$default`.
    pub http_url: String,
    /// `http://127.0.0.1:PORT`: the `AWS_ENDPOINT_URL` for clients of the stack's services.
    pub aws_endpoint_url: String,
    /// The template that runs.
    pub stack: template::Stack,
    pub(super) meter: Meter,
    pub(super) faults: Injector,
    pub(super) lambda: Lambda,
    pub(super) sqs: Sqs,
    pub(super) mappings: Option<Mappings>,
    pub(super) gateway: Gateway,
    pub(super) http: HttpServer,
    pub(super) tasks: TaskTracker,
    pub(super) stop: DropGuard,
    /// Held while the data directory is in use.
    pub(super) _lock: Option<File>,
}

impl RunningStack {
    /// The URLs of the template's queues, by logical id.
    pub fn queue_urls(&self) -> BTreeMap<&str, String> {
        let url = |name: &str| format!("{}/{}/{name}", self.aws_endpoint_url, ACCOUNT_ID);
        let queues = self.stack.queues.iter();
        queues
            .map(|queue| (queue.logical_id.as_str(), url(&queue.name)))
            .collect()
    }

    /// Counts what the stack has done so far.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The faults of the plan: shows them, pauses them and resumes them.
    pub fn faults(&self) -> &Injector {
        &self.faults
    }

    /// Invokes the stack's functions directly.
    pub fn lambda(&self) -> &Lambda {
        &self.lambda
    }

    /// From here on, posts to a connection of a WebSocket API have this fault, until another call
    /// changes it.
    pub fn harm_posts(&self, connection_id: &str, fault: PostFault) {
        self.gateway.harm_posts(connection_id, fault);
    }

    /// The stack's queues.
    pub fn sqs(&self) -> &Sqs {
        &self.sqs
    }

    /// Stops everything and waits until no process is left.
    ///
    /// Running batches of queues end first, while the services that they call still run. Each may
    /// take as long as its function.
    pub async fn stop(self) {
        self.faults.pause();
        if let Some(mappings) = &self.mappings {
            mappings.stop().await;
        }
        self.gateway.stop().await;
        self.http.stop().await;
        self.lambda.stop().await;
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn start_mappings(&self, kill: &CancellationToken) -> Mappings {
        let services = MappingServices {
            sqs: self.sqs.clone(),
            lambda: self.lambda.clone(),
            meter: self.meter.clone(),
            faults: self.faults.clone(),
            region: REGION.to_owned(),
        };
        Mappings::start(&self.stack.mappings, &self.stack.functions, &services, kill)
    }

    /// Starts a process of each function, so that its first caller does not find one that exits at
    /// its start.
    pub(super) async fn warm(&self) -> Result<(), StackStartError> {
        let started = join_all(self.stack.functions.keys().map(|function| self.lambda.warm(function))).await;
        let failed: Vec<_> = started.into_iter().filter_map(Result::err).collect();
        if failed.is_empty() {
            Ok(())
        } else {
            Err(StackStartError::Functions(failed))
        }
    }
}
