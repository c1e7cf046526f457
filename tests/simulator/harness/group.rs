//! A group in an engine: what tests do with it, and what they see of it.

use super::queues::Collected;
use super::{LATER, NOW, WHOLE_TIMELINE, draft, engine_with_users, ids, logged_message};
use crate::checks::group::{GroupCheck, announced_seq};
use crate::engine::Engine;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wigwag_domain::groups::NewGroup;
use wigwag_domain::groups::membership::Membership;
use wigwag_domain::groups::rules::{Changed, Wanted};
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::task::{SHARD_MEMBERS, Task};
use wigwag_domain::{GroupId, TimelineId, UserId};
use wigwag_messaging::change_group::ChangeError;
use wigwag_messaging::pull::{History, HistoryRange, PullError};
use wigwag_messaging::send_to_group::SentToGroup;
use wigwag_messaging::{Refusal, SendError};
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{GroupChange, GroupChangeType};
use wigwag_protocol::{Code, Encoding};
use wigwag_store::timelines::Missing;
use wigwag_store::{Store, groups, timelines};

/// The group of every test.
pub(crate) const GROUP: GroupId = GroupId(77);

/// The whole history of a conversation, up to a hundred messages a page.
pub(crate) const WHOLE_HISTORY: HistoryRange = HistoryRange {
    begin_seq: 0,
    end_seq: 0,
    limit: 100,
    descending: false,
};

/// A group with its engine, and the tasks that are enqueued for it.
pub(crate) struct TestGroup {
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) queue: Collected,
    owner: UserId,
}

/// A group named "friends" with these users and its owner.
pub(crate) fn new_group(users: &[UserId]) -> NewGroup {
    NewGroup {
        name: "friends".to_owned(),
        users: users.to_vec(),
        super_group: false,
        open_history: false,
        request: None,
    }
}

impl TestGroup {
    /// Users 1 to `users`, and no group yet.
    pub(crate) async fn empty(owner: UserId, users: UserId) -> Self {
        let engine = engine_with_users(users.0).await;
        Self {
            store: engine.store(),
            queue: Collected::default(),
            engine,
            owner,
        }
    }

    /// A group of its owner and these members, among six users.
    pub(crate) async fn with(owner: UserId, members: &[UserId]) -> Self {
        let group = Self::empty(owner, UserId(6)).await;
        group.create(&new_group(members)).await.unwrap();
        group
    }

    pub(crate) async fn create(&self, new: &NewGroup) -> Result<(), ChangeError> {
        create(self, &self.store, self.owner, new).await
    }

    pub(crate) async fn change(&self, actor: UserId, wanted: Wanted) -> Result<Changed, ChangeError> {
        self.change_by(&self.store, actor, &wanted).await
    }

    /// Makes a change through another store, such as one that dies.
    pub(crate) async fn change_by(
        &self,
        store: &Store,
        actor: UserId,
        wanted: &Wanted,
    ) -> Result<Changed, ChangeError> {
        wigwag_messaging::change_group(store, &self.queue, GROUP, actor, wanted, MessagesFrom::Anyone, NOW).await
    }

    /// Makes a change, and drops its tasks.
    pub(crate) async fn change_silently(&self, actor: UserId, wanted: Wanted) {
        self.change(actor, wanted).await.unwrap();
        self.queue.take();
    }

