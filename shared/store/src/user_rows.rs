//! Rows under a user whose sort key ends with an id: relations and memberships.

use crate::Store;
use crate::error::StoreError;
use crate::item::string;
use crate::schema::directory::{self as attr, rows_after, user_partition};
use aws_sdk_dynamodb::operation::query::QueryOutput;
use wigwag_domain::UserId;

/// A page of the rows with this prefix, after an id, ascending; strongly consistent. One read unit
/// for each 4 KB.
pub(crate) async fn user_rows(
    store: &Store,
    user: UserId,
    prefix: &str,
    after: u64,
    limit: i32,
    operation: &'static str,
) -> Result<QueryOutput, StoreError> {
    let (first, last) = rows_after(prefix, after);
    let query = store
        .db
        .query()
        .table_name(&store.directory)
        .key_condition_expression("#pk = :user AND #sk BETWEEN :first AND :last")
        .expression_attribute_names("#pk", attr::PK)
        .expression_attribute_names("#sk", attr::SK)
        .expression_attribute_values(":user", string(user_partition(user)))
        .expression_attribute_values(":first", string(first))
        .expression_attribute_values(":last", string(last))
        .consistent_read(true)
        .limit(limit);
    query.send().await.map_err(StoreError::call(operation))
}
