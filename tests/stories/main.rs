//! End-to-end stories, on a stack that runs `template.yaml` with the real functions.

mod accounts;
mod bad_input;
mod budgets;
mod cli;
mod client;
mod connecting;
mod decoders;
mod groups;
mod messages;
mod operator;
mod rooms;
mod rotation;
mod security;
mod signals;
mod super_groups;
mod template;
mod worker;
