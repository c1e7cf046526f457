//! Attacks that must fail: one place where a stranger sees them all.
//!
//! A row is an attack, what must come of it, and how it is tried. What must come of it is written as it comes: a status, the name
//! of a code, or what there was to read. Rows that another story tells in full name it. What is defended, and what is not, stands in
//! `docs/security.md`.

mod edges;
mod logins;
mod logs;
mod reading;
mod roles;
mod sending;
mod tokens;

use anyhow::{Context as _, Result};
use futures_util::future::BoxFuture;
use serde_json::Value;
use wigwag_cluster::{Account, Device, World};
use wigwag_protocol::http::{Failure, History};
use wigwag_protocol::pb::{PullInputMsg, SessionType};
use wigwag_protocol::{Code, OutputFrame, Payload, Request};

use crate::groups::texts;

/// An attack, what must come of it, and the way to it.
type Row<'a> = (&'static str, &'static str, BoxFuture<'a, Result<String>>);

/// A stack, and who is in it.
struct Scene {
    world: World,
    /// Signs tokens.
    key: String,
    /// The one before the last rotation.
    previous_key: String,
    /// Owns the groups.
    ada: Account,
    /// In the groups, an admin.
    bob: Account,
    /// Was in the groups for a while: heard "two" alone.
    carl: Account,
    /// Never in a group, and a friend of nobody.
    eve: Account,
    /// Of ada, bob and, for a while, carl; they said "one", "two" and "three".
    group: u64,
    /// The same, as a super group.
    super_group: u64,
}

impl Scene {
    async fn new() -> Result<Self> {
        let mut world = World::start().await?;
        let previous_key = world.token_key().await?;
        world.rotate().await?;
        let key = world.token_key().await?;
        world.crowd(1, 4).await?;
        let [ada, bob, carl, eve] = [world.member(1)?, world.member(2)?, world.member(3)?, world.member(4)?];
        let mut scene = Self {
            world,
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
        scene.world.settled().await?;
        Ok(scene)
    }

    /// Makes a group in which carl hears the second of three messages. Ada numbers them in this session.
    async fn make_group(&self, super_group: bool, session: u64) -> Result<u64> {
        let (world, ada, bob, carl) = (&self.world, &self.ada, &self.bob, &self.carl);
        let group = if super_group {
            world.super_group(ada, &[bob]).await?
        } else {
            world.group(ada, &[bob]).await?
        };
        let users = serde_json::json!({ "group_id": group, "user_ids": [carl.user_id] });
        let mut device = self.device(ada).await?;
        for (client_id, (text, change)) in (1..).zip([("one", "/group/add"), ("two", "/group/remove"), ("three", "")]) {
            let said = sending::to(SessionType::Group, group, client_id, session, text);
            anyhow::ensure!(device.ask(said).await?.is_ok(), "{text} was refused");
            if !change.is_empty() {
                anyhow::ensure!(world.outcome(change, ada, &users).await? == Code::OK, "{change}");
            }
        }
        Ok(group)
    }

    /// Connects, and speaks JSON.
    async fn device(&self, who: &Account) -> Result<Device> {
        self.world.json_device(who).await
    }

    /// The name of the code that a request of the HTTP API is answered with.
    async fn http(&self, method: &str, path: &str, token: Option<&str>, body: Option<String>) -> Result<String> {
        name_of(self.world.send(method, path, token, body).await?).await
    }

    async fn get(&self, path: &str, who: &Account) -> Result<String> {
        self.http("GET", path, Some(&who.token), None).await
    }

    async fn post(&self, path: &str, who: &Account, body: Value) -> Result<String> {
        self.http("POST", path, Some(&who.token), Some(body.to_string())).await
    }

    /// The texts of a page of history, or the name of the refusal.
    async fn history(&self, path: &str, who: &Account) -> Result<String> {
        let response = self.world.send("GET", path, Some(&who.token), None).await?;
        if !response.status().is_success() {
            return name_of(response).await;
        }
        let page: History = response.json().await?;
        Ok(texts(&page.messages).join(" "))
    }

    /// Sends one request on a connection of its own.
    async fn ask(&self, who: &Account, request: Request) -> Result<OutputFrame> {
        let mut device = self.device(who).await?;
        let output = device.ask(request).await?;
        device.leave().await?;
        Ok(output)
    }

    /// The name of the code that a frame is answered with.
    async fn frame(&self, who: &Account, request: Request) -> Result<String> {
        name(self.ask(who, request).await?.code)
    }

    /// The texts of a page by PULL, or the name of the refusal.
    async fn pull(&self, who: &Account, kind: SessionType, target_id: u64, descending: bool) -> Result<String> {
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
    async fn inbox(&self, who: &Account) -> Result<String> {
        let mut device = self.device(who).await?;
        let messages = device.catch_up(0).await?;
        device.leave().await?;
        Ok(texts(&messages).join(" "))
    }
}

/// The name of a code.
fn name(code: i32) -> Result<String> {
    let code = Code::from_number(code).with_context(|| format!("{code} is documented nowhere"))?;
    Ok(code.name().to_owned())
}

/// The name of the code in an answer of the HTTP API.
async fn name_of(response: reqwest::Response) -> Result<String> {
    if response.status().is_success() {
        return name(0);
    }
    let failure: Failure = response.json().await.context("read the failure")?;
    name(failure.code)
}

/// Tries them all, and tells of all that did not come to what they must.
async fn all_fail(rows: Vec<Row<'_>>) -> Result<()> {
    let mut wrong = Vec::new();
    for (attack, must, tried) in rows {
        let came = tried.await.with_context(|| attack.to_owned())?;
        if came != must {
            wrong.push(format!("{attack}: {came}, and not {must}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_fails() -> Result<()> {
    let scene = Scene::new().await?;
    let tables = [
        tokens::rows(&scene)?,
        reading::rows(&scene),
        sending::rows(&scene),
        edges::rows(&scene),
    ];
    all_fail(tables.into_iter().flatten().collect()).await?;
    scene.world.stop().await;
    Ok(())
}
