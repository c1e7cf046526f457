//! A change of a group as it is stored, with all that is needed to finish it, and what follows from
//! it.

use super::membership::{MemberRow, Membership, MembershipInterval};
use super::record::{GroupRecord, shards};
use crate::head::GroupSettings;
use crate::ids::{GroupId, UserId};
use crate::task::{Audience, Logged, SHARD_MEMBERS, Task, per_shard, tasks_for};
use serde::{Deserialize, Serialize};
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{self, GroupChangeType};

/// How many membership intervals a user's row keeps: the latest, as many as one read unit holds. A
/// user can no longer read the messages of earlier ones.
pub const INTERVALS: usize = 100;

/// A change of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The user who makes it.
    pub actor: UserId,
    /// When they made it, in ms.
    pub at_ms: i64,
    /// Its effect.
    pub effect: Effect,
}

/// The effect of a change. It names only users for whom something changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The group was made. The owner is the first of the users.
    Created {
        /// All members.
        users: Vec<UserId>,
    },
    /// Users became members.
    Added {
        /// The new members.
        users: Vec<UserId>,
        /// The slot of each: a new one, or the one that they had before.
        #[serde(rename = "places")]
        slots: Vec<u64>,
    },
    /// Members were removed.
    Removed {
        /// They.
        users: Vec<UserId>,
    },
    /// The actor left.
    Left,
    /// The actor left a dissolved group: nobody is told.
    LeftDissolved,
    /// The group has another name.
    Renamed {
        /// The new name.
        name: String,
    },
    /// A member has another role.
    Role {
        /// The member.
        user: UserId,
        /// The new role.
        role: Role,
    },
    /// The group has another owner.
    HandedOver {
        /// The new owner.
        user: UserId,
    },
    /// A member may not send for some time, or may again.
    MemberMuted {
        /// The member.
        user: UserId,
        /// Until when, in ms; 0: may send again.
        until_ms: i64,
    },
    /// Only the owner and admins may send, or everyone may again.
    Muted {
        /// Whether only they may.
        muted: bool,
    },
    /// Members may read messages from before they joined, or may no longer.
    HistoryOpened {
        /// Whether they may.
        open: bool,
    },
    /// The group became a super group.
    BecameSuper,
    /// The group ended.
    Dissolved,
}

/// The effect of a change on the head of the group's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// The settings of a new group.
    New {
        /// How many shards its members are in.
        shards: u64,
        /// Whether it is a super group.
        super_group: bool,
        /// Whether members may read messages from before they joined.
        open_history: bool,
    },
    /// The members are in this many shards.
    Shards(u64),
    /// Whether only the owner and admins may send.
    Muted(bool),
    /// Whether members may read messages from before they joined.
    OpenHistory(bool),
    /// Messages from here on belong to a super group.
    Super,
    /// Messages from here on are refused.
    Dissolved,
}

impl Change {
    /// The users whose rows it changes.
    pub fn users(&self) -> Vec<UserId> {
        match &self.effect {
            Effect::Created { users } | Effect::Added { users, .. } | Effect::Removed { users } => users.clone(),
            Effect::Left | Effect::LeftDissolved => vec![self.actor],
            Effect::Role { user, .. } | Effect::MemberMuted { user, .. } => vec![*user],
            Effect::HandedOver { user } => vec![*user, self.actor],
            Effect::Renamed { .. }
            | Effect::Muted { .. }
            | Effect::HistoryOpened { .. }
            | Effect::BecameSuper
            | Effect::Dissolved => Vec::new(),
        }
    }

    /// Whether it begins or ends membership intervals at the end of the log.
    pub fn goes_by_the_log(&self) -> bool {
        matches!(self.effect, Effect::Added { .. } | Effect::LeftDissolved)
    }

    /// Whether the log has an announcement of it.
    pub fn is_announced(&self) -> bool {
        self.effect != Effect::LeftDissolved
    }

    /// Whether it ends membership intervals. They end with its announcement, whose seq must be
    /// known first.
    pub fn ends_intervals(&self) -> bool {
        matches!(self.effect, Effect::Removed { .. } | Effect::Left)
    }

