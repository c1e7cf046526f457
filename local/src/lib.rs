//! Runs a SAM template on this machine: no Docker, no account, no network.
//!
//! The parts, in the order in which a start uses them:
//!
//! - [`template`] reads `template.yaml` into a [`template::Stack`], with every intrinsic resolved
//! - [`build`] compiles the `bootstrap` binaries of the functions
//! - [`lambda`] runs them through the Lambda Runtime API, in a pool of processes per function
//! - [`aws`] is the endpoint for SDKs: DynamoDB, SQS, Secrets Manager and `@connections`
//! - [`sqs`] has the queues, and [`mapping`] invokes functions with their messages
//! - [`secretsmanager`] has the secrets
//! - [`gateway`] is API Gateway: WebSocket APIs and HTTP APIs
//! - [`faults`] tells the other parts what should go wrong
//! - [`meter`] counts what the stack does, and what that would cost on AWS
//! - [`stack`] starts and stops these parts together
//!
//! Nothing here knows what the functions are for; `local/tests/generic.rs` checks that.

pub mod aws;
pub mod build;
pub mod faults;
pub mod gateway;
mod json_file;
pub mod lambda;
pub mod mapping;
pub mod meter;
pub mod secretsmanager;
mod server;
pub mod sqs;
pub mod stack;
pub mod template;
