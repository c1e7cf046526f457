//! Single tests, one subject in each file.

mod delivery;
mod devices;
mod directory;
mod groups;
mod rooms;
mod sending_to_groups;
mod sending_to_users;
mod timeline;
