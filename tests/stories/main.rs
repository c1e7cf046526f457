//! Whole stories, told to a stack that runs `template.yaml` with the real functions.

mod accounts;
mod bad_input;
mod budgets;
mod cli;
mod client;
mod connecting;
mod decoders;
mod deployment;
mod groups;
mod handler;
#[cfg(target_os = "linux")]
mod killing;
mod login_frame;
mod messages;
mod operator;
mod rooms;
mod rotation;
mod security;
mod signals;
mod super_groups;
mod template;
mod worker;