    /// Its effect on the head of the log. `record` is the group after it.
    pub fn setting(&self, record: &GroupRecord) -> Option<Setting> {
        match &self.effect {
            Effect::Created { .. } => Some(Setting::New {
                shards: shards(record.slots),
                super_group: record.super_group,
                open_history: record.open_history,
            }),
            Effect::Added { slots, .. } => {
                // The first slot of a shard, which may be new.
                let begins_a_shard = slots.iter().any(|slot| slot.is_multiple_of(SHARD_MEMBERS));
                begins_a_shard.then(|| Setting::Shards(shards(record.slots)))
            }
            Effect::Muted { muted } => Some(Setting::Muted(*muted)),
            Effect::HistoryOpened { open } => Some(Setting::OpenHistory(*open)),
            Effect::BecameSuper => Some(Setting::Super),
            Effect::Dissolved => Some(Setting::Dissolved),
            Effect::Removed { .. }
            | Effect::Left
            | Effect::LeftDissolved
            | Effect::Renamed { .. }
            | Effect::Role { .. }
            | Effect::HandedOver { .. }
            | Effect::MemberMuted { .. } => None,
        }
    }

    /// The membership of its `index`th user after it. `before`: the row before it. `seq`: the
    /// announcement's seq if intervals end with it, else the log's highest seq before.
    pub fn row(
        &self,
        group: GroupId,
        index: usize,
        user: UserId,
        before: Option<&MemberRow>,
        seq: u64,
    ) -> Option<Membership> {
        let begun = |slot: u64, joined_after: u64, role: Role| {
            let mut intervals = before.map_or_else(Vec::new, |row| row.membership.intervals.clone());
            let left = None;
            intervals.push(MembershipInterval { joined_after, left });
            intervals.drain(..intervals.len().saturating_sub(INTERVALS));
            Membership {
                group,
                role,
                // A muted member cannot speak again by leaving and being added.
                muted_until_ms: before.map_or(0, |row| row.membership.muted_until_ms),
                intervals,
                slot,
            }
        };
        let mut after = match &self.effect {
            Effect::Created { .. } if index == 0 => return Some(begun(0, 0, Role::Owner)),
            Effect::Created { .. } => return Some(begun(index as u64, 0, Role::Member)),
            Effect::Added { slots, .. } => return Some(begun(*slots.get(index)?, seq, Role::Member)),
            _ => before?.membership.clone(),
        };
        match &self.effect {
            Effect::Removed { .. } | Effect::Left | Effect::LeftDissolved => {
                after.intervals.last_mut()?.left = Some(seq);
            }
            Effect::Role { role, .. } => after.role = *role,
            // Nobody could unmute an owner.
            Effect::HandedOver { user: owner } if *owner == user => {
                (after.role, after.muted_until_ms) = (Role::Owner, 0);
            }
            Effect::HandedOver { .. } => after.role = Role::Admin,
            Effect::MemberMuted { until_ms, .. } => after.muted_until_ms = *until_ms,
            _ => {}
        }
        Some(after)
    }

    /// The announcement in the log: the same bytes whichever attempt writes them. `record`: the
    /// group after it; `settings`: those in the head of its log by then.
    pub fn announcement(&self, group: GroupId, record: &GroupRecord, settings: &GroupSettings, seq: u64) -> Logged {
        let message = pb::Message {
            session_type: pb::SessionType::Group.into(),
            receiver_id: group.0,
            sender_id: self.actor.0,
            message_type: pb::MessageType::GroupChange.into(),
            content: Vec::new(),
            seq: 0,
            send_time: self.at_ms,
            conversation_seq: seq,
            client_id: 0,
            session: record.version,
            group_change: Some(self.group_change(record, settings)),
        };
        let key = [group.0.to_be_bytes(), record.version.to_be_bytes()].concat();
        Logged { key, message }
    }

