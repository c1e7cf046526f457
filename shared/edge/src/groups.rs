//! What those may know of a group who were never in it: not even that there is one.

use wigwag_protocol::Code;
use wigwag_store::{GroupId, Store, StoreError, UserId};

/// A refusal as its user may see it: to one who was never in the group, it is as if there were none.
pub async fn shown(store: &Store, group: GroupId, user: UserId, code: Code) -> Result<Code, StoreError> {
    if code == Code::NOT_A_MEMBER && store.membership(group, user).await?.is_none() {
        return Ok(Code::GROUP_NOT_FOUND);
    }
    Ok(code)
}
