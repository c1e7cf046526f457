//! Groups: making, changing, reading and dissolving them.

mod abandoned_changes;
mod changes;
mod creation;
mod dissolution;
mod late_changes;
mod members;
mod reading;
mod super_groups;

use crate::harness::LATER;
use wigwag_domain::UserId;
use wigwag_domain::groups::rules::Wanted;
use wigwag_protocol::http::Role;

const OWNER: UserId = UserId(1);

/// One change of each kind that touches members, roles or settings, for a group of users 1 to 3.
fn every_change() -> [Wanted; 8] {
    [
        Wanted::Add(vec![UserId(4), UserId(5)]),
        Wanted::Remove(vec![UserId(2), UserId(3)]),
        Wanted::Role(UserId(2), Role::Admin),
        Wanted::HandOver(UserId(2)),
        Wanted::MuteMember(UserId(2), LATER),
        Wanted::OpenHistory(true),
        Wanted::BecomeSuper,
        Wanted::Dissolve,
    ]
}