    fn group_change(&self, record: &GroupRecord, settings: &GroupSettings) -> pb::GroupChange {
        let mut said = pb::GroupChange {
            super_group: record.super_group,
            // There may be messages between this seq and the announcement, and no inbox has them.
            super_after: settings.super_after.filter(|_| record.super_group).unwrap_or_default(),
            ..pb::GroupChange::default()
        };
        let kind = match &self.effect {
            Effect::Created { users } => {
                said.user_ids = users.iter().map(|user| user.0).collect();
                said.name.clone_from(&record.name);
                GroupChangeType::Created
            }
            Effect::Added { users, .. } => {
                said.user_ids = users.iter().map(|user| user.0).collect();
                GroupChangeType::MembersAdded
            }
            Effect::Removed { users } => {
                said.user_ids = users.iter().map(|user| user.0).collect();
                GroupChangeType::MembersRemoved
            }
            Effect::Left | Effect::LeftDissolved => GroupChangeType::MemberLeft,
            Effect::Renamed { name } => {
                said.name.clone_from(name);
                GroupChangeType::Renamed
            }
            Effect::Role { user, role } => {
                said.user_ids = vec![user.0];
                said.role = wire(*role).into();
                GroupChangeType::Role
            }
            Effect::HandedOver { user } => {
                said.user_ids = vec![user.0];
                GroupChangeType::HandedOver
            }
            Effect::MemberMuted { user, until_ms: 0 } => {
                said.user_ids = vec![user.0];
                GroupChangeType::MemberUnmuted
            }
            Effect::MemberMuted { user, until_ms } => {
                said.user_ids = vec![user.0];
                said.until = *until_ms;
                GroupChangeType::MemberMuted
            }
            Effect::Muted { muted: true } => GroupChangeType::Muted,
            Effect::Muted { muted: false } => GroupChangeType::Unmuted,
            Effect::HistoryOpened { open: true } => GroupChangeType::HistoryOpened,
            Effect::HistoryOpened { open: false } => GroupChangeType::HistoryClosed,
            Effect::BecameSuper => GroupChangeType::BecameSuper,
            Effect::Dissolved => GroupChangeType::Dissolved,
        };
        said.r#type = kind.into();
        said
    }

    /// The tasks that bring the announcement to the members.
    ///
    /// In a super group no inbox gets it, so users who were offline would not learn what became of
    /// them: it is copied to the users that it is about. That a group became a super group is the
    /// last message that all inboxes get.
    pub fn tasks(&self, group: GroupId, settings: GroupSettings, logged: Logged) -> Vec<Task> {
        if self.effect == Effect::BecameSuper {
            // All at once, so that they are ahead of the tasks of later changes.
            return per_shard(group, settings.shards, false, &logged, None);
        }
        let mut tasks = tasks_for(group, &settings, &logged, None);
        let users = self.users();
        if settings.is_super(logged.conversation_seq()) && !users.is_empty() {
            tasks.push(Task::Deliver {
                group,
                audience: Audience::Users(users),
                logged,
                skip: None,
            });
        }
        tasks
    }
}

fn wire(role: Role) -> pb::GroupRole {
    match role {
        Role::Member => pb::GroupRole::Member,
        Role::Admin => pb::GroupRole::Admin,
        Role::Owner => pb::GroupRole::Owner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tasks_of_becoming_super_are_enqueued_at_once() {
        let change = Change {
            actor: UserId(1),
            at_ms: 0,
            effect: Effect::BecameSuper,
        };
        let settings = GroupSettings {
            shards: 20,
            super_after: Some(8),
            ..GroupSettings::default()
        };
        let logged = Logged {
            key: Vec::new(),
            message: pb::Message::default(),
        };
        let tasks = change.tasks(GroupId(7), settings, logged);
        let is_for_a_shard = |task: &Task| {
            matches!(
                task,
                Task::Deliver {
                    audience: Audience::Shard(_),
                    ..
                }
            )
        };
        assert_eq!(tasks.len(), 20);
        assert!(tasks.iter().all(is_for_a_shard), "{tasks:?}");
    }
}
