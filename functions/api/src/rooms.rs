//! The users in a room.

use crate::failure::ApiError;
use crate::request::Request;
use wigwag_domain::RoomId;
use wigwag_protocol::Code;
use wigwag_protocol::http::RoomUsers;
use wigwag_store::rooms;

/// The most connections in a page.
const PAGE: u32 = 500;

/// Longer than any connection id: those of API Gateway have sixteen characters.
const CONNECTION_ID_BYTES: usize = 128;

/// `GET /room_user/list?room_id=&after=`. For everyone who is signed in: rooms are open to them.
pub(crate) async fn users(request: &Request<'_>) -> Result<RoomUsers, ApiError> {
    request.caller().await?;
    let room = request.query_id("room_id")?;
    let after: String = request.query("after", String::new())?;
    if after.len() > CONNECTION_ID_BYTES {
        return Err(ApiError::detailed(Code::INVALID_FIELD, "after is not from a page"));
    }
    let after = Some(after.as_str()).filter(|after| !after.is_empty());
    let store = &request.state.store;
    let (occupants, next) = rooms::occupants(store, RoomId(room), after, PAGE, request.now_ms).await?;
    let user_ids = occupants.into_iter().map(|occupant| occupant.user.0).collect();
    Ok(RoomUsers { user_ids, next })
}
