//! Hiding groups: users who were never in a group do not learn that it exists.

use wigwag_domain::{GroupId, UserId};
use wigwag_protocol::Code;
use wigwag_store::{Store, StoreError, groups};

/// A refusal as its user may see it: for a user who was never in the group, there is no such group.
pub async fn shown(store: &Store, group: GroupId, user: UserId, code: Code) -> Result<Code, StoreError> {
    if code == Code::NOT_A_MEMBER && groups::membership(store, group, user).await?.is_none() {
        return Ok(Code::GROUP_NOT_FOUND);
    }
    Ok(code)
}
