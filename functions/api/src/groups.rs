//! Groups: making, looking up, changing, ending.

use crate::failure::ApiError;
use crate::request::{self, Request, is_name};
use wigwag_domain::groups::membership::Membership;
use wigwag_domain::groups::rules::{Changed, Wanted};
use wigwag_domain::groups::{Group, NewGroup};
use wigwag_domain::{GroupId, UserId};
use wigwag_messaging::change_group::ChangeError;
use wigwag_protocol::Code;
use wigwag_protocol::http::{self, CreateGroup, Done, GroupCreated, GroupRef, Groups, UpdateGroup};
use wigwag_protocol::limits::{CHANGE_USERS, GROUP_NAME_CHARS, MAX_INTEGER, REQUEST_ID_BYTES};
use wigwag_store::groups;

/// How many ids are tried. That two in a row are taken is as good as impossible.
const ID_TRIES: u8 = 3;

/// `POST /group/create`. A repeat with the same `request_id` makes no second group.
pub(crate) async fn create(request: &Request<'_>) -> Result<GroupCreated, ApiError> {
    let owner = request.caller().await?.user;
    let CreateGroup {
        name,
        user_ids,
        super_group,
        open_history,
        request_id,
    } = request.body()?;
    check_name(&name)?;
    let users: Vec<UserId> = user_ids.into_iter().map(UserId).collect();
    check_users(&users)?;
    if users.contains(&owner) {
        return Err(ApiError::detailed(
            Code::INVALID_FIELD,
            "user_ids names the members beside you",
        ));
    }
    if request_id
        .as_ref()
        .is_some_and(|id| id.is_empty() || id.len() > REQUEST_ID_BYTES)
    {
        let detail = format!("request_id has 1 to {REQUEST_ID_BYTES} bytes");
        return Err(ApiError::detailed(Code::INVALID_FIELD, detail));
    }
    let new = NewGroup {
        name,
        users,
        super_group,
        open_history,
        request: request_id,
    };
    let state = request.state;
    for number in 0..ID_TRIES {
        let group_id = match &new.request {
            Some(request) => GroupId::from_request(owner, request, number),
            None => GroupId(rand::random_range(1..=MAX_INTEGER)),
        };
        match wigwag_messaging::create_group(
            &state.store,
            &state.queue,
            group_id,
            owner,
            &new,
            state.messages_from,
            request.now_ms,
        )
        .await
        {
            Ok(()) => return Ok(GroupCreated { group_id: group_id.0 }),
            Err(ChangeError::Refused(Code::BUSY)) => {}
            Err(error) => return Err(ApiError::of_group(&state.store, group_id, owner, error).await),
        }
    }
    Err(Code::BUSY.into())
}

/// `POST /group/update`. Several fields are several changes. Those that only the owner may make
/// come first, so that a caller who may not make all of them makes none. If a later one fails,
/// those before it hold, and a repeat makes the rest.
pub(crate) async fn update(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let UpdateGroup {
        group_id,
        name,
        muted,
        open_history,
        super_group,
    } = request.body()?;
    if let Some(name) = &name {
        check_name(name)?;
    }
    if super_group == Some(false) {
        return Err(ApiError::detailed(
            Code::INVALID_FIELD,
            "a super group stays a super group",
        ));
    }
    let wanted: Vec<Wanted> = [
        super_group.map(|_| Wanted::BecomeSuper),
        open_history.map(Wanted::OpenHistory),
        muted.map(Wanted::Mute),
        name.map(Wanted::Rename),
    ]
    .into_iter()
    .flatten()
    .collect();
    if wanted.is_empty() {
        return Err(ApiError::detailed(Code::INVALID_FIELD, "nothing to change is named"));
    }
    for wanted in &wanted {
        change(request, caller, GroupId(group_id), wanted).await?;
    }
    Ok(Done {})
}

/// `POST /group/dissolve`.
pub(crate) async fn dissolve(request: &Request<'_>) -> Result<Done, ApiError> {
    let caller = request.caller().await?.user;
    let GroupRef { group_id } = request.body()?;
    change(request, caller, GroupId(group_id), &Wanted::Dissolve).await?;
    Ok(Done {})
}

/// `GET /group/list?after=`.
pub(crate) async fn list(request: &Request<'_>) -> Result<Groups, ApiError> {
    let caller = request.caller().await?.user;
    let after = request.query("after", 0)?;
    if after > MAX_INTEGER {
        return Err(ApiError::detailed(Code::INVALID_FIELD, "after is not an id"));
    }
    let (groups, next) = groups::groups_of(&request.state.store, caller, GroupId(after)).await?;
    for (group, _) in &groups {
        finish_what_was_left(request, group).await;
    }
    let groups = groups
        .into_iter()
        .map(|(group, membership)| as_seen(group, &membership, request.now_ms))
        .collect();
    Ok(Groups {
        groups,
        next: next.map(|next| next.0),
    })
}

/// `GET /group/{group_id}`, for its members.
pub(crate) async fn group(request: &Request<'_>) -> Result<http::Group, ApiError> {
    let caller = request.caller().await?.user;
    let id = request.path_id("group_id")?;
    let store = &request.state.store;
    let (membership, group) = tokio::join!(
        groups::membership(store, GroupId(id), caller),
        groups::group(store, GroupId(id))
    );
    match (membership?, group?) {
        (Some(membership), Some(_)) if !membership.is_active() => Err(Code::NOT_A_MEMBER.into()),
        (Some(membership), Some(group)) => {
            finish_what_was_left(request, &group).await;
            Ok(as_seen(group, &membership, request.now_ms))
        }
        _ => Err(Code::GROUP_NOT_FOUND.into()),
    }
}

