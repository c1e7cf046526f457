//! What the stories in `tests/` are told with: a stack that runs the project's own `template.yaml`, accounts, and devices that
//! speak the wire protocol over a real socket. Nothing here goes around the network; a crowd alone is made by the store's own code,
//! because a story of a thousand members is not one of a thousand registrations.

pub mod budget;
mod crowd;
mod device;
mod queues;
mod secrets;
mod world;

pub(crate) use crowd::now_ms;
pub use device::{Device, Dial};
pub use queues::Kept;
pub use world::{Account, PASSWORD, World, altered_template, template};
