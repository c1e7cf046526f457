//! Groups and their members, over the engine.

mod changing;
mod dying;
mod reading;

use crate::harness::{Collected, Engine, LATER, NOW, draft};
use std::collections::BTreeSet;
use wigwag_protocol::http::Role;
use wigwag_protocol::pb::{GroupChange, GroupChangeType, Message};
use wigwag_protocol::{Code, Encoding};
use wigwag_store::fanout::{Audience, Task, TaskQueue};
use wigwag_store::groups::{ChangeError, Changed, NewGroup, ShardMember, Wanted};
use wigwag_store::messages::{History, HistoryRange};
use wigwag_store::send::MessagesFrom;
use wigwag_store::timeline::Missing;
use wigwag_store::{Store, StoreError, TimelineId, UserId};

const GROUP: u64 = 77;

const OWNER: UserId = 1;

/// A group in an engine with these users, and whatever its changes enqueue.
struct World {
    engine: Engine,
    store: Store,
    queue: Collected,
}

const ALL: HistoryRange = HistoryRange {
    begin_seq: 0,
    end_seq: 0,
    limit: 100,
    descending: false,
};

fn new(users: &[UserId]) -> NewGroup {
    NewGroup {
        name: "friends".to_owned(),
        users: users.to_vec(),
        super_group: false,
        open_history: false,
        request: None,
    }
}

impl World {
    /// With users 1 to `users`, and no group.
    async fn empty(users: UserId) -> Self {
        let engine = Engine::start();
        for user in 1..=users {
            engine.user(user).await;
        }
        Self {
            store: engine.store(),
            queue: Collected::default(),
            engine,
        }
    }

    /// A group of these users and the owner, user 1, among six.
    async fn with(members: &[UserId]) -> Self {
        let world = Self::empty(6).await;
        world.create(&new(members)).await.unwrap();
        world
    }

    async fn create(&self, new: &NewGroup) -> Result<(), ChangeError> {
        self.store
            .create_group(&self.queue, GROUP, OWNER, new, MessagesFrom::Anyone, NOW)
            .await
    }

    async fn change(&self, actor: UserId, wanted: Wanted) -> Result<Changed, ChangeError> {
        self.store
            .change_group(&self.queue, GROUP, actor, &wanted, MessagesFrom::Anyone, NOW)
            .await
    }

    async fn refused(&self, actor: UserId, wanted: Wanted) -> Code {
        match self.change(actor, wanted).await {
            Err(ChangeError::Refused(code) | ChangeError::RefusedFor(code, _)) => code,
            other => panic!("{other:?}"),
        }
    }

    async fn role(&self, user: UserId) -> Option<Role> {
        let membership = self.store.membership(GROUP, user).await.unwrap()?;
        membership.is_active().then_some(membership.role)
    }

    /// The ranges of a user, as their own row has them.
    async fn stints(&self, user: UserId) -> Vec<(u64, Option<u64>)> {
        let membership = self.store.membership(GROUP, user).await.unwrap();
        let stints = membership.map(|membership| membership.stints).unwrap_or_default();
        stints.iter().map(|stint| (stint.joined_after, stint.left)).collect()
    }

    async fn members(&self) -> Vec<UserId> {
        let (members, next) = self.store.members_of(GROUP, 0).await.unwrap();
        assert_eq!(next, None);
        members.iter().map(|member| member.user).collect()
    }

    async fn count(&self) -> u32 {
        self.store.group(GROUP).await.unwrap().unwrap().members
    }

