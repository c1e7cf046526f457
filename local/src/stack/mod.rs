//! Starts the parts of the local stack together, and stops them.
//!
//! A start reads the template, takes the ports, builds the functions, opens tables, queues and
//! secrets, makes the process pools, serves the APIs and the AWS endpoint, and starts one process
//! of each function to see that it works. Only then the mappings take messages from queues. So a
//! mistake in the template is reported before anything is compiled.
//!
//! Invariants:
//! - everything listens on 127.0.0.1 only
//! - when [`RunningStack::stop`] returns, or when the runtime in which a [`RunningStack`] was dropped has
//!   ended, no process is left

mod data_directory;
mod environment;
mod error;
mod options;
mod ports;
mod running;
mod start;

pub use error::StackStartError;
pub use options::StackOptions;
pub use running::RunningStack;
