//! Accounts over HTTP: registering, passwords, friends and blocks.

mod bad_requests;
mod passwords;
mod registering;
mod relations;