    /// What the log announces, by seq.
    async fn announced(&self) -> Vec<(u64, GroupChangeType, Vec<UserId>)> {
        let log = TimelineId::group(GROUP);
        let range = wigwag_store::timeline::Range {
            after: 0,
            through: None,
            limit: 1000,
        };
        let Some(page) = self.store.read(&log, range, LATER).await.unwrap() else {
            return Vec::new();
        };
        let entries = page.entries.into_iter().map(|(seq, entry)| {
            let wigwag_store::timeline::Content::Inline(bytes) = entry.content else {
                panic!("an announcement is too long")
            };
            let message: Message = prost::Message::decode(bytes.as_slice()).unwrap();
            assert_eq!(message.conversation_seq, seq);
            let change = message.group_change.unwrap();
            (seq, change.r#type(), change.user_ids)
        });
        entries.collect()
    }

    async fn history(&self, user: UserId, wanted: HistoryRange) -> Result<History, ChangeError> {
        self.store.group_history(user, GROUP, wanted, Encoding::Json, NOW).await
    }

    /// The seqs that a user reads, page by page.
    async fn reads(&self, user: UserId, wanted: HistoryRange) -> Vec<u64> {
        let (mut wanted, mut seqs) = (wanted, Vec::new());
        loop {
            let page = self.history(user, wanted).await.unwrap();
            seqs.extend(page.messages.iter().map(|message| message.conversation_seq));
            match (page.has_more, wanted.descending) {
                (false, _) => return seqs,
                (true, _) if page.next_seq == 0 => panic!("more, but not where"),
                (true, true) => wanted.end_seq = page.next_seq,
                (true, false) => wanted.begin_seq = page.next_seq,
            }
        }
    }

    /// Seqs that others take, and give up.
    async fn talk(&self, seqs: u64) {
        let log = TimelineId::group(GROUP);
        let head = self
            .store
            .reserve(&log, seqs, Missing::Refuse, NOW)
            .await
            .unwrap()
            .unwrap();
        for seq in head.seq + 1 - seqs..=head.seq {
            self.store.seal(&log, seq, NOW).await.unwrap();
        }
    }
}

fn only(users: &[UserId]) -> Changed {
    Changed {
        changed: users.to_vec(),
        unchanged: vec![],
    }
}

fn said(task: &Task) -> &GroupChange {
    let (Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. }) = task else {
        panic!("{task:?}")
    };
    logged.message.group_change.as_ref().unwrap()
}

/// What there is to see of a group from outside: its name, who is in it as what and muted until when, its settings.
type Seen = (String, Vec<(UserId, Role, i64)>, [bool; 4]);

impl World {
    async fn seen(&self) -> Seen {
        let group = self.store.group(GROUP).await.unwrap().unwrap();
        let mut members = Vec::new();
        for user in 1..=9 {
            let membership = self.store.membership(GROUP, user).await.unwrap();
            let active = membership.filter(wigwag_store::groups::Membership::is_active);
            members.extend(active.map(|it| (user, it.role, it.muted_until_ms)));
        }
        let settings = group.settings;
        let (is_super, is_dissolved) = (settings.super_after.is_some(), settings.dissolved_after.is_some());
        (
            group.name,
            members,
            [settings.muted, settings.open_history, is_super, is_dissolved],
        )
    }

    /// Nothing is half-done: the rows agree, each change is announced once, in order, and is in the queue.
    async fn assert_whole(&self, what: &str) {
        let (_, members, _) = self.seen().await;
        let mut rows: Vec<_> = self.store.shard(GROUP, 0).await.unwrap();
        rows.retain(|row| row.stint.left.is_none());
        rows.sort_by_key(|row| row.user);
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.user, row.role, row.muted_until_ms))
            .collect();
        assert_eq!(rows, members, "{what}");
        assert_eq!(self.count().await as usize, members.len(), "{what}");
        let items = self.engine.items("directory");
        let info = items.iter().find(|item| item["sk"]["S"] == "info").unwrap();
        assert!(
            info.get("change").is_none() && info.get("change_seq").is_none(),
            "{what}"
        );
        let announced: Vec<u64> = self.announced().await.iter().map(|(seq, ..)| *seq).collect();
        assert_eq!(
            info["version"]["N"],
            announced.len().to_string(),
            "{what}: {announced:?}"
        );
        let enqueued: BTreeSet<u64> = self.queue.take().iter().map(seq_of).collect();
        assert_eq!(enqueued.into_iter().collect::<Vec<_>>(), announced, "{what}");
    }
}

fn seq_of(task: &Task) -> u64 {
    match task {
        Task::Deliver { logged, .. } | Task::Announce { logged, .. } | Task::Dispatch { logged, .. } => {
            logged.conversation_seq()
        }
        Task::Finish { .. } | Task::Room { .. } => panic!("{task:?}"),
    }
}

fn wishes() -> [Wanted; 8] {
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

/// After every lease of a change that was made at `NOW`, and before `LATER`.
const LEFT: i64 = NOW + 30_000;
