//! The directory: accounts, what users are to each other, log-ins tried, and connections signed in by frame.

mod accounts;
mod attempts;
mod relations;
mod sockets;

pub use accounts::{Account, NewAccount, Profile};
pub use attempts::{ATTEMPTS_PER_WINDOW, Attempt, WINDOW};
pub use relations::{Befriended, Friends, Relation};
pub use sockets::SignedIn;

use crate::item::{Item, string};
use crate::schema::directory as attr;

pub(crate) fn key(pk: String, sk: impl Into<String>) -> Item {
    Item::from([(attr::PK.to_owned(), string(pk)), (attr::SK.to_owned(), string(sk))])
}

pub(crate) fn user_key(user: u64, sk: impl Into<String>) -> Item {
    key(format!("{}{user}", attr::USER), sk)
}

fn phone_key(phone_number: &str, sk: &str) -> Item {
    key(format!("{}{phone_number}", attr::PHONE), sk)
}

fn socket_key(connection_id: &str) -> Item {
    key(format!("{}{connection_id}", attr::SOCKET), attr::SIGNED_IN)
}
