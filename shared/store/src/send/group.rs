//! A message to a group: into the log, into the queue, into the sender's own inbox.
//!
//! 1. reserve in the log, whose head says what the group is ‖ read what the sender is in it
//! 2. claim, as for a one-to-one message
//! 3. put the log entry
//! 4. enqueue the tasks that bring it to the members ‖ put the sender's own inbox entry, but in a super group
//!
//! A repeat enqueues again: the tasks may be carried out any number of times.
//!
//! What the group is at the moment of a message is judged by the message's seq in the log, and by a head that was read
//! no earlier than that seq was reserved: so all attempts judge alike, and no shard is missed that had a member by
//! then.
//!
//! Four write units for a message of up to 1 KB, one read unit.

use super::outgoing::{Outgoing, Place};
use super::place::Placed;
use super::{Claim, Draft, OwnCopy, Refusal, SendError, no_inbox, numbering_of, repeated};
use crate::Store;
use crate::error::StoreError;
use crate::fanout::{Logged, TaskQueue, tasks_for};
use crate::groups::Membership;
use crate::head::{GroupSettings, Head};
use crate::ids::{GroupId, Recipient};
use crate::numbering::{Numbering, Verdict};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::timeline::Missing;
use wigwag_protocol::http::Role;
use wigwag_protocol::{Code, pb};

/// A message that is durable in the group's log and in the sender's inbox, and whose tasks are in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct SentToGroup {
    /// The message as it stands, without the seq of an inbox.
    pub message: pb::Message,
    /// Its seq in the sender's inbox; 0 in a super group.
    pub own_seq: u64,
    /// The sender's head, with the devices to push to.
    pub sender: Head,
}

/// What an attempt knows of the group.
#[derive(Debug)]
struct Reserved {
    /// The seq that it took in the log.
    log_seq: u64,
    settings: GroupSettings,
}

impl Store {
    /// Sends a message to a group, or finishes and answers again one that was sent before. When this returns `Ok`, the
    /// message stands in the log, and will stand in the inbox of everyone who was a member.
    #[tracing::instrument(
        name = "store.send_to_group",
        skip_all,
        fields(user.id = draft.key.sender, group.id = group, client_id = draft.key.client_id)
    )]
    pub async fn send_to_group(
        &self,
        queue: &impl TaskQueue,
        draft: &Draft,
        group: GroupId,
        now_ms: i64,
    ) -> Result<SentToGroup, SendError> {
        let to = Recipient::Group(group);
        let out = &Outgoing { draft, to };
        let (reserved, membership) = self.prepare_for_group(out, group, now_ms).await?;
        if let Some(code) = refused_in_group(&reserved, membership.as_ref(), now_ms) {
            return self.refuse_in_group(queue, out, group, &reserved, code, now_ms).await;
        }
        let own_copy = if reserved.settings.is_super(reserved.log_seq) {
            OwnCopy::None
        } else {
            OwnCopy::Kept
        };
        let plan = out.plan(reserved.log_seq, 0, now_ms);
        match self.claim(out, plan, own_copy, now_ms).await {
            Ok(Claim::Won(sender)) => {
                let numbering = numbering_of(out, &sender)?;
                self.finish_in_group(queue, out, group, &reserved, numbering, sender, now_ms)
                    .await
            }
            Ok(Claim::Lost(sender)) => {
                self.give_up_one(&out.timeline(Place::Log), reserved.log_seq, now_ms)
                    .await;
                let numbering = repeated(out, &sender)?;
                #[cfg(feature = "plant")]
                if plant::has(Bug::RepeatUnfinished) {
                    return Ok(SentToGroup {
                        message: out.message(&numbering),
                        own_seq: numbering.own_seq,
                        sender,
                    });
                }
                self.finish_in_group(queue, out, group, &reserved, numbering, sender, now_ms)
                    .await
            }
            Err(error @ StoreError::Throttled { .. }) => {
                self.give_up_one(&out.timeline(Place::Log), reserved.log_seq, now_ms)
                    .await;
                Err(error.into())
            }
            // The claim may stand, and then its plan names this seq: the next attempt finds out.
            Err(error) => Err(error.into()),
        }
    }

    /// Step 1.
    async fn prepare_for_group(
        &self,
        out: &Outgoing<'_>,
        group: GroupId,
        now_ms: i64,
    ) -> Result<(Reserved, Option<Membership>), SendError> {
        let log = out.timeline(Place::Log);
        let (logged, membership) = tokio::join!(
            self.reserve(&log, 1, Missing::Refuse, now_ms),
            self.membership(group, out.draft.key.sender),
        );
        let head = logged?.ok_or(Refusal::from(Code::GROUP_NOT_FOUND))?;
        match (head.group, membership) {
            (Some(settings), Ok(membership)) => {
                let log_seq = head.seq;
                Ok((Reserved { log_seq, settings }, membership))
            }
            (_, membership) => {
                self.give_up_one(&log, head.seq, now_ms).await;
                membership?;
                // The group is being made.
                Err(Refusal::from(Code::GROUP_NOT_FOUND).into())
            }
        }
    }

    /// The sender may not send. What was accepted before that is still answered as it was.
    async fn refuse_in_group(
        &self,
        queue: &impl TaskQueue,
        out: &Outgoing<'_>,
        group: GroupId,
        reserved: &Reserved,
        code: Code,
        now_ms: i64,
    ) -> Result<SentToGroup, SendError> {
        self.give_up_one(&out.timeline(Place::Log), reserved.log_seq, now_ms)
            .await;
        let sender = self.head(&out.timeline(Place::Own), true).await?.ok_or_else(no_inbox)?;
        match out.judge(&sender) {
            Verdict::Repeat(numbering) => {
                self.finish_in_group(queue, out, group, reserved, numbering, sender, now_ms)
                    .await
            }
            _ => Err(Refusal::from(code).into()),
        }
    }

    /// Steps 3 and 4.
    #[expect(clippy::too_many_arguments, reason = "all that an attempt knows by then")]
    async fn finish_in_group(
        &self,
        queue: &impl TaskQueue,
        out: &Outgoing<'_>,
        group: GroupId,
        reserved: &Reserved,
        numbering: Numbering,
        sender: Head,
        now_ms: i64,
    ) -> Result<SentToGroup, SendError> {
        let Placed { numbering, head } = self.place(out, Place::Log, numbering, now_ms).await?;
        let log_seq = numbering.plan.log_seq;
        let settings = match head.and_then(|head| Some((head.seq, head.group?))) {
            Some((seq, settings)) if seq >= log_seq => settings,
            None if reserved.log_seq >= log_seq => reserved.settings,
            // Another attempt took the seq after this one looked at the group.
            _ => self.settings_now(out).await?,
        };
        #[cfg(feature = "plant")]
        let settings = if plant::has(Bug::SuperJudgedNow) {
            let mut settings = self.settings_now(out).await?;
            settings.super_after = settings.super_after.map(|_| 0);
            settings
        } else {
            settings
        };
        let message = out.message(&numbering);
        let logged = Logged {
            key: out.draft.key.to_bytes(),
            message: message.clone(),
        };
        let tasks = tasks_for(group, &settings, &logged, Some(out.draft.key.sender));
        let own_copy = if settings.is_super(log_seq) {
            OwnCopy::None
        } else {
            OwnCopy::Kept
        };
        let (enqueued, own) = tokio::join!(
            queue.enqueue(&tasks),
            self.keep_own_copy(out, numbering, own_copy, now_ms)
        );
        enqueued?;
        let own = own?;
        Ok(SentToGroup {
            message,
            own_seq: own.numbering.own_seq,
            sender: own.head.unwrap_or(sender),
        })
    }

    /// Puts the message into the sender's own inbox, where its plan says so. Where another seq in the log made it one of a super
    /// group since, no inbox is to have it, and what the plan took is given up.
    async fn keep_own_copy(
        &self,
        out: &Outgoing<'_>,
        numbering: Numbering,
        own_copy: OwnCopy,
        now_ms: i64,
    ) -> Result<Placed, SendError> {
        match (numbering.own_seq, own_copy) {
            (0, _) => Ok(Placed { numbering, head: None }),
            (_, OwnCopy::Kept) => self.place(out, Place::Own, numbering, now_ms).await,
            (own_seq, OwnCopy::None) => {
                self.give_up_one(&out.timeline(Place::Own), own_seq, now_ms).await;
                let numbering = numbering.with_seq(Place::Own, 0);
                Ok(Placed { numbering, head: None })
            }
        }
    }

    async fn settings_now(&self, out: &Outgoing<'_>) -> Result<GroupSettings, StoreError> {
        let head = self.head(&out.timeline(Place::Log), true).await?;
        head.and_then(|head| head.group).ok_or_else(|| StoreError::Corrupt {
            table: "timelines",
            detail: "a group without settings".to_owned(),
        })
    }
}

