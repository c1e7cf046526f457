//! Why a stack does not start.

use std::io;
use std::path::PathBuf;

use crate::aws::DynamoDbError;
use crate::build::BuildError;
use crate::lambda::FunctionStartError;
use crate::template::TemplateError;
use crate::{secretsmanager, sqs};

/// Why a stack does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackStartError {
    /// The template cannot be run.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A port is in use.
    #[error("cannot listen on 127.0.0.1:{port}; choose another port with {flag}")]
    Port {
        /// The port.
        port: u16,
        /// The command-line flag that changes it.
        flag: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}", path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The functions cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The tables cannot be made.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The queues cannot be made.
    #[error(transparent)]
    Sqs(#[from] sqs::SqsStartError),
    /// The secrets cannot be made.
    #[error(transparent)]
    SecretsManager(#[from] secretsmanager::SecretsStartError),
    /// Functions do not start.
    #[error("{}", listed(.0))]
    Functions(Vec<FunctionStartError>),
}

fn listed(errors: &[FunctionStartError]) -> String {
    let errors: Vec<String> = errors.iter().map(|error| format!("function {error}")).collect();
    errors.join("\n")
}
