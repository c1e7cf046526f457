//! Input that is refused, and costs neither the connection nor the message that follows.

mod bodies;
mod frames;
mod messages;
mod numbering;
mod reads;
