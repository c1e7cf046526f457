//! `wigwag smoke`: whether a deployment works, seen from outside, by two users that are made for it.

use crate::Context;
use crate::account::{self, Credentials, log_in};
use crate::exit::Failure;
use crate::output::plain;
use anyhow::anyhow;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use wigwag_client::http::CreateGroup;
use wigwag_client::{
    Api, Client, ConnectOptions, Conversation, Encoding, Event, Events, Message, Start, TokenSource, Url,
};

/// Longest wait for one thing: functions that start for the first time, on a slow emulator.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is tried, in this order, and what each line says.
const STEPS: [&str; 5] = [
    "two users register and log in",
    "both connect",
    "a message is acknowledged and pushed, both ways",
    "who was away gets what came meanwhile, once and in order",
    "a group's message reaches its member",
];

pub(crate) async fn run(context: &mut Context) -> Result<(), Failure> {
    let (url, ws_url) = account::urls(&context.args, None)?;
    let encoding = context.args.frames.into();
    let place = Place { url, ws_url, encoding };
    let mut report = Report {
        context,
        began: Instant::now(),
        done: 0,
    };

    let (ann, ben) = (place.user("ann").await?, place.user("ben").await?);
    report.done()?;

    let (mut anns, mut bens) = (place.connect(&ann, 0).await?, place.connect(&ben, 0).await?);
    report.done()?;

    let there = anns.says(Conversation::Peer(ben.id), "hello ben").await?;
    bens.hears(&there).await?;
    let back = bens.says(Conversation::Peer(ann.id), "hello ann").await?;
    anns.hears(&back).await?;
    report.done()?;

    let cursor = bens.leaves().await;
    let mut meanwhile = Vec::new();
    for text in ["one", "two", "three"] {
        meanwhile.push(anns.says(Conversation::Peer(ben.id), text).await?);
    }
    let mut bens = place.connect(&ben, cursor).await?;
    for said in &meanwhile {
        bens.hears(said).await?;
    }
    report.done()?;

    let group = CreateGroup {
        name: "smoke".to_owned(),
        user_ids: vec![ben.id],
        super_group: false,
        open_history: false,
        request_id: None,
    };
    let group_id = ann.api.create_group(&group).await?.group_id;
    let said = anns.says(Conversation::Group(group_id), "hello all").await?;
    bens.hears(&said).await?;
    report.done()?;

    ann.api.dissolve_group(group_id).await?;
    tokio::join!(anns.leaves(), bens.leaves());
    Ok(())
}

/// Prints each step when it is done.
struct Report<'a> {
    context: &'a mut Context,
    began: Instant,
    done: usize,
}

impl Report<'_> {
    fn done(&mut self) -> Result<(), Failure> {
        let step = STEPS[self.done];
        self.done += 1;
        let took = std::mem::replace(&mut self.began, Instant::now()).elapsed();
        let data = json!({ "step": step, "ms": took.as_millis() });
        let line = format!("ok  {step} ({:.1} s)", took.as_secs_f64());
        self.context.printer.print("ok", &data, &line)
    }
}

/// The deployment.
struct Place {
    url: Url,
    ws_url: Url,
    encoding: Encoding,
}

/// Somebody who is there for this alone.
struct User {
    id: u64,
    token: String,
    api: Api,
}

impl Place {
    async fn user(&self, nickname: &str) -> Result<User, Failure> {
        let api = Api::new(self.url.clone());
        let credentials = Credentials::made_up();
        account::register(&api, &credentials, nickname).await?;
        let logged_in = log_in(&api, &credentials).await?;
        Ok(User {
            id: logged_in.user_id,
            api: api.with_token(&logged_in.token),
            token: logged_in.token,
        })
    }

    async fn connect(&self, user: &User, cursor: u64) -> Result<Device, Failure> {
        let mut options = ConnectOptions::new(self.ws_url.clone(), user.id, TokenSource::fixed(&user.token));
        options.encoding = self.encoding;
        options.start = Start::After(cursor);
        let connecting = Client::connect(options);
        let (client, events) = connecting
            .await
            .map_err(|error| Failure::connecting(plain(&self.ws_url), error))?;
        Ok(Device {
            user_id: user.id,
            client,
            events,
        })
    }
}

/// A device that is connected.
struct Device {
    user_id: u64,
    client: Client,
    events: Events,
}

/// What a message is known by.
#[derive(PartialEq, Eq)]
struct Said {
    text: &'static str,
    conversation_seq: u64,
}

impl Device {
    async fn says(&self, to: Conversation, text: &'static str) -> Result<Said, Failure> {
        let receipt = timeout(PATIENCE, self.client.send(to, text))
            .await
            .map_err(|_| late(&format!("no acknowledgement of {text:?}")))??;
        Ok(Said {
            text,
            conversation_seq: receipt.conversation_seq,
        })
    }

    /// The next message of somebody else must be this one.
    async fn hears(&mut self, said: &Said) -> Result<(), Failure> {
        let message = timeout(PATIENCE, self.next())
            .await
            .map_err(|_| late(&format!("{:?} did not come", said.text)))?
            .ok_or_else(|| anyhow!("the connection ended before {:?} came", said.text))?;
        if message.content == said.text.as_bytes() && message.conversation_seq == said.conversation_seq {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&message.content);
        Err(anyhow!("{:?} was to come, and {text:?} came", said.text).into())
    }

    /// Passes over what this device said itself, and over announcements.
    async fn next(&mut self) -> Option<Message> {
        while let Some(event) = self.events.next().await {
            if let Event::Message(message) = event
                && message.group_change.is_none()
                && message.sender_id != self.user_id
            {
                return Some(message);
            }
        }
        None
    }

    /// Answers with how far it has read.
    async fn leaves(self) -> u64 {
        self.client.close().await;
        self.client.cursor()
    }
}

fn late(what: &str) -> Failure {
    Failure::Unreachable(format!("{what} within {} s", PATIENCE.as_secs()))
}
