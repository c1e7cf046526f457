//! Groups: made over HTTP, or filled by the store's own code without telling anybody.

use crate::{Account, Cluster, now_ms};
use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use wigwag_protocol::http::{CreateGroup, GroupCreated};
use wigwag_protocol::limits::CHANGE_USERS;
use wigwag_store::fanout::{SHARD_MEMBERS, Task, TaskQueue};
use wigwag_store::groups::{NewGroup, Wanted};
use wigwag_store::send::MessagesFrom;
use wigwag_store::{GroupId, StoreError, UserId, schema};

/// Drops all tasks, so that no inbox is told of a change.
struct DroppingQueue;

impl TaskQueue for DroppingQueue {
    async fn enqueue(&self, _tasks: &[Task]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Cluster {
    /// Makes a group of its owner and these members; returns its id.
    pub async fn group(&self, owner: &Account, members: &[&Account]) -> Result<GroupId> {
        self.make_group(owner, members, false).await
    }

    /// Makes a super group of its owner and these members; returns its id.
    pub async fn super_group(&self, owner: &Account, members: &[&Account]) -> Result<GroupId> {
        self.make_group(owner, members, true).await
    }

    async fn make_group(&self, owner: &Account, members: &[&Account], super_group: bool) -> Result<GroupId> {
        let create = CreateGroup {
            name: "the group".to_owned(),
            user_ids: members.iter().map(|member| member.user_id).collect(),
            super_group,
            open_history: false,
            request_id: None,
        };
        let created: GroupCreated = self.post("/group/create", Some(&owner.token), &create).await?;
        Ok(created.group_id)
    }

    /// Makes a group of these users; the first is its owner. No inbox is told of it.
    pub async fn group_of(&self, group: GroupId, users: &[UserId], super_group: bool) -> Result<()> {
        let (store, now_ms) = (self.store(), now_ms());
        let (owner, others) = users.split_first().context("a group has an owner")?;
        let mut chunks = others.chunks(CHANGE_USERS);
        let new = NewGroup {
            name: "crowd".to_owned(),
            users: chunks.next().unwrap_or_default().to_vec(),
            super_group,
            open_history: false,
            request: None,
        };
        store
            .create_group(&DroppingQueue, group, *owner, &new, MessagesFrom::Anyone, now_ms)
            .await?;
        for chunk in chunks {
            let add = Wanted::Add(chunk.to_vec());
            store
                .change_group(&DroppingQueue, group, *owner, &add, MessagesFrom::Anyone, now_ms)
                .await?;
        }
        Ok(())
    }

    /// Makes a group of these users, each alone in a shard, as if all others had left.
    pub async fn group_of_shards(&self, group: GroupId, users: &[UserId]) -> Result<()> {
        use schema::directory::{GROUP, INFO, PK, SK};
        let (owner, others) = users.split_first().context("a group has an owner")?;
        self.group_of(group, &[*owner], false).await?;
        let db = self.dynamodb_client();
        for (shard, user) in (1..).zip(others) {
            let slots: u64 = shard * SHARD_MEMBERS;
            db.update_item()
                .table_name(self.table("DirectoryTable"))
                .key(PK, AttributeValue::S(format!("{GROUP}{group}")))
                .key(SK, AttributeValue::S(INFO.to_owned()))
                .update_expression("SET places = :slots")
                .expression_attribute_values(":slots", AttributeValue::N(slots.to_string()))
                .send()
                .await?;
            let add = Wanted::Add(vec![*user]);
            self.store()
                .change_group(&DroppingQueue, group, *owner, &add, MessagesFrom::Anyone, now_ms())
                .await?;
        }
        Ok(())
    }
}