    /// The code that a change is refused with.
    pub(crate) async fn refused(&self, actor: UserId, wanted: Wanted) -> Code {
        match self.change(actor, wanted).await {
            Err(ChangeError::Refused(code) | ChangeError::RefusedFor(code, _)) => code,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a message of user 1's phone.
    pub(crate) async fn send(&self, client_id: u64, content: &str) -> Result<SentToGroup, SendError> {
        self.send_by(&self.store, client_id, content).await
    }

    /// Sends a message of user 1's phone through another store, such as one that dies.
    pub(crate) async fn send_by(&self, store: &Store, client_id: u64, content: &str) -> Result<SentToGroup, SendError> {
        let draft = draft(client_id, content);
        wigwag_messaging::send_to_group(store, &self.queue, &draft, GROUP, NOW).await
    }

    pub(crate) async fn sent(&self, client_id: u64, content: &str) -> SentToGroup {
        self.send(client_id, content).await.unwrap()
    }

    /// The code that a message of user 1's phone is refused with.
    pub(crate) async fn send_refused(&self, client_id: u64, content: &str) -> Code {
        send_refusal(self.send(client_id, content).await).code
    }

    /// Reserves seqs of the log and seals them.
    pub(crate) async fn seal_seqs(&self, seqs: u64) {
        let log = TimelineId::group(GROUP);
        let head = timelines::reserve(&self.store, &log, seqs, Missing::Refuse, NOW).await;
        let last = head.unwrap().unwrap().seq;
        for seq in last + 1 - seqs..=last {
            timelines::seal(&self.store, &log, seq, NOW).await.unwrap();
        }
    }

    pub(crate) async fn role(&self, user: UserId) -> Option<Role> {
        let membership = groups::membership(&self.store, GROUP, user).await.unwrap()?;
        membership.is_active().then_some(membership.role)
    }

    /// The membership intervals of a user, as their own row has them.
    pub(crate) async fn intervals(&self, user: UserId) -> Vec<(u64, Option<u64>)> {
        let membership = groups::membership(&self.store, GROUP, user).await.unwrap();
        let intervals = membership.map(|membership| membership.intervals).unwrap_or_default();
        intervals
            .iter()
            .map(|interval| (interval.joined_after, interval.left))
            .collect()
    }

    /// The members, who must fit one page.
    pub(crate) async fn members(&self) -> Vec<UserId> {
        let (members, next) = groups::members_of(&self.store, GROUP, 0).await.unwrap();
        assert_eq!(next, None);
        members.iter().map(|member| member.user).collect()
    }

    /// The number of members, as the group's item has it.
    pub(crate) async fn count(&self) -> u32 {
        groups::group(&self.store, GROUP).await.unwrap().unwrap().members
    }

    /// Since when a change is not finished.
    pub(crate) async fn unfinished_since_ms(&self) -> Option<i64> {
        groups::group(&self.store, GROUP)
            .await
            .unwrap()
            .unwrap()
            .unfinished_since_ms
    }

    /// The announcements in the log, which must have nothing else.
    pub(crate) async fn announced(&self) -> Vec<(u64, GroupChangeType, Vec<UserId>)> {
        let log = TimelineId::group(GROUP);
        let Some(page) = timelines::read(&self.store, &log, WHOLE_TIMELINE, LATER).await.unwrap() else {
            return Vec::new();
        };
        let entries = page.entries.iter().map(|(seq, entry)| {
            let message = logged_message(entry);
            assert_eq!(message.conversation_seq, *seq);
            let change = message.group_change.unwrap();
            (*seq, change.r#type(), ids(change.user_ids))
        });
        entries.collect()
    }

    pub(crate) async fn history(&self, user: UserId, wanted: HistoryRange) -> Result<History, PullError> {
        self.history_at(user, wanted, NOW).await
    }

    pub(crate) async fn history_at(
        &self,
        user: UserId,
        wanted: HistoryRange,
        now_ms: i64,
    ) -> Result<History, PullError> {
        wigwag_messaging::pull_group(&self.store, user, GROUP, wanted, Encoding::Json, now_ms).await
    }

    /// The seqs that a user reads, page by page.
    pub(crate) async fn reads(&self, user: UserId, wanted: HistoryRange) -> Vec<u64> {
        let (mut wanted, mut seqs) = (wanted, Vec::new());
        loop {
            let page = self.history(user, wanted).await.unwrap();
            seqs.extend(page.messages.iter().map(|message| message.conversation_seq));
            match (page.has_more, wanted.descending) {
                (false, _) => return seqs,
                (true, _) if page.next_seq == 0 => panic!("there is more, but no seq to go on from"),
                (true, true) => wanted.end_seq = page.next_seq,
                (true, false) => wanted.begin_seq = page.next_seq,
            }
        }
    }

    /// The contents of the messages that a user reads, without announcements.
    pub(crate) async fn contents(&self, user: UserId, now_ms: i64) -> Vec<String> {
        let history = self.history_at(user, WHOLE_HISTORY, now_ms).await.unwrap();
        let sent = history
            .messages
            .into_iter()
            .filter(|message| message.group_change.is_none());
        sent.map(|message| String::from_utf8(message.content).unwrap())
            .collect()
    }

    /// The group's item.
    pub(crate) fn info(&self) -> Value {
        group_info(&self.engine)
    }

    /// What can be seen of the group from outside.
    pub(crate) async fn seen(&self) -> SeenGroup {
        let group = groups::group(&self.store, GROUP).await.unwrap().unwrap();
        let mut members = Vec::new();
        for user in 1..=9 {
            let membership = groups::membership(&self.store, GROUP, UserId(user)).await.unwrap();
            let active = membership.filter(Membership::is_active);
            members.extend(active.map(|it| (UserId(user), it.role, it.muted_until_ms)));
        }
        let settings = group.settings;
        let (is_super, is_dissolved) = (settings.super_after.is_some(), settings.dissolved_after.is_some());
        SeenGroup {
            name: group.name,
            members,
            settings: [settings.muted, settings.open_history, is_super, is_dissolved],
        }
    }

    /// Asserts that nothing is half-done: the rows agree, and each change is announced once, in
    /// order, and enqueued.
    pub(crate) async fn assert_whole(&self, what: &str) {
        let check = GroupCheck::new(&self.engine, &self.store, (1..=9).map(UserId)).await;
        let contradictions = check.contradictions();
        assert!(contradictions.is_empty(), "{what}: {contradictions:?}");
        let members = self.seen().await.members;
        let mut rows = groups::shard(&self.store, GROUP, 0).await.unwrap();
        rows.retain(|row| row.interval.left.is_none());
        rows.sort_by_key(|row| row.user);
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.user, row.role, row.muted_until_ms))
            .collect();
        assert_eq!(rows, members, "{what}");
        assert_eq!(self.count().await as usize, members.len(), "{what}");
        let enqueued: BTreeSet<u64> = self.queue.take().iter().map(announced_seq).collect();
        assert_eq!(&enqueued, check.announced(), "{what}");
    }
}

/// Creates the group of a fixture through some store, for some owner.
pub(crate) async fn create(group: &TestGroup, store: &Store, owner: UserId, new: &NewGroup) -> Result<(), ChangeError> {
    wigwag_messaging::create_group(store, &group.queue, GROUP, owner, new, MessagesFrom::Anyone, NOW).await
}

/// A group as it is seen from outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenGroup {
    name: String,
    /// The members, each with their role and until when they are muted.
    members: Vec<(UserId, Role, i64)>,
    /// Whether it is muted, has an open history, is a super group, is dissolved.
    settings: [bool; 4],
}

