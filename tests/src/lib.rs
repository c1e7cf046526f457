//! What the stories in `tests/` are told with: a stack that runs the project's own `template.yaml`, accounts, and devices that
//! speak the wire protocol over a real socket. Nothing here goes around the network.

pub mod budget;
mod device;
mod world;

pub use device::{Device, Dial};
pub use world::{Account, PASSWORD, World, template};
