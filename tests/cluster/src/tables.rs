//! The stack's tables: read by the store, and damaged as none of our code does.

use crate::Cluster;
use anyhow::{Context as _, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Credentials, HttpClient, Region};
use aws_sdk_dynamodb::types::AttributeValue;
use wigwag_domain::{TimelineId, UserId};
use wigwag_store::{Store, inboxes, schema};

impl Cluster {
    /// The store, on the stack's tables.
    pub fn store(&self) -> Store {
        self.store_with(self.dynamodb())
    }

    /// The store, on the stack's tables and through this HTTP client.
    pub fn store_by(&self, client: impl HttpClient + 'static) -> Store {
        self.store_with(self.dynamodb().http_client(client))
    }

    fn store_with(&self, config: Builder) -> Store {
        Store::new(config, self.table("TimelinesTable"), self.table("DirectoryTable"))
    }

    /// Ids of the connections that a user has now.
    pub async fn connection_ids(&self, user: u64) -> Result<Vec<String>> {
        let head = inboxes::head(&self.store(), UserId(user), true).await?;
        let devices = head.context("the user has no inbox")?.devices.into_values();
        let connections = devices.filter_map(|device| device.connection);
        Ok(connections.map(|connection| connection.id).collect())
    }

    /// Deletes the head of a user's inbox.
    pub async fn forget_inbox(&self, user: u64) -> Result<()> {
        use schema::timelines::{HEAD, SEQ, TIMELINE};
        self.dynamodb_client()
            .delete_item()
            .table_name(self.table("TimelinesTable"))
            .key(TIMELINE, AttributeValue::S(TimelineId::inbox(UserId(user)).to_string()))
            .key(SEQ, AttributeValue::N(HEAD.to_string()))
            .send()
            .await?;
        Ok(())
    }

    /// Puts a delivery plan that nobody can read for a message of a group's first shard.
    pub async fn spoil_plan(&self, group: u64, conversation_seq: u64) -> Result<()> {
        use schema::timelines::{SEQ, SHARES, TIMELINE};
        self.dynamodb_client()
            .put_item()
            .table_name(self.table("TimelinesTable"))
            .item(TIMELINE, AttributeValue::S(format!("g{group}.0")))
            .item(SEQ, AttributeValue::N(conversation_seq.to_string()))
            .item(SHARES, AttributeValue::S("no shares".to_owned()))
            .send()
            .await?;
        Ok(())
    }

    pub(crate) fn dynamodb_client(&self) -> Client {
        Client::from_conf(self.dynamodb().build())
    }

    fn dynamodb(&self) -> Builder {
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "crowd"))
            .http_client(wigwag_https::client())
            .endpoint_url(&self.stack.aws_endpoint_url)
    }

    /// The name of a table of the template.
    pub(crate) fn table(&self, logical_id: &str) -> String {
        let mut tables = self.stack.stack.tables.iter();
        let table = tables.find(|table| table.logical_id == logical_id);
        table.map(|table| table.name.clone()).unwrap_or_default()
    }
}
