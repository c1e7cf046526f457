//! `wigwag smoke`: checks a deployment from outside, using two new users.

use crate::Context;
use crate::account::{self, Credentials, log_in};
use crate::command_error::CommandError;
use crate::output::plain;
use anyhow::anyhow;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use wigwag_client::http::CreateGroup;
use wigwag_client::{
    Api, Client, ConnectOptions, Conversation, Encoding, Event, Events, Message, Start, TokenSource, Url,
};

/// Text after the help of the command.
pub(crate) const HELP: &str = "\
Registers two users with random phone numbers. They exchange messages, one of them leaves and comes
back, and they share a group. Each step is printed when it is done; the first failure ends the command.
The group is dissolved at the end. The accounts remain.

Examples:
  wigwag smoke
  wigwag smoke --url https://abc.execute-api.eu-central-1.amazonaws.com \\
    --ws-url wss://def.execute-api.eu-central-1.amazonaws.com/prod";

/// Limit for one wait. Functions may start for the first time, on a slow emulator.
const PATIENCE: Duration = Duration::from_secs(30);

/// The steps in order, as printed.
const STEPS: [&str; 5] = [
    "two users register and log in",
    "both connect",
    "a message is acknowledged and pushed, both ways",
    "a device that was away gets the missed messages, once and in order",
    "a group message reaches its member",
];

pub(crate) async fn run(context: &mut Context) -> Result<(), CommandError> {
    let (url, ws_url) = account::urls(&context.global, None)?;
    let encoding = context.global.frames.into();
    let deployment = Deployment { url, ws_url, encoding };
    let mut report = Report {
        context,
        began: Instant::now(),
        done: 0,
    };

    let (ann, ben) = (deployment.user("ann").await?, deployment.user("ben").await?);
    report.done()?;

    let (mut anns, mut bens) = (deployment.connect(&ann, 0).await?, deployment.connect(&ben, 0).await?);
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
    let mut bens = deployment.connect(&ben, cursor).await?;
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
    fn done(&mut self) -> Result<(), CommandError> {
        let step = STEPS[self.done];
        self.done += 1;
        let took = std::mem::replace(&mut self.began, Instant::now()).elapsed();
        let data = json!({ "step": step, "ms": took.as_millis() });
        let line = format!("ok  {step} ({:.1} s)", took.as_secs_f64());
        self.context.printer.print("ok", &data, &line)
    }
}

/// The deployment to check.
struct Deployment {
    url: Url,
    ws_url: Url,
    encoding: Encoding,
}

/// A user created for this check.
struct SmokeUser {
    id: u64,
    token: String,
    api: Api,
}

impl Deployment {
    async fn user(&self, nickname: &str) -> Result<SmokeUser, CommandError> {
        let api = Api::new(self.url.clone());
        let credentials = Credentials::made_up();
        account::register(&api, &credentials, nickname).await?;
        let logged_in = log_in(&api, &credentials).await?;
        Ok(SmokeUser {
            id: logged_in.user_id,
            api: api.with_token(&logged_in.token),
            token: logged_in.token,
        })
    }

    async fn connect(&self, user: &SmokeUser, cursor: u64) -> Result<Device, CommandError> {
        let mut options = ConnectOptions::new(self.ws_url.clone(), user.id, TokenSource::fixed(&user.token));
        options.encoding = self.encoding;
        options.start = Start::After(cursor);
        let connecting = Client::connect(options);
        let (client, events) = connecting
            .await
            .map_err(|error| CommandError::connecting(plain(&self.ws_url), error))?;
        Ok(Device {
            user_id: user.id,
            client,
            events,
        })
    }
}

/// A connected device.
struct Device {
    user_id: u64,
    client: Client,
    events: Events,
}

/// Identifies a sent message.
#[derive(PartialEq, Eq)]
struct SentText {
    text: &'static str,
    conversation_seq: u64,
}

impl Device {
    async fn says(&self, to: Conversation, text: &'static str) -> Result<SentText, CommandError> {
        let receipt = timeout(PATIENCE, self.client.send(to, text))
            .await
            .map_err(|_| late(&format!("no acknowledgement of {text:?}")))??;
        Ok(SentText {
            text,
            conversation_seq: receipt.conversation_seq,
        })
    }

    /// Expects this message as the next one of another user.
    async fn hears(&mut self, said: &SentText) -> Result<(), CommandError> {
        let message = timeout(PATIENCE, self.next())
            .await
            .map_err(|_| late(&format!("{:?} did not come", said.text)))?
            .ok_or_else(|| anyhow!("the connection ended before {:?} came", said.text))?;
        if message.content == said.text.as_bytes() && message.conversation_seq == said.conversation_seq {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&message.content);
        Err(anyhow!("expected {:?}, but {text:?} came", said.text).into())
    }

    /// Skips the device's own messages and announcements.
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

    /// Disconnects and returns the cursor.
    async fn leaves(self) -> u64 {
        self.client.close().await;
        self.client.cursor()
    }
}

fn late(what: &str) -> CommandError {
    CommandError::Unreachable(format!("{what} within {} s", PATIENCE.as_secs()))
}
