//! Many users at once. They are made through the store itself, on the stack's own tables: to register a thousand over HTTP is a
//! thousand password hashes, which is not what is asked about. Their tokens are signed with the stack's own key.

use crate::world::{Account, World};
use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, HttpClient, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::time::{SystemTime, UNIX_EPOCH};
use wigwag_edge::Claims;
use wigwag_protocol::http::PLATFORM_LINUX;
use wigwag_protocol::limits::CHANGE_USERS;
use wigwag_store::directory::Profile;
use wigwag_store::fanout::{SHARD_MEMBERS, Task, TaskQueue};
use wigwag_store::groups::{NewGroup, Wanted};
use wigwag_store::send::MessagesFrom;
use wigwag_store::{DeviceKey, GroupId, Store, StoreError, TimelineId, UserId, schema};

/// How long a crowd's tokens are valid, in seconds.
const TOKEN_TTL_S: i64 = 3600;

/// Accounts that are made at once.
const AT_ONCE: usize = 16;

/// The device of each user of a crowd.
const DEVICE: &str = "crowd";

/// Takes tasks and drops them: a crowd's group is filled without telling anybody.
struct Nowhere;

impl TaskQueue for Nowhere {
    async fn enqueue(&self, _tasks: &[Task]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl World {
    /// The store, on the stack's tables.
    pub fn store(&self) -> Store {
        let config = self.dynamodb();
        Store::new(config, self.table("TimelinesTable"), self.table("DirectoryTable"))
    }

    /// The same, by this client.
    pub fn store_by(&self, client: impl HttpClient + 'static) -> Store {
        let config = self.dynamodb().http_client(client);
        Store::new(config, self.table("TimelinesTable"), self.table("DirectoryTable"))
    }

    /// Takes a user's inbox away, as no code of ours does.
    pub async fn forget_inbox(&self, user: UserId) -> Result<()> {
        let head = [
            (
                schema::timelines::TIMELINE,
                AttributeValue::S(TimelineId::inbox(user).to_string()),
            ),
            (
                schema::timelines::SEQ,
                AttributeValue::N(schema::timelines::HEAD.to_string()),
            ),
        ];
        let key = head.map(|(name, value)| (name.to_owned(), value));
        Client::from_conf(self.dynamodb().build())
            .delete_item()
            .table_name(self.table("TimelinesTable"))
            .set_key(Some(key.into()))
            .send()
            .await?;
        Ok(())
    }

    /// Puts a plan for a message of a group's first shard that nobody can read.
    pub async fn spoil_plan(&self, group: GroupId, conversation_seq: u64) -> Result<()> {
        use schema::timelines::{SEQ, SHARES, TIMELINE};
        Client::from_conf(self.dynamodb().build())
            .put_item()
            .table_name(self.table("TimelinesTable"))
            .item(TIMELINE, AttributeValue::S(format!("g{group}.0")))
            .item(SEQ, AttributeValue::N(conversation_seq.to_string()))
            .item(SHARES, AttributeValue::S("no shares".to_owned()))
            .send()
            .await?;
        Ok(())
    }

    /// Makes a group of these users, each in a shard of their own, as if the places between them were those of others who left.
    pub async fn group_of_shards(&self, group: GroupId, users: &[UserId]) -> Result<()> {
        use schema::directory::{GROUP, INFO, PK, SK};
        let (owner, others) = users.split_first().context("a group has an owner")?;
        self.group_of(group, &[*owner], false).await?;
        let db = Client::from_conf(self.dynamodb().build());
        for (shard, user) in (1..).zip(others) {
            let places: u64 = shard * SHARD_MEMBERS;
            db.update_item()
                .table_name(self.table("DirectoryTable"))
                .key(PK, AttributeValue::S(format!("{GROUP}{group}")))
                .key(SK, AttributeValue::S(INFO.to_owned()))
                .update_expression("SET places = :places")
                .expression_attribute_values(":places", AttributeValue::N(places.to_string()))
                .send()
                .await?;
            let add = Wanted::Add(vec![*user]);
            self.store()
                .change_group(&Nowhere, group, *owner, &add, MessagesFrom::Anyone, now_ms())
                .await?;
        }
        Ok(())
    }

    fn dynamodb(&self) -> Builder {
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "crowd"))
            .http_client(wigwag_https::client())
            .endpoint_url(&self.stack.aws_endpoint_url)
    }

    fn table(&self, logical_id: &str) -> String {
        let mut tables = self.stack.stack.tables.iter();
        let table = tables.find(|table| table.logical_id == logical_id);
        table.map(|table| table.name.clone()).unwrap_or_default()
    }

    /// Makes `n` users, with ids from `first` on.
    pub async fn crowd(&self, first: UserId, n: u64) -> Result<Vec<UserId>> {
        let store = self.store();
        stream::iter(first..first + n)
            .map(|user| {
                let store = store.clone();
                async move {
                    let profile = Profile {
                        nickname: format!("member {user}"),
                        phone_number: format!("+1999{user:09}"),
                        created_at_ms: now_ms(),
                    };
                    store.create_account(user, &profile, "nobody logs in with this").await?;
                    anyhow::Ok(user)
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// A user of a crowd, logged in on a device.
    pub fn member(&self, user_id: UserId) -> Result<Account> {
        self.member_on(user_id, DEVICE)
    }

    /// A user of a crowd, logged in on a device of this id.
    pub fn member_on(&self, user_id: UserId, device_id: &str) -> Result<Account> {
        let claims = Claims {
            user: user_id,
            device: DeviceKey::of(PLATFORM_LINUX, device_id),
            platform: PLATFORM_LINUX,
            expires_at_s: now_ms() / 1000 + TOKEN_TTL_S,
        };
        Ok(Account {
            user_id,
            phone_number: String::new(),
            token: self.keys.issue(&claims, now_ms() / 1000)?,
            device_id: device_id.to_owned(),
        })
    }

    /// Makes a group of these users, the first of whom is its owner. No inbox is told of it.
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
            .create_group(&Nowhere, group, *owner, &new, MessagesFrom::Anyone, now_ms)
            .await?;
        for chunk in chunks {
            let add = Wanted::Add(chunk.to_vec());
            store
                .change_group(&Nowhere, group, *owner, &add, MessagesFrom::Anyone, now_ms)
                .await?;
        }
        Ok(())
    }
}

/// Now, in ms since 1970.
pub(crate) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
