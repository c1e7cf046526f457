//! A message to a group: into the log, into the queue, into the sender's own inbox.
//!
//! 1. read what the sender is in the group
//! 2. reserve in the log, whose head says what the group is, unless it says that this sender may not send
//! 3. claim, as for a one-to-one message
//! 4. put the log entry
//! 5. enqueue the tasks that bring it to the members ‖ put the sender's own inbox entry, but in a super group
//!
//! A repeat enqueues again: the tasks may be carried out any number of times. Who may not send takes no seq: each one that nobody uses is
//! a hole until it is sealed, and in a super group it sends everyone who is online to the log for nothing.
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
use crate::ids::{GroupId, Recipient, TimelineId};
use crate::item::condition_item;
use crate::numbering::{Numbering, Verdict};
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
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

/// The head of a log of a group that goes on.
const OPEN: &str = "attribute_exists(#t) AND attribute_not_exists(#dissolved)";
/// And in which plain members may send.
const OPEN_TO_MEMBERS: &str =
    "attribute_exists(#t) AND attribute_not_exists(#dissolved) AND (attribute_not_exists(#muted) OR #muted <> :yes)";

/// How reserving in a group's log ended.
enum GroupReserved {
    /// With the head as it stands then.
    Taken(Head),
    /// No seq was taken.
    Refused(Code),
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
        let reserved = match self.prepare_for_group(out, group, now_ms).await? {
            Ok(reserved) => reserved,
            Err(code) => return self.refuse_in_group(queue, out, group, code, now_ms).await,
        };
        let own_copy = if reserved.settings.is_super(reserved.log_seq) {
            OwnCopy::None
        } else {
            OwnCopy::Kept
        };
        let plan = out.plan(reserved.log_seq, 0, now_ms);
        match self.claim(out, plan, own_copy, now_ms).await {
            Ok(Claim::Won(sender)) => {
                let numbering = numbering_of(out, &sender)?;
                self.finish_in_group(queue, out, group, Some(&reserved), numbering, sender, now_ms)
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
                self.finish_in_group(queue, out, group, Some(&reserved), numbering, sender, now_ms)
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

    /// Steps 1 and 2. Or why the sender may not send.
    async fn prepare_for_group(
        &self,
        out: &Outgoing<'_>,
        group: GroupId,
        now_ms: i64,
    ) -> Result<Result<Reserved, Code>, SendError> {
        let membership = self.membership(group, out.draft.key.sender).await?;
        let role = match may_send(membership.as_ref(), now_ms) {
            Ok(role) => role,
            Err(code) => return Ok(Err(code)),
        };
        let log = out.timeline(Place::Log);
        match self.reserve_in_group(&log, role, now_ms).await? {
            GroupReserved::Taken(Head {
                seq,
                group: Some(settings),
                ..
            }) => Ok(Ok(Reserved { log_seq: seq, settings })),
            // The group is being made.
            GroupReserved::Taken(head) => {
                self.give_up_one(&log, head.seq, now_ms).await;
                Err(Refusal::from(Code::GROUP_NOT_FOUND).into())
            }
            GroupReserved::Refused(code) => Ok(Err(code)),
        }
    }

    /// Takes the next seq of a group's log, unless its head says that nobody of this role may send. One write unit, one attempt.
    async fn reserve_in_group(&self, log: &TimelineId, role: Role, now_ms: i64) -> Result<GroupReserved, StoreError> {
        let mut call = self
            .reservation(log, 1, now_ms)
            .expression_attribute_names("#t", attr::TIMELINE)
            .expression_attribute_names("#dissolved", attr::DISSOLVED_AFTER)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        #[cfg(feature = "plant")]
        let role = plant::heard(role);
        let open = if role == Role::Member { OPEN_TO_MEMBERS } else { OPEN };
        #[cfg(feature = "plant")]
        let open = plant::unended(open);
        call = call.condition_expression(open);
        if role == Role::Member {
            call = call
                .expression_attribute_names("#muted", attr::MUTED)
                .expression_attribute_values(":yes", AttributeValue::Bool(true));
        }
        match call.send().await {
            Ok(output) => Ok(GroupReserved::Taken(Head::from_item(
                &output.attributes.unwrap_or_default(),
            )?)),
            Err(error) => match condition_item(error.as_service_error()) {
                Some(None) => Ok(GroupReserved::Refused(Code::GROUP_NOT_FOUND)),
                Some(Some(head)) => {
                    let settings = Head::from_item(&head)?.group;
                    let is_dissolved = settings.is_some_and(|settings| settings.dissolved_after.is_some());
                    Ok(GroupReserved::Refused(if is_dissolved {
                        Code::GROUP_DISSOLVED
                    } else {
                        Code::GROUP_MUTED
                    }))
                }
                None => Err(StoreError::call("UpdateItem (reserve in a group)")(error)),
            },
        }
    }

    /// The sender may not send. What was accepted before that is still answered as it was.
    async fn refuse_in_group(
        &self,
        queue: &impl TaskQueue,
        out: &Outgoing<'_>,
        group: GroupId,
        code: Code,
        now_ms: i64,
    ) -> Result<SentToGroup, SendError> {
        let sender = self.head(&out.timeline(Place::Own), true).await?.ok_or_else(no_inbox)?;
        match out.judge(&sender) {
            Verdict::Repeat(numbering) => {
                self.finish_in_group(queue, out, group, None, numbering, sender, now_ms)
                    .await
            }
            _ => Err(Refusal::from(code).into()),
        }
    }

    /// Steps 4 and 5.
    #[expect(clippy::too_many_arguments, reason = "all that an attempt knows by then")]
    async fn finish_in_group(
        &self,
        queue: &impl TaskQueue,
        out: &Outgoing<'_>,
        group: GroupId,
        reserved: Option<&Reserved>,
        numbering: Numbering,
        sender: Head,
        now_ms: i64,
    ) -> Result<SentToGroup, SendError> {
        let Placed { numbering, head } = self.place(out, Place::Log, numbering, now_ms).await?;
        let log_seq = numbering.plan.log_seq;
        let settings = match head.and_then(|head| Some((head.seq, head.group?))) {
            Some((seq, settings)) if seq >= log_seq => settings,
            _ => match reserved {
                Some(reserved) if reserved.log_seq >= log_seq => reserved.settings,
                // Another attempt took the seq after this one looked at the group, or this one did not look.
                _ => self.settings_now(out).await?,
            },
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

/// The role of a sender who may send, as far as that is up to what they are; or why not.
fn may_send(membership: Option<&Membership>, now_ms: i64) -> Result<Role, Code> {
    #[cfg(feature = "plant")]
    let membership = membership.map(|membership| plant::unmuted(membership.clone()));
    #[cfg(feature = "plant")]
    let membership = membership.as_ref();
    match membership.filter(|membership| membership.is_active()) {
        None => Err(Code::NOT_A_MEMBER),
        // Nobody mutes the owner.
        Some(membership) if membership.muted_until_ms > now_ms && membership.role != Role::Owner => {
            Err(Code::MEMBER_MUTED)
        }
        Some(membership) => Ok(membership.role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::Stint;

    #[test]
    fn who_may_send_follows_from_what_they_are() {
        let of = |role, muted_until_ms, left| {
            let stint = Stint { joined_after: 0, left };
            let membership = Membership {
                group: 1,
                role,
                muted_until_ms,
                stints: vec![stint],
                place: 0,
            };
            may_send(Some(&membership), 1_000)
        };
        assert_eq!(may_send(None, 1_000), Err(Code::NOT_A_MEMBER));
        assert_eq!(of(Role::Admin, 0, Some(3)), Err(Code::NOT_A_MEMBER));
        assert_eq!(of(Role::Member, 1_001, None), Err(Code::MEMBER_MUTED));
        assert_eq!(of(Role::Admin, 1_001, None), Err(Code::MEMBER_MUTED));
        assert_eq!(of(Role::Owner, 1_001, None), Ok(Role::Owner));
        assert_eq!(of(Role::Member, 1_000, None), Ok(Role::Member));
    }
}
