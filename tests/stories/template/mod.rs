//! `template.yaml` agrees with the code, and makes what an operator needs.

mod access_logs;
mod alarms;
mod every_call;
mod function_logs;
mod metrics;
mod permissions;
mod tables;
mod throttling;
mod time_limits;