/// Finishes a change whose function died, so that a caller who looks at the group need not wait for
/// the worker that does.
pub(crate) async fn finish_what_was_left(request: &Request<'_>, group: &Group) {
    if !group.is_left_unfinished(request.now_ms) {
        return;
    }
    let state = request.state;
    let finished = wigwag_messaging::finish_change(&state.store, &state.queue, group.id, request.now_ms);
    match finished.await {
        Ok(()) => tracing::info!(group.id = group.id.0, "finished a change that was left"),
        Err(error) => tracing::warn!(group.id = group.id.0, %error, "could not finish a change that was left"),
    }
}

/// Makes a change to a group.
pub(crate) async fn change(
    request: &Request<'_>,
    caller: UserId,
    group: GroupId,
    wanted: &Wanted,
) -> Result<Changed, ApiError> {
    let group = request::id("group_id", group.0)?;
    let state = request.state;
    let changed = wigwag_messaging::change_group(
        &state.store,
        &state.queue,
        GroupId(group),
        caller,
        wanted,
        state.messages_from,
        request.now_ms,
    );
    match changed.await {
        Ok(changed) => Ok(changed),
        Err(error) => Err(ApiError::of_group(&state.store, GroupId(group), caller, error).await),
    }
}

/// Checks the users that a request names: each is an id, and named once.
pub(crate) fn check_users(users: &[UserId]) -> Result<(), ApiError> {
    if users.len() > CHANGE_USERS {
        return Err(Code::TOO_MANY_USERS.into());
    }
    for (index, user) in users.iter().enumerate() {
        request::id("one of user_ids", user.0)?;
        if users[..index].contains(user) {
            return Err(ApiError::detailed(
                Code::INVALID_FIELD,
                format!("user_ids names {user} twice"),
            ));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if is_name(name, GROUP_NAME_CHARS) {
        Ok(())
    } else {
        Err(Code::GROUP_NAME_INVALID.into())
    }
}

/// A group as a member sees it.
fn as_seen(group: Group, membership: &Membership, now_ms: i64) -> http::Group {
    let settings = group.settings;
    let first_seq = membership.intervals.first().map_or(0, |interval| interval.joined_after) + 1;
    http::Group {
        group_id: group.id.0,
        name: group.name,
        owner_id: group.owner.0,
        members: group.members,
        super_group: settings.super_after.is_some(),
        muted: settings.muted,
        open_history: settings.open_history,
        dissolved: settings.dissolved_after.is_some(),
        created_at_ms: group.created_at_ms,
        max_seq: group.max_seq,
        min_seq: if settings.open_history { 1 } else { first_seq },
        log_after: settings.super_after.map_or(0, |after| after.max(first_seq - 1)),
        role: membership.role,
        muted_until_ms: until(membership.muted_until_ms, now_ms),
    }
}

/// A time in the past counts as none.
pub(crate) fn until(at_ms: i64, now_ms: i64) -> i64 {
    if at_ms > now_ms { at_ms } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_domain::groups::membership::MembershipInterval;
    use wigwag_domain::head::GroupSettings;
    use wigwag_protocol::http::Role;

    #[test]
    fn users_are_named_once_and_not_too_many() {
        assert_eq!(check_users(&[]), Ok(()));
        assert_eq!(check_users(&[UserId(3), UserId(1), UserId(2)]), Ok(()));
        let code = |users: &[u64]| {
            let users: Vec<UserId> = users.iter().copied().map(UserId).collect();
            check_users(&users).unwrap_err().code
        };
        assert_eq!(code(&[1, 2, 1]), Code::INVALID_FIELD);
        assert_eq!(code(&[0]), Code::INVALID_FIELD);
        assert_eq!(code(&[MAX_INTEGER + 1]), Code::INVALID_FIELD);
        assert_eq!(check_users(&(1..=100).map(UserId).collect::<Vec<_>>()), Ok(()));
        assert_eq!(code(&(1..=101).collect::<Vec<_>>()), Code::TOO_MANY_USERS);
    }

    #[test]
    fn a_member_sees_the_first_seq_that_they_may_read() {
        let interval = |joined_after, left| MembershipInterval { joined_after, left };
        let seen = |intervals: Vec<MembershipInterval>, open_history| {
            let membership = Membership {
                group: GroupId(7),
                role: Role::Admin,
                muted_until_ms: 5,
                intervals,
                slot: 0,
            };
            let group = Group {
                id: GroupId(7),
                name: "name".to_owned(),
                owner: UserId(1),
                members: 2,
                created_at_ms: 0,
                settings: GroupSettings {
                    open_history,
                    ..GroupSettings::default()
                },
                max_seq: 90,
                unfinished_since_ms: None,
            };
            let seen = as_seen(group, &membership, 5);
            (seen.min_seq, seen.max_seq, seen.role, seen.muted_until_ms)
        };
        let there = vec![interval(10, Some(20)), interval(30, None)];
        assert_eq!(seen(there.clone(), false), (11, 90, Role::Admin, 0));
        assert_eq!(seen(there, true), (1, 90, Role::Admin, 0));
    }
}