fn refused_in_group(reserved: &Reserved, membership: Option<&Membership>, now_ms: i64) -> Option<Code> {
    let settings = &reserved.settings;
    #[cfg(feature = "plant")]
    let membership = membership.map(|membership| plant::unmuted(membership.clone()));
    #[cfg(feature = "plant")]
    let (membership, settings) = (membership.as_ref(), &plant::unheeded(*settings));
    match membership.filter(|membership| membership.is_active()) {
        None => Some(Code::NOT_A_MEMBER),
        Some(_) if settings.is_dissolved(reserved.log_seq) => Some(Code::GROUP_DISSOLVED),
        Some(membership) if membership.muted_until_ms > now_ms => Some(Code::MEMBER_MUTED),
        Some(membership) if settings.muted && membership.role == Role::Member => Some(Code::GROUP_MUTED),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::Stint;

    fn member(role: Role, muted_until_ms: i64, left: Option<u64>) -> Membership {
        let stint = Stint { joined_after: 0, left };
        Membership {
            group: 1,
            role,
            muted_until_ms,
            stints: vec![stint],
            place: 0,
        }
    }

    #[test]
    fn who_may_send_follows_from_the_group_and_the_member() {
        let of = |settings: GroupSettings, membership: Option<Membership>| {
            let log_seq = 5;
            refused_in_group(&Reserved { log_seq, settings }, membership.as_ref(), 1_000)
        };
        let open = GroupSettings::default();
        let muted = GroupSettings { muted: true, ..open };
        let dissolved_after = |seq| GroupSettings {
            dissolved_after: Some(seq),
            ..open
        };
        let plain = || Some(member(Role::Member, 0, None));
        assert_eq!(of(open, plain()), None);
        assert_eq!(of(open, None), Some(Code::NOT_A_MEMBER));
        assert_eq!(
            of(open, Some(member(Role::Admin, 0, Some(3)))),
            Some(Code::NOT_A_MEMBER)
        );
        assert_eq!(
            of(open, Some(member(Role::Member, 1_001, None))),
            Some(Code::MEMBER_MUTED)
        );
        assert_eq!(of(open, Some(member(Role::Member, 1_000, None))), None);
        assert_eq!(of(muted, plain()), Some(Code::GROUP_MUTED));
        assert_eq!(of(muted, Some(member(Role::Admin, 0, None))), None);
        assert_eq!(of(dissolved_after(4), plain()), Some(Code::GROUP_DISSOLVED));
        assert_eq!(of(dissolved_after(5), plain()), None);
    }
}
