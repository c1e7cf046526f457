//! Members of groups: adding, removing, leaving, roles, muting.

use crate::failure::ApiError;
use crate::groups::{change, check_users, finish_what_was_left, until};
use crate::request::{self, Request};
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::{GroupId, UserId};
use wigwag_edge::groups::shown;
use wigwag_protocol::Code;
use wigwag_protocol::http::{
    Done, GroupMemberRef, GroupRef, GroupUsers, Member, Members, MembersChanged, MuteMember, Role, SetRole,
};
use wigwag_protocol::limits::{MAX_INTEGER, MUTE_MAX_S};
use wigwag_store::groups;

/// `POST /group/add`.
pub(crate) async fn add(request: &Request<'_>) -> Result<MembersChanged, ApiError> {
    let caller = request.caller().await?.user;
    let (group_id, user_ids) = users(request)?;
    changed(request, caller, GroupId(group_id), &Wanted::Add(user_ids)).await
}

/// `POST /group/remove`.
pub(crate) async fn remove(request: &Request<'_>) -> Result<MembersChanged, ApiError> {
    let caller = request.caller().await?.user;
    let (group_id, user_ids) = users(request)?;
    changed(request, caller, GroupId(group_id), &Wanted::Remove(user_ids)).await
}

/// `POST /group/leave`. Succeeds for a user who left before. For a user who was never a member
/// there is no such group.
pub(crate) async fn leave(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let GroupRef { group_id } = request.body()?;
    let changed = change(request, caller, GroupId(group_id), &Wanted::Leave).await?;
    if changed.changed.is_empty() {
        let code = shown(&request.state.store, GroupId(group_id), caller, Code::NOT_A_MEMBER).await?;
        if code == Code::GROUP_NOT_FOUND {
            return Err(code.into());
        }
    }
    Ok(Done {})
}

/// `POST /group/hand_over`.
pub(crate) async fn hand_over(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let GroupMemberRef { group_id, user_id } = request.body()?;
    let user = request::id("user_id", user_id)?;
    change(request, caller, GroupId(group_id), &Wanted::HandOver(UserId(user))).await?;
    Ok(Done {})
}

/// `POST /group/role`.
pub(crate) async fn set_role(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let SetRole {
        group_id,
        user_id,
        role,
    } = request.body()?;
    if role == Role::Owner {
        return Err(ApiError::detailed(
            Code::INVALID_FIELD,
            "hand the group over to make a member its owner",
        ));
    }
    let user = request::id("user_id", user_id)?;
    change(request, caller, GroupId(group_id), &Wanted::Role(UserId(user), role)).await?;
    Ok(Done {})
}

/// `POST /group/mute_member`.
pub(crate) async fn mute(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let MuteMember {
        group_id,
        user_id,
        seconds,
    } = request.body()?;
    let user = request::id("user_id", user_id)?;
    let until_ms = match i64::try_from(seconds) {
        Ok(0) => 0,
        Ok(whole) if seconds <= MUTE_MAX_S => request.now_ms + whole * 1000,
        _ => {
            return Err(ApiError::detailed(
                Code::INVALID_FIELD,
                format!("seconds is at most {MUTE_MAX_S}"),
            ));
        }
    };
    change(
        request,
        caller,
        GroupId(group_id),
        &Wanted::MuteMember(UserId(user), until_ms),
    )
    .await?;
    Ok(Done {})
}

/// `GET /group_user/list?group_id=&after=`, for members.
pub(crate) async fn list(request: &Request<'_>) -> Result<Members, ApiError> {
    let caller = request.caller().await?.user;
    let group = request.query_id("group_id")?;
    let after = request.query("after", 0)?;
    if after > MAX_INTEGER {
        return Err(ApiError::detailed(Code::INVALID_FIELD, "after is not from a page"));
    }
    let store = &request.state.store;
    let (membership, there) = tokio::join!(
        groups::membership(store, GroupId(group), caller),
        groups::group(store, GroupId(group))
    );
    match membership? {
        Some(membership) if membership.is_active() => {}
        Some(_) => return Err(Code::NOT_A_MEMBER.into()),
        None => return Err(Code::GROUP_NOT_FOUND.into()),
    }
    if let Some(there) = there? {
        finish_what_was_left(request, &there).await;
    }
    let (members, next) = groups::members_of(store, GroupId(group), after).await?;
    let members = members
        .into_iter()
        .map(|member| Member {
            user_id: member.user.0,
            role: member.role,
            muted_until_ms: until(member.muted_until_ms, request.now_ms),
        })
        .collect();
    Ok(Members { members, next })
}

/// The group and the users that a request names.
fn users(request: &Request<'_>) -> Result<(u64, Vec<UserId>), ApiError> {
    let GroupUsers { group_id, user_ids } = request.body()?;
    let users: Vec<UserId> = user_ids.into_iter().map(UserId).collect();
    check_users(&users)?;
    if users.is_empty() {
        return Err(ApiError::detailed(Code::INVALID_FIELD, "user_ids names nobody"));
    }
    Ok((group_id, users))
}

/// Users as a response names them.
fn ids(users: Vec<UserId>) -> Vec<u64> {
    users.into_iter().map(|user| user.0).collect()
}

async fn changed(
    request: &Request<'_>,
    caller: UserId,
    group: GroupId,
    wanted: &Wanted,
) -> Result<MembersChanged, ApiError> {
    let changed = change(request, caller, group, wanted).await?;
    Ok(MembersChanged {
        changed: ids(changed.changed),
        unchanged: ids(changed.unchanged),
    })
}
