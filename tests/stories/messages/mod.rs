//! Messages between two users.

mod catching_up;
mod cursors;
mod reading;
mod repeats;
mod talking;

use wigwag_protocol::pb::Message;

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| std::str::from_utf8(&message.content).unwrap_or("not text"))
        .collect()
}
