//! How to start a stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::build::Bootstraps;
use crate::faults::FaultPlan;
use crate::gateway::{GatewayFaults, Limits};
use crate::lambda::Tuning;
use crate::template::{Secrets, TemplateOptions};

/// How to start a stack. The default is `template.yaml`, in memory, on free ports.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The template.
    pub template: PathBuf,
    /// Values for its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Directory for tables, queues and secrets. Without one they are kept in memory.
    pub data_dir: Option<PathBuf>,
    /// Port of the WebSocket APIs; 0 means any.
    pub websocket_port: u16,
    /// Port of the HTTP APIs; 0 means any.
    pub http_port: u16,
    /// Port of the AWS endpoint; 0 means any.
    pub aws_port: u16,
    /// The source of the functions' binaries.
    pub bootstraps: Bootstraps,
    /// Limits of the WebSocket APIs.
    pub limits: Limits,
    /// Faults of sockets that one test asks for.
    pub faults: GatewayFaults,
    /// Random faults in all parts.
    pub fault_plan: FaultPlan,
    /// Seed of the random faults.
    pub fault_seed: u64,
    /// Settings of the process pools, and the destination of the functions' output.
    pub tuning: Tuning,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            template: PathBuf::from("template.yaml"),
            parameters: BTreeMap::new(),
            data_dir: None,
            websocket_port: 0,
            http_port: 0,
            aws_port: 0,
            bootstraps: Bootstraps::default(),
            limits: Limits::default(),
            faults: GatewayFaults::default(),
            fault_plan: FaultPlan::default(),
            fault_seed: 0,
            tuning: Tuning::default(),
        }
    }
}

impl StackOptions {
    /// How to read the template.
    pub(super) fn template_options(&self) -> TemplateOptions {
        TemplateOptions {
            parameters: self.parameters.clone(),
            secrets: self
                .data_dir
                .as_deref()
                .map_or_else(Secrets::in_memory, Secrets::in_directory),
            ..TemplateOptions::default()
        }
    }
}
