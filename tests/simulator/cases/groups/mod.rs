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
use wigwag_protocol::http::Role;
use wigwag_store::UserId;
use wigwag_store::groups::Wanted;

const OWNER: UserId = 1;

/// One change of each kind that touches members, roles or settings, for a group of users 1 to 3.
fn every_change() -> [Wanted; 8] {
    [
        Wanted::Add(vec![4, 5]),
        Wanted::Remove(vec![2, 3]),
        Wanted::Role(2, Role::Admin),
        Wanted::HandOver(2),
        Wanted::MuteMember(2, LATER),
        Wanted::OpenHistory(true),
        Wanted::BecomeSuper,
        Wanted::Dissolve,
    ]
}