/// The refusal of a message.
pub(crate) fn send_refusal(result: Result<SentToGroup, SendError>) -> Refusal {
    match result {
        Err(SendError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The answer to a change that changed something for all of these users.
pub(crate) fn changed(users: &[UserId]) -> Changed {
    Changed {
        changed: users.to_vec(),
        unchanged: vec![],
    }
}

/// The change that a task announces.
pub(crate) fn announced_change(task: &Task) -> &GroupChange {
    let (Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. }) = task else {
        panic!("this task has no message: {task:?}")
    };
    logged.message.group_change.as_ref().unwrap()
}

/// The item of the group.
pub(crate) fn group_info(engine: &Engine) -> Value {
    let items = engine.items("directory");
    let info = items.into_iter().find(|item| item["sk"]["S"] == "info");
    info.expect("the group has an item")
}

/// Puts the row of a membership interval into its shard.
pub(crate) fn put_shard_row(engine: &Engine, slot: usize, user: UserId, joined_after: u64, left: Option<u64>) {
    let shard = slot / usize::try_from(SHARD_MEMBERS).unwrap();
    let mut row = json!({
        "pk": { "S": format!("group#{GROUP}#{shard}") },
        "sk": { "S": format!("{slot:016}") },
        "u": { "N": user.to_string() },
        "j": { "N": joined_after.to_string() },
        "v": { "N": "1" },
    });
    if let Some(left) = left {
        row["l"] = json!({ "N": left.to_string() });
    }
    engine.put("directory", &row);
}
