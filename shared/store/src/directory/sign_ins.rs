//! Connections that signed in with a LOGIN frame. No event names their user, because the authorizer
//! did not see them: the user is looked up here, once per frame. Connections that signed in at
//! `$connect` have no row.

use super::get;
use crate::Store;
use crate::error::StoreError;
use crate::item::{Item, corrupt, number};
use crate::schema::directory::{self as attr, socket_key};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValue;
use serde::{Deserialize, Serialize};
use wigwag_domain::UserId;
use wigwag_domain::connection::CONNECTION_MAX_AGE_S;

/// Who signed in on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// The user.
    pub user_id: UserId,
    /// The device's key.
    pub device: String,
    /// Kind of device.
    pub platform: u8,
}

/// Stores who signed in on a connection, unless somebody did. Answers whether it was stored. One
/// write unit.
#[tracing::instrument(name = "store.socket.sign_in", skip_all, fields(connection.id = connection_id))]
pub async fn sign_in(
    store: &Store,
    connection_id: &str,
    who: &SignedIn,
    connected_at_s: i64,
) -> Result<bool, StoreError> {
    let mut item: Item = serde_dynamo::to_item(who).map_err(|error| corrupt("directory", error.to_string()))?;
    item.extend(socket_key(connection_id));
    item.insert(attr::TTL.to_owned(), number(connected_at_s + CONNECTION_MAX_AGE_S));
    let result = store
        .once
        .put_item()
        .table_name(&store.directory)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(#pk)")
        .expression_attribute_names("#pk", attr::PK)
        .send()
        .await;
    match result {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
        {
            Ok(false)
        }
        Err(error) => Err(StoreError::call("PutItem (sign in)")(error)),
    }
}

/// Who signed in on a connection. One read unit.
#[tracing::instrument(name = "store.socket.get", skip_all, fields(connection.id = connection_id))]
pub async fn signed_in(store: &Store, connection_id: &str) -> Result<Option<SignedIn>, StoreError> {
    get(store, socket_key(connection_id), "GetItem (signed in)").await
}

/// Forgets a connection, and answers who was signed in on it. One write unit; may be repeated.
#[tracing::instrument(name = "store.socket.forget", skip_all, fields(connection.id = connection_id))]
pub async fn forget_socket(store: &Store, connection_id: &str) -> Result<Option<SignedIn>, StoreError> {
    let output = store
        .db
        .delete_item()
        .table_name(&store.directory)
        .set_key(Some(socket_key(connection_id)))
        .return_values(ReturnValue::AllOld)
        .send()
        .await
        .map_err(StoreError::call("DeleteItem (socket)"))?;
    let read = |item| serde_dynamo::from_item(item).map_err(|error| corrupt("directory", error.to_string()));
    output.attributes.map(read).transpose()
}
