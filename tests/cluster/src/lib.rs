//! A running stack for tests: its accounts, devices, groups, queues, secrets and budgets.
//!
//! A [`Cluster`] runs the project's own `template.yaml`. A [`Device`] speaks the wire protocol over
//! a real socket, and a [`Cli`] runs the `wigwag` command. Nothing goes around the network, with
//! one exception: a crowd is written by the store's own code, because registering a thousand users
//! would cost a thousand password hashes.

mod accounts;
pub mod budget;
mod clock;
mod cluster;
mod command_line;
mod crowd;
mod device;
mod dial;
mod groups;
pub mod http_faults;
mod http_requests;
mod kept;
#[cfg(target_os = "linux")]
mod killing;
pub mod leaks;
mod logs;
mod messages;
mod queues;
pub mod roles;
pub mod sdk;
mod secrets;
mod tables;
mod template_file;
pub mod tokens;
mod worker;

pub use accounts::{Account, PASSWORD};
pub use clock::now_ms;
pub use cluster::Cluster;
pub use command_line::{Chat, Cli, events_named};
pub use device::Device;
pub use dial::Dial;
pub use kept::Kept;
pub use logs::FunctionLog;
pub use messages::{changes, texts};
pub use template_file::{altered_template, resources, resources_of_type, stack, template, with_parameters};
pub use worker::{failed_records, record, record_with_body};
