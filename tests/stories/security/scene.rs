//! The stack, users and groups that the attacks are tried on.
use super::{name, name_of, sending};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use wigwag_cluster::{Account, Cluster, Device, texts};
use wigwag_protocol::http::History;
use wigwag_protocol::pb::{PullInputMsg, SessionType};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

/// A stack with users, groups and messages.
pub(super) struct Scene {
    pub(super) cluster: Cluster,
    /// The key that signs tokens.
    pub(super) key: String,
    /// The key before the last rotation.
    pub(super) previous_key: String,
    /// Owns the groups.
    pub(super) ada: Account,
    /// A member of the groups.
    pub(super) bob: Account,
    /// Was in the groups for a while, and may read "two" only.
    pub(super) carl: Account,
    /// Was never in a group, and is a friend of nobody.
    pub(super) eve: Account,
    /// A group of ada, bob and, for a while, carl. Its messages are "one", "two" and "three".
    pub(super) group: u64,
    /// A super group like it.
    pub(super) super_group: u64,
}

impl Scene {
    pub(super) async fn new() -> Result<Self> {
        let mut cluster = Cluster::start().await?;
        let previous_key = cluster.token_key().await?;
        cluster.rotate().await?;
        let key = cluster.token_key().await?;
        cluster.crowd(1, 4).await?;
        let [ada, bob, carl, eve] = [
            cluster.member(1)?,
            cluster.member(2)?,
            cluster.member(3)?,
            cluster.member(4)?,
        ];
        let mut scene = Self {
            cluster,
            key,
            previous_key,
            ada,
            bob,
            carl,
            eve,
            group: 0,
            super_group: 0,
        };
        scene.device(&scene.ada).await?.tell(2, 1, "for bob alone").await?;
        scene.group = scene.make_group(false, 2).await?;
        scene.super_group = scene.make_group(true, 3).await?;
        scene.cluster.settled().await?;
        Ok(scene)
    }

    /// Makes a group in which carl gets the second of three messages. Ada sends them in `session`.
    async fn make_group(&self, super_group: bool, session: u64) -> Result<u64> {
        let (cluster, ada, bob, carl) = (&self.cluster, &self.ada, &self.bob, &self.carl);
        let group = if super_group {
            cluster.super_group(ada, &[bob]).await?
        } else {
            cluster.group(ada, &[bob]).await?
        };
        let users = json!({ "group_id": group, "user_ids": [carl.user_id] });
        let mut device = self.device(ada).await?;
        for (client_id, (text, change)) in (1..).zip([("one", "/group/add"), ("two", "/group/remove"), ("three", "")]) {
            let said = sending::text_to(SessionType::Group, group, client_id, session, text);
            ensure!(device.ask(said).await?.is_ok(), "{text} was refused");
            if !change.is_empty() {
                ensure!(cluster.outcome(change, ada, &users).await? == Code::OK, "{change}");
            }
        }
        Ok(group)
    }

    /// Connects a device that speaks JSON.
    pub(super) async fn device(&self, who: &Account) -> Result<Device> {
        self.cluster.json_device(who).await
    }

    /// Sends a request to the HTTP API; returns the name of its code.
    pub(super) async fn http(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> Result<String> {
        name_of(self.cluster.send(method, path, token, body).await?).await
    }

    pub(super) async fn get(&self, path: &str, who: &Account) -> Result<String> {
        self.http("GET", path, Some(&who.token), None).await
    }

    pub(super) async fn post(&self, path: &str, who: &Account, body: Value) -> Result<String> {
        self.http("POST", path, Some(&who.token), Some(body.to_string())).await
    }

    /// The texts of a page of history, or the name of the refusal.
    pub(super) async fn history(&self, path: &str, who: &Account) -> Result<String> {
        let response = self.cluster.send("GET", path, Some(&who.token), None).await?;
        if !response.status().is_success() {
            return name_of(response).await;
        }
        let page: History = response.json().await?;
        Ok(texts(&page.messages).join(" "))
    }

    /// Sends one request on its own connection.
    pub(super) async fn ask(&self, who: &Account, request: Request) -> Result<OutputFrame> {
        let mut device = self.device(who).await?;
        let output = device.ask(request).await?;
        device.leave().await?;
        Ok(output)
    }

    /// Sends a frame; returns the name of its code.
    pub(super) async fn frame(&self, who: &Account, request: Request) -> Result<String> {
        name(self.ask(who, request).await?.code)
    }

    /// The texts of a page by PULL, or the name of the refusal.
    pub(super) async fn pull(
        &self,
        who: &Account,
        kind: SessionType,
        target_id: u64,
        descending: bool,
    ) -> Result<String> {
        let pull = PullInputMsg {
            session_type: kind.into(),
            target_id,
            descending,
            ..PullInputMsg::default()
        };
        let output = self.ask(who, Request::Pull(pull)).await?;
        match output.payload {
            Payload::Pull(page) if output.code == 0 => Ok(texts(&page.messages).join(" ")),
            _ => name(output.code),
        }
    }

    /// The texts in an inbox.
    pub(super) async fn inbox(&self, who: &Account) -> Result<String> {
        let mut device = self.device(who).await?;
        let messages = device.catch_up(0).await?;
        device.leave().await?;
        Ok(texts(&messages).join(" "))
    }
}
