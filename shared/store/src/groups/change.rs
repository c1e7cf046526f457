//! A change as it is written down: everything that whoever finishes it must know, and what follows from it.

use super::info::{Info, shards};
use super::membership::{Membership, Stint};
use super::rows::Row;
use crate::fanout::{Audience, Logged, SHARD_MEMBERS, Task, per_shard, tasks_for};
use crate::head::GroupSettings;
use crate::ids::{GroupId, UserId};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use serde::{Deserialize, Serialize};
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{self, GroupChangeType};

/// Ranges of membership that a user's row keeps: the latest, as many as are read for one unit. What was said in earlier ones is
/// then not to be read any more.
pub(super) const STINTS: usize = 100;

/// A change of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// Who makes it.
    pub(super) actor: UserId,
    /// When, in ms.
    pub(super) at_ms: i64,
    /// What it does.
    pub(super) effect: Effect,
}

/// What a change does. It names only users for whom something changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    /// The owner is the first of the users.
    Created {
        users: Vec<UserId>,
    },
    /// Each with the place that they get, or had before.
    Added {
        users: Vec<UserId>,
        places: Vec<u64>,
    },
    Removed {
        users: Vec<UserId>,
    },
    Left,
    /// The group was dissolved before, and nobody is told.
    LeftDissolved,
    Renamed {
        name: String,
    },
    Role {
        user: UserId,
        role: Role,
    },
    HandedOver {
        user: UserId,
    },
    MemberMuted {
        user: UserId,
        until_ms: i64,
    },
    Muted {
        muted: bool,
    },
    HistoryOpened {
        open: bool,
    },
    BecameSuper,
    Dissolved,
}

/// What a change does to the head of the group's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    New {
        shards: u64,
        super_group: bool,
        open_history: bool,
    },
    Shards(u64),
    Muted(bool),
    OpenHistory(bool),
    Super,
    Dissolved,
}

