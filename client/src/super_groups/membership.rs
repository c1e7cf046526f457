//! What a message says about the user's membership in a super group.

use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message, SessionType};

/// What a change does to this user's membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MembershipChange {
    /// The user joins: the log is followed from here.
    Joins,
    /// The user leaves: the log ends here.
    Leaves,
}

/// Whether a message makes this user join or leave a super group.
pub(super) fn change_for(message: &Message, user_id: u64) -> Option<MembershipChange> {
    let change = message.group_change.as_ref()?;
    let about_me = change.user_ids.contains(&user_id);
    match change.r#type() {
        GroupChangeType::Created | GroupChangeType::MembersAdded if about_me => Some(MembershipChange::Joins),
        GroupChangeType::BecameSuper => Some(MembershipChange::Joins),
        GroupChangeType::MembersRemoved if about_me => Some(MembershipChange::Leaves),
        GroupChangeType::MemberLeft if message.sender_id == user_id => Some(MembershipChange::Leaves),
        _ => None,
    }
}

/// Whether a change is copied into this user's inbox because it concerns them.
pub(super) fn is_about(message: &Message, user_id: u64) -> bool {
    let change = message.group_change.as_ref();
    message.sender_id == user_id || change.is_some_and(|change| change.user_ids.contains(&user_id))
}

/// The seq after which the log begins that a message makes this user join. A group becomes a super
/// group shortly before the announcement, and messages sent in between are only in the log.
pub(super) fn log_begins_after(message: &Message) -> u64 {
    match &message.group_change {
        Some(change) if change.r#type() == GroupChangeType::BecameSuper => change.super_after,
        _ => message.conversation_seq,
    }
}

/// The change in a message, if its group is a super group from then on.
pub(super) fn super_change(message: &Message) -> Option<&GroupChange> {
    let change = message.group_change.as_ref()?;
    (message.session_type() == SessionType::Group && change.super_group).then_some(change)
}

pub(super) fn change_type(message: &Message) -> Option<GroupChangeType> {
    message.group_change.as_ref().map(GroupChange::r#type)
}
