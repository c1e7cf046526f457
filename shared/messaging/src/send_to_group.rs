//! A message to a group: into the log, into the queue, into the sender's own inbox.
//!
//! 1. read what the sender is in the group
//! 2. reserve in the log, on the condition that its head lets this sender send; the answer brings
//!    the group's settings
//! 3. claim, as for a one-to-one message
//! 4. put the log entry
//! 5. enqueue the tasks that bring it to the members ‖ put the sender's own inbox entry (not in a
//!    super group)
//!
//! The settings that decide are those of a head that was read no earlier than the message's seq was
//! reserved: so all attempts decide alike, and no shard is missed that had a member by then. A
//! repeat enqueues again, which is harmless. A sender who may not send takes no seq, because an
//! unused seq is a hole until it is sealed.
//!
//! Four write units for a message of up to 1 KB, one read unit.

use crate::queue::TaskQueue;
use crate::refusal::{Refusal, SendError, claimed, repeated};
use crate::settle::{Settled, put_in_group_log, put_in_inbox};
use wigwag_domain::groups::membership::may_send;
use wigwag_domain::head::{GroupLogHead, GroupSettings, InboxHead};
use wigwag_domain::numbering::{Destination, NumberCheck, Numbering};
use wigwag_domain::outgoing::{Draft, Outgoing};
use wigwag_domain::task::{Logged, tasks_for};
use wigwag_domain::{GroupId, Recipient};
use wigwag_protocol::{Code, pb};
use wigwag_store::group_logs::{self, GroupReserved};
use wigwag_store::inboxes::{self, Claim, OwnCopy, no_inbox};
use wigwag_store::{Store, StoreError, corrupt, groups, timelines};

/// A message that is durable in the group's log and in the sender's inbox, and whose tasks are in
/// the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct SentToGroup {
    /// The message as it is stored, without the seq of an inbox.
    pub message: pb::Message,
    /// Its seq in the sender's inbox; 0 in a super group.
    pub own_seq: u64,
    /// The sender's head, with the devices to push to.
    pub sender: InboxHead,
}

/// An attempt at a message.
struct Attempt<'a, Q> {
    store: &'a Store,
    queue: &'a Q,
    out: Outgoing<'a>,
    group: GroupId,
    now_ms: i64,
}

/// What reserving in the log brought.
#[derive(Debug, Clone, Copy)]
struct Reserved {
    log_seq: u64,
    settings: GroupSettings,
}

/// How steps 1 and 2 ended.
enum Prepared {
    Reserved(Reserved),
    Refused(Code),
}

/// Sends a message to a group, or finishes and answers again one that was sent before. When this
/// returns `Ok`, the message is durable in the log, and will be in the inbox of everyone who was a
/// member.
#[tracing::instrument(
    name = "send_to_group",
    skip_all,
    fields(user.id = draft.key.sender.0, group.id = group.0, client_id = draft.key.client_id)
)]
pub async fn send_to_group(
    store: &Store,
    queue: &impl TaskQueue,
    draft: &Draft,
    group: GroupId,
    now_ms: i64,
) -> Result<SentToGroup, SendError> {
    let to = Recipient::Group(group);
    let attempt = Attempt {
        store,
        queue,
        out: Outgoing { draft, to },
        group,
        now_ms,
    };
    match attempt.prepare().await? {
        Prepared::Reserved(reserved) => attempt.claim(reserved).await,
        Prepared::Refused(code) => attempt.refuse(code).await,
    }
}