impl Change {
    /// The users whose rows it changes.
    pub(super) fn users(&self) -> Vec<UserId> {
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

    /// Whether it begins or ends ranges of membership with what the log has by then.
    pub(super) fn goes_by_the_log(&self) -> bool {
        matches!(self.effect, Effect::Added { .. } | Effect::LeftDissolved)
    }

    /// Whether it is told in the log.
    pub(super) fn is_announced(&self) -> bool {
        self.effect != Effect::LeftDissolved
    }

    /// Whether it ends ranges of membership: with its announcement, whose seq must be known before.
    pub(super) fn ends_stints(&self) -> bool {
        matches!(self.effect, Effect::Removed { .. } | Effect::Left)
    }

    /// What it does to the head of the log. `info` is the group after it.
    pub(super) fn setting(&self, info: &Info) -> Option<Setting> {
        match &self.effect {
            Effect::Created { .. } => Some(Setting::New {
                shards: shards(info.places),
                super_group: info.super_group,
                open_history: info.open_history,
            }),
            Effect::Added { places, .. } => {
                // The first place of a shard, which may be new.
                let begins_a_shard = places.iter().any(|place| place.is_multiple_of(SHARD_MEMBERS));
                begins_a_shard.then(|| Setting::Shards(shards(info.places)))
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

    /// The row of the `index`th of its users after it, from the row before it. `seq` is that of the announcement for those whose ranges end
    /// with it, and else the log's highest before.
    pub(super) fn row(
        &self,
        group: GroupId,
        index: usize,
        user: UserId,
        before: Option<&Row>,
        seq: u64,
    ) -> Option<Membership> {
        let begun = |place: u64, joined_after: u64, role: Role| {
            let mut stints = before.map_or_else(Vec::new, |row| row.membership.stints.clone());
            let left = None;
            stints.push(Stint { joined_after, left });
            stints.drain(..stints.len().saturating_sub(STINTS));
            Membership {
                group,
                role,
                // Who was muted does not speak again by leaving and being added.
                muted_until_ms: before.map_or(0, |row| row.membership.muted_until_ms),
                stints,
                place,
            }
        };
        let mut after = match &self.effect {
            Effect::Created { .. } if index == 0 => return Some(begun(0, 0, Role::Owner)),
            Effect::Created { .. } => return Some(begun(index as u64, 0, Role::Member)),
            Effect::Added { places, .. } => return Some(begun(*places.get(index)?, seq, Role::Member)),
            _ => before?.membership.clone(),
        };
        match &self.effect {
            Effect::Removed { .. } | Effect::Left | Effect::LeftDissolved => after.stints.last_mut()?.left = Some(seq),
            Effect::Role { role, .. } => after.role = *role,
            // Nobody could let them speak again.
            Effect::HandedOver { user: owner } if *owner == user => {
                (after.role, after.muted_until_ms) = (Role::Owner, 0);
            }
            Effect::HandedOver { .. } => after.role = Role::Admin,
            Effect::MemberMuted { until_ms, .. } => after.muted_until_ms = *until_ms,
            _ => {}
        }
        Some(after)
    }

    /// What is said of it in the log: the same bytes, whoever writes them. `info` is the group after it, `settings` what its log
    /// says of it then.
    pub(super) fn announcement(&self, group: GroupId, info: &Info, settings: &GroupSettings, seq: u64) -> Logged {
        let message = pb::Message {
            session_type: pb::SessionType::Group.into(),
            receiver_id: group,
            sender_id: self.actor,
            message_type: pb::MessageType::GroupChange.into(),
            content: Vec::new(),
            seq: 0,
            send_time: self.at_ms,
            conversation_seq: seq,
            client_id: 0,
            session: info.version,
            group_change: Some(self.group_change(info, settings)),
        };
        let key = [group.to_be_bytes(), info.version.to_be_bytes()].concat();
        Logged { key, message }
    }

    fn group_change(&self, info: &Info, settings: &GroupSettings) -> pb::GroupChange {
        let mut said = pb::GroupChange {
            super_group: info.super_group,
            // Messages may have come between that and the telling of it, and no inbox has them.
            super_after: settings.super_after.filter(|_| info.super_group).unwrap_or_default(),
            ..pb::GroupChange::default()
        };
        let kind = match &self.effect {
            Effect::Created { users } => {
                said.user_ids.clone_from(users);
                said.name.clone_from(&info.name);
                GroupChangeType::Created
            }
            Effect::Added { users, .. } => {
                said.user_ids.clone_from(users);
                GroupChangeType::MembersAdded
            }
            Effect::Removed { users } => {
                said.user_ids.clone_from(users);
                GroupChangeType::MembersRemoved
            }
            Effect::Left | Effect::LeftDissolved => GroupChangeType::MemberLeft,
            Effect::Renamed { name } => {
                said.name.clone_from(name);
                GroupChangeType::Renamed
            }
            Effect::Role { user, role } => {
                said.user_ids = vec![*user];
                said.role = wire(*role).into();
                GroupChangeType::Role
            }
            Effect::HandedOver { user } => {
                said.user_ids = vec![*user];
                GroupChangeType::HandedOver
            }
            Effect::MemberMuted { user, until_ms: 0 } => {
                said.user_ids = vec![*user];
                GroupChangeType::MemberUnmuted
            }
            Effect::MemberMuted { user, until_ms } => {
                said.user_ids = vec![*user];
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
    /// In a super group nobody's inbox has it, so that a user who was offline would not learn what became of them: it is
    /// copied to those whom it is about. That the group became one is the last message that all inboxes get.
    pub(super) fn tasks(&self, group: GroupId, settings: GroupSettings, logged: Logged) -> Vec<Task> {
        #[cfg(feature = "plant")]
        if self.effect == Effect::BecameSuper && plant::has(Bug::BecomeUntold) {
            return tasks_for(group, &settings, &logged, None);
        }
        if self.effect == Effect::BecameSuper {
            // At once, before what later changes enqueue.
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
    fn that_a_group_became_a_super_group_is_enqueued_whole_however_large_it_is() {
        let change = Change {
            actor: 1,
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
        let tasks = change.tasks(7, settings, logged);
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
