//! Runs a SAM template on this machine: no Docker, no account, no network.
//!
//! The parts, in the order in which a start goes through them:
//!
//! - [`template`] reads `template.yaml` into a [`template::Stack`]: what is to run, with every intrinsic resolved
//! - [`build`] compiles the functions' `bootstrap` binaries
//! - [`lambda`] runs those binaries through the Lambda Runtime API, a pool of processes per function
//! - [`aws`] is the endpoint that SDKs talk to: DynamoDB, SQS, Secrets Manager and `@connections`, signed requests only
//! - [`sqs`] holds queues, and [`mapping`] invokes functions with what is in them
//! - [`secretsmanager`] holds secrets
//! - [`gateway`] is API Gateway: WebSocket APIs and HTTP APIs
//! - [`faults`] tells all of them what is to go wrong, on request
//! - [`meter`] counts what all of it did, and what that would cost
//! - [`stack`] starts these parts together, and stops them
//!
//! Nothing here knows what the functions are for.

pub mod aws;
pub mod build;
pub mod faults;
pub mod gateway;
mod kept;
pub mod lambda;
pub mod mapping;
pub mod meter;
pub mod secretsmanager;
mod server;
pub mod sqs;
pub mod stack;
pub mod template;