impl<Q: TaskQueue> Attempt<'_, Q> {
    /// Steps 1 and 2.
    async fn prepare(&self) -> Result<Prepared, SendError> {
        let membership = groups::membership(self.store, self.group, self.out.draft.key.sender).await?;
        let role = match may_send(membership.as_ref(), self.now_ms) {
            Ok(role) => role,
            Err(code) => return Ok(Prepared::Refused(code)),
        };
        match group_logs::reserve(self.store, self.group, role, self.now_ms).await? {
            GroupReserved::Taken(GroupLogHead {
                seq: log_seq,
                settings: Some(settings),
            }) => Ok(Prepared::Reserved(Reserved { log_seq, settings })),
            // The group is being made.
            GroupReserved::Taken(GroupLogHead { seq, settings: None }) => {
                self.give_up(Destination::Log, seq).await;
                Err(Refusal::from(Code::GROUP_NOT_FOUND).into())
            }
            GroupReserved::Refused(code) => Ok(Prepared::Refused(code)),
        }
    }

    /// Step 3, and what follows from it.
    async fn claim(&self, reserved: Reserved) -> Result<SentToGroup, SendError> {
        let own_copy = own_copy(reserved.settings, reserved.log_seq);
        let plan = self.out.plan(reserved.log_seq, 0, self.now_ms);
        match inboxes::claim(self.store, &self.out, plan, own_copy, self.now_ms).await {
            Ok(Claim::Won(sender)) => {
                let numbering = claimed(&self.out, &sender)?;
                self.finish(Some(reserved), numbering, sender).await
            }
            Ok(Claim::Lost(sender)) => {
                self.give_up(Destination::Log, reserved.log_seq).await;
                let numbering = repeated(&self.out, &sender)?;
                self.finish(Some(reserved), numbering, sender).await
            }
            Err(error @ StoreError::Throttled { .. }) => {
                self.give_up(Destination::Log, reserved.log_seq).await;
                Err(error.into())
            }
            // The claim may have been done, and then its plan names this seq: the next attempt
            // finds out.
            Err(error) => Err(error.into()),
        }
    }

    /// The sender may not send. A message that was accepted before that is answered as it was.
    async fn refuse(&self, code: Code) -> Result<SentToGroup, SendError> {
        let sender = inboxes::head(self.store, self.out.draft.key.sender, true).await?;
        let sender = sender.ok_or_else(no_inbox)?;
        match self.out.check_number(&sender) {
            NumberCheck::Repeat(numbering) => self.finish(None, numbering, sender).await,
            _ => Err(Refusal::from(code).into()),
        }
    }

    /// Steps 4 and 5.
    async fn finish(
        &self,
        reserved: Option<Reserved>,
        numbering: Numbering,
        sender: InboxHead,
    ) -> Result<SentToGroup, SendError> {
        let (message, logged) = put_in_group_log(self.store, &self.out, self.group, numbering, self.now_ms).await?;
        let numbering = logged.numbering;
        let log_seq = numbering.plan.log_seq;
        let settings = self.settings_at(log_seq, logged.head, reserved).await?;
        let logged = Logged {
            key: self.out.draft.key.to_bytes(),
            message: message.clone(),
        };
        let tasks = tasks_for(self.group, &settings, &logged, Some(self.out.draft.key.sender));
        let (enqueued, own) = tokio::join!(
            self.queue.enqueue(&tasks),
            self.keep_own_copy(&message, numbering, own_copy(settings, log_seq))
        );
        enqueued?;
        let own = own?;
        Ok(SentToGroup {
            message,
            own_seq: own.numbering.own_seq,
            sender: own.head.unwrap_or(sender),
        })
    }

    /// The settings of a head that was read no earlier than `log_seq` was reserved.
    async fn settings_at(
        &self,
        log_seq: u64,
        head: Option<GroupLogHead>,
        reserved: Option<Reserved>,
    ) -> Result<GroupSettings, StoreError> {
        if let Some(head) = head.filter(|head| head.seq >= log_seq)
            && let Some(settings) = head.settings
        {
            return Ok(settings);
        }
        if let Some(reserved) = reserved.filter(|reserved| reserved.log_seq >= log_seq) {
            return Ok(reserved.settings);
        }
        // Another attempt took the seq after this one looked at the group, or this one did not
        // look.
        let head = group_logs::head(self.store, self.group).await?;
        head.and_then(|head| head.settings)
            .ok_or_else(|| corrupt("timelines", "a group without settings"))
    }

    /// Puts the message into the sender's own inbox, if its plan says so. If another seq in the log
    /// made it one of a super group since then, no inbox is to have it, and the planned seq is
    /// given up.
    async fn keep_own_copy(
        &self,
        message: &pb::Message,
        numbering: Numbering,
        own_copy: OwnCopy,
    ) -> Result<Settled<InboxHead>, SendError> {
        let own = self.out.draft.key.sender;
        match (numbering.own_seq, own_copy) {
            (0, _) => Ok(Settled { numbering, head: None }),
            (_, OwnCopy::Kept) => {
                put_in_inbox(
                    self.store,
                    &self.out,
                    own,
                    Destination::Own,
                    message,
                    numbering,
                    self.now_ms,
                )
                .await
            }
            (own_seq, OwnCopy::None) => {
                self.give_up(Destination::Own, own_seq).await;
                let numbering = numbering.with_seq(Destination::Own, 0);
                Ok(Settled { numbering, head: None })
            }
        }
    }

    async fn give_up(&self, destination: Destination, seq: u64) {
        timelines::give_up(self.store, &self.out.timeline(destination), seq, self.now_ms).await;
    }
}

/// Whether the sender's inbox holds a message with this seq in the log.
fn own_copy(settings: GroupSettings, log_seq: u64) -> OwnCopy {
    if settings.is_super(log_seq) {
        OwnCopy::None
    } else {
        OwnCopy::Kept
    }
}
