//! Inboxes: claims, connections and positions in their heads, and reserving in them.

mod claim;
mod connections;
mod head;
mod heads;

pub use claim::{Claim, OwnCopy, claim, no_inbox, swap_numbering};
pub use connections::{
    KEEP_IDLE, Positioned, Removed, Written, make_slot, put_connection, remove_connection, set_position, set_room,
};
pub(crate) use head::connection_from_text;
pub use heads::{Reservations, existing, give_up_many, head, heads, put_entries, reserve, reserve_many};
