//! Groups: made over HTTP, or filled by the store's own code without telling anybody.

use crate::{Account, Cluster, now_ms};
use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use wigwag_domain::groups::NewGroup;
use wigwag_domain::groups::rules::Wanted;
use wigwag_domain::relation::MessagesFrom;
use wigwag_domain::task::{SHARD_MEMBERS, Task};
use wigwag_domain::{GroupId, UserId};
use wigwag_messaging::TaskQueue;
use wigwag_protocol::http::{CreateGroup, GroupCreated};
use wigwag_protocol::limits::CHANGE_USERS;
use wigwag_store::{StoreError, schema};

/// Drops all tasks, so that no inbox is told of a change.
struct DroppingQueue;

impl TaskQueue for DroppingQueue {
    async fn enqueue(&self, _tasks: &[Task]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Cluster {
    /// Makes a group of its owner and these members; returns its id.
    pub async fn group(&self, owner: &Account, members: &[&Account]) -> Result<u64> {
        self.make_group(owner, members, false).await
    }

    /// Makes a super group of its owner and these members; returns its id.
    pub async fn super_group(&self, owner: &Account, members: &[&Account]) -> Result<u64> {
        self.make_group(owner, members, true).await
    }

    async fn make_group(&self, owner: &Account, members: &[&Account], super_group: bool) -> Result<u64> {
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
    pub async fn group_of(&self, group: u64, users: &[u64], super_group: bool) -> Result<()> {
        let (store, now_ms) = (&self.store(), now_ms());
        let (owner, others) = users.split_first().context("a group has an owner")?;
        let mut chunks = others.chunks(CHANGE_USERS);
        let new = NewGroup {
            name: "crowd".to_owned(),
            users: ids(chunks.next().unwrap_or_default()),
            super_group,
            open_history: false,
            request: None,
        };
        wigwag_messaging::create_group(
            store,
            &DroppingQueue,
            GroupId(group),
            UserId(*owner),
            &new,
            MessagesFrom::Anyone,
            now_ms,
        )
        .await?;
        for chunk in chunks {
            let add = Wanted::Add(ids(chunk));
            wigwag_messaging::change_group(
                store,
                &DroppingQueue,
                GroupId(group),
                UserId(*owner),
                &add,
                MessagesFrom::Anyone,
                now_ms,
            )
            .await?;
        }
        Ok(())
    }

    /// Makes a group of these users, each alone in a shard, as if all others had left.
    pub async fn group_of_shards(&self, group: u64, users: &[u64]) -> Result<()> {
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
            let add = Wanted::Add(vec![UserId(*user)]);
            wigwag_messaging::change_group(
                &self.store(),
                &DroppingQueue,
                GroupId(group),
                UserId(*owner),
                &add,
                MessagesFrom::Anyone,
                now_ms(),
            )
            .await?;
        }
        Ok(())
    }
}

/// Users as the server names them.
fn ids(users: &[u64]) -> Vec<UserId> {
    users.iter().copied().map(UserId).collect()
}
