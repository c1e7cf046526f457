//! Friends and blocks.

use crate::failure::ApiError;
use crate::request::{self, Request};
use wigwag_domain::UserId;
use wigwag_protocol::Code;
use wigwag_protocol::http::{Block, Done, Friend, Friends};
use wigwag_protocol::limits::MAX_INTEGER;
use wigwag_store::directory;
use wigwag_store::directory::Befriended;

/// `POST /friend/add`. The other becomes a friend of the caller, unless they blocked the caller.
/// Whether the caller is a friend of theirs is up to them.
pub(crate) async fn add_friend(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let Friend { friend_id } = request.body()?;
    let friend = other("friend_id", friend_id, caller)?;
    match directory::befriend(&request.state.store, caller, friend).await? {
        Befriended::Yes => Ok(Done {}),
        Befriended::NoSuchUser => Err(Code::USER_NOT_FOUND.into()),
        Befriended::Blocked => Err(Code::BLOCKED.into()),
    }
}

/// `POST /friend/remove`. Succeeds if the other was not a friend.
pub(crate) async fn remove_friend(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let Friend { friend_id } = request.body()?;
    directory::unfriend(&request.state.store, caller, other("friend_id", friend_id, caller)?).await?;
    Ok(Done {})
}

/// `GET /friend/list?after=`.
pub(crate) async fn friends(request: &Request<'_>) -> Result<Friends, ApiError> {
    let caller = request.caller().await?.user;
    let after = request.query("after", 0)?;
    if after > MAX_INTEGER {
        return Err(ApiError::detailed(Code::INVALID_FIELD, "after is not an id"));
    }
    let page = directory::friends(&request.state.store, caller, UserId(after)).await?;
    Ok(Friends {
        friend_ids: page.ids.into_iter().map(|id| id.0).collect(),
        next: page.next.map(|next| next.0),
    })
}

/// `POST /block/add` and `POST /block/remove`.
pub(crate) async fn set_blocked(request: &Request<'_>, blocked: bool) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let Block { user_id: id } = request.body()?;
    directory::set_blocked(&request.state.store, caller, other("user_id", id, caller)?, blocked).await?;
    Ok(Done {})
}

fn other(name: &str, id: u64, caller: UserId) -> Result<UserId, ApiError> {
    let id = UserId(request::id(name, id)?);
    if id == caller {
        Err(Code::RELATION_TO_SELF.into())
    } else {
        Ok(UserId(id.0))
    }
}
