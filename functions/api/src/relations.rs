//! Friends and blocks.

use crate::failure::ApiError;
use crate::request::{Request, user_id};
use wigwag_protocol::Code;
use wigwag_protocol::http::{Block, Done, Friend, Friends};
use wigwag_store::UserId;
use wigwag_store::directory::Befriended;

/// `POST /friend/add`. Both are friends at once, unless the other has blocked the caller.
pub(crate) async fn add_friend(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller()?.user;
    let Friend { friend_id } = request.body()?;
    let friend = other("friend_id", friend_id, caller)?;
    match request.state.store.befriend(caller, friend).await? {
        Befriended::Yes => Ok(Done {}),
        Befriended::NoSuchUser => Err(Code::USER_NOT_FOUND.into()),
        Befriended::Blocked => Err(Code::BLOCKED.into()),
    }
}

/// `POST /friend/remove`. Neither is the other's friend after it; done already where they were not.
pub(crate) async fn remove_friend(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller()?.user;
    let Friend { friend_id } = request.body()?;
    request
        .state
        .store
        .unfriend(caller, other("friend_id", friend_id, caller)?)
        .await?;
    Ok(Done {})
}

/// `GET /friend/list?after=`.
pub(crate) async fn friends(request: &Request<'_>) -> Result<Friends, ApiError> {
    let caller = request.caller()?.user;
    let page = request.state.store.friends(caller, request.query("after", 0)?).await?;
    Ok(Friends {
        friend_ids: page.ids,
        next: page.next,
    })
}

/// `POST /block/add` and `POST /block/remove`.
pub(crate) async fn set_blocked(request: &Request<'_>, blocked: bool) -> Result<Done, ApiError> {
    let caller = request.caller()?.user;
    let Block { user_id: id } = request.body()?;
    request
        .state
        .store
        .set_blocked(caller, other("user_id", id, caller)?, blocked)
        .await?;
    Ok(Done {})
}

fn other(name: &str, id: u64, caller: UserId) -> Result<UserId, ApiError> {
    let id = user_id(name, id)?;
    if id == caller {
        Err(Code::RELATION_TO_SELF.into())
    } else {
        Ok(id)
    }
}
