//! The directory: accounts, relations between users, log-in attempts, and connections that signed
//! in by frame.

mod accounts;
mod attempts;
mod relations;
mod sign_ins;

pub use accounts::{Account, NewAccount, Profile, account, create_account, profile};
pub use attempts::{ATTEMPTS_PER_WINDOW, Attempt, WINDOW, count_attempt, forget_attempts};
pub use relations::{Befriended, Friends, befriend, friends, relation, relations_to, set_blocked, unfriend};
pub use sign_ins::{SignedIn, forget_socket, sign_in, signed_in};

use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt};

/// An entity of the directory, strongly consistent.
pub(super) async fn get<T: serde::de::DeserializeOwned>(
    store: &Store,
    key: Item,
    operation: &'static str,
) -> Result<Option<T>, StoreError> {
    let call = store
        .db
        .get_item()
        .table_name(&store.directory)
        .set_key(Some(key))
        .consistent_read(true);
    let output = call.send().await.map_err(StoreError::call(operation))?;
    let read = |item| serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()));
    output.item.map(read).transpose()
}
