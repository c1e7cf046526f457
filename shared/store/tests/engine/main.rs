//! The store against a real `DynamoDB` engine, embedded: no twin of our own stands in for it.

mod devices;
mod directory;
mod harness;
mod schedules;
mod send;
mod timeline;
