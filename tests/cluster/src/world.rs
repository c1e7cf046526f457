//! A running stack and the accounts in it.

use crate::device::{Device, Dial};
use crate::secrets;
use anyhow::{Context as _, Result, ensure};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use wigwag_edge::TokenKeys;
use wigwag_local::gateway::Rate;
use wigwag_local::meter::Reading;
use wigwag_local::stack::{Options, Running, Stack};
use wigwag_protocol::Code;
use wigwag_protocol::http::{
    CreateGroup, Failure, GroupCreated, LoggedIn, Login, PLATFORM_LINUX, Register, Registered,
};

/// The project's template.
pub fn template() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"))
}

/// The project's template with some of its text replaced, in a directory of its own.
pub fn altered_template(directory: &Path, changes: &[(&str, &str)]) -> Result<PathBuf> {
    let original = template();
    let root = original
        .parent()
        .context("a template has a directory")?
        .canonicalize()?;
    let mut text = std::fs::read_to_string(&original)?;
    let code = format!("CodeUri: {}", root.display());
    for (before, after) in changes.iter().chain([&("CodeUri: .", code.as_str())]) {
        ensure!(text.contains(before), "the template says nothing like {before}");
        text = text.replace(before, after);
    }
    let path = directory.join("template.yaml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// A stack of its own for each story.
#[derive(Debug)]
pub struct World {
    /// The stack.
    pub stack: Running,
    http: reqwest::Client,
    phones: AtomicU64,
    /// Sign tokens as the stack does.
    pub keys: TokenKeys,
}

/// A registered user, logged in on one device.
#[derive(Debug, Clone)]
pub struct Account {
    /// The user's id.
    pub user_id: u64,
    /// As registered.
    pub phone_number: String,
    /// Of the device `device_id` below.
    pub token: String,
    /// The device that is logged in.
    pub device_id: String,
}

/// The template's parameters that say how much routes take.
const RATES: [&str; 4] = [
    "FramesPerSecond",
    "ConnectionsPerSecond",
    "RequestsPerSecond",
    "LoginsPerSecond",
];

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

impl World {
    /// Starts the project's template with its defaults.
    pub async fn start() -> Result<Self> {
        Self::with(|_| {}).await
    }

    /// Starts the project's template with some options changed. Its routes take what an account takes: a crowd here does in a second
    /// what users do in a day.
    pub async fn with(change: impl FnOnce(&mut Options)) -> Result<Self> {
        let mut options = Options {
            template: template(),
            ..Options::default()
        };
        let account = Rate::default().per_second.to_string();
        let raised = RATES.map(|rate| (rate.to_owned(), account.clone()));
        options.parameters.extend(raised);
        change(&mut options);
        let stack = Stack::start(options).await.context("start the stack")?;
        let key = secrets::key_of(&stack).await.context("read the key of the tokens")?;
        Ok(Self {
            stack,
            http: http(),
            phones: AtomicU64::new(1),
            keys: secrets::keys(&key)?,
        })
    }

    /// Stops the stack, and waits until no process is left.
    ///
    /// # Panics
    /// If a worker left a failure of a FIFO batch unreported: AWS might have deleted the message.
    pub async fn stop(self) {
        let unreported = self.stack.meter().read().queues.unreported_failures;
        self.stack.stop().await;
        assert_eq!(unreported, 0, "messages that failed and were not reported as failed");
    }

    /// Registers a user and logs in on a first device.
    pub async fn account(&self, nickname: &str) -> Result<Account> {
        let n = self.phones.fetch_add(1, Ordering::Relaxed);
        let phone_number = format!("+155500{n:05}");
        let register = Register {
            phone_number: phone_number.clone(),
            nickname: nickname.to_owned(),
            password: PASSWORD.to_owned(),
        };
        let registered: Registered = self.post("/register", None, &register).await?;
        let account = Account {
            user_id: registered.user_id,
            phone_number,
            token: String::new(),
            device_id: String::new(),
        };
        self.another_device(&account, &format!("{nickname}'s device")).await
    }

    /// Registers several users, each as [`account`](Self::account) does.
    pub async fn accounts<const N: usize>(&self, nicknames: [&str; N]) -> Result<[Account; N]> {
        let mut accounts = Vec::with_capacity(N);
        for nickname in nicknames {
            accounts.push(self.account(nickname).await?);
        }
        accounts.try_into().ok().context("not one account for each")
    }

    /// The same user, logged in on another device.
    pub async fn another_device(&self, account: &Account, device_id: &str) -> Result<Account> {
        let login = Login {
            phone_number: account.phone_number.clone(),
            password: PASSWORD.to_owned(),
            platform: PLATFORM_LINUX,
            device_id: device_id.to_owned(),
        };
        let logged_in: LoggedIn = self.post("/login", None, &login).await?;
        ensure!(logged_in.user_id == account.user_id, "logged in as somebody else");
        Ok(Account {
            token: logged_in.token,
            device_id: device_id.to_owned(),
            ..account.clone()
        })
    }

    /// Connects a device with its token in the query and protobuf frames.
    pub async fn device(&self, account: &Account) -> Result<Device> {
        Dial::new(&self.stack.websocket_url)
            .token(&account.token)
            .subprotocols("wigwag.pb.v1")
            .connect()
            .await
            .context("connect")
    }

    /// Connects a device that speaks JSON.
    pub async fn json_device(&self, account: &Account) -> Result<Device> {
        Dial::new(&self.stack.websocket_url)
            .token(&account.token)
            .connect()
            .await
            .context("connect")
    }

    /// Sends a request to the HTTP API as it is.
    pub async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<String>) -> Result<Response> {
        let url = format!("{}{path}", self.stack.http_url);
        let mut request = self.http.request(method.parse()?, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        Ok(request.send().await?)
    }

    /// Posts JSON and reads JSON.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, token: Option<&str>, body: &impl Serialize) -> Result<T> {
        read(
            self.send("POST", path, token, Some(serde_json::to_string(body)?))
                .await?,
        )
        .await
    }

    /// Gets JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, token: Option<&str>) -> Result<T> {
        read(self.send("GET", path, token, None).await?).await
    }

    /// Posts JSON that is to be refused.
    pub async fn refused(&self, path: &str, token: Option<&str>, body: &str) -> Result<(StatusCode, Failure)> {
        let response = self.send("POST", path, token, Some(body.to_owned())).await?;
        Ok((response.status(), response.json().await.context("read the failure")?))
    }

    /// Makes a group with these members beside its owner; answers with its id.
    pub async fn group(&self, owner: &Account, members: &[&Account]) -> Result<u64> {
        self.make_group(owner, members, false).await
    }

    /// Makes a super group with these members beside its owner; answers with its id.
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

    /// Posts JSON as somebody, and answers with what came of it: `OK`, or the code of the refusal.
    pub async fn outcome(&self, path: &str, who: &Account, body: &impl Serialize) -> Result<Code> {
        let body = serde_json::to_string(body)?;
        let response = self.send("POST", path, Some(&who.token), Some(body)).await?;
        if response.status().is_success() {
            return Ok(Code::OK);
        }
        let failure: Failure = response.json().await.context("read the failure")?;
        Code::from_number(failure.code).context("an unknown code")
    }

    /// What the stack has counted since it started, or since the last reset.
    pub async fn meter(&self) -> Result<Reading> {
        let url = format!("{}/_local/meter", self.stack.aws_endpoint_url);
        Ok(self.http.get(url).send().await?.json().await?)
    }

    /// Counts from zero again.
    pub async fn reset_meter(&self) -> Result<()> {
        let url = format!("{}/_local/meter/reset", self.stack.aws_endpoint_url);
        self.http.post(url).send().await?.error_for_status()?;
        Ok(())
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T> {
    let status = response.status();
    let text = response.text().await?;
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}

/// An HTTP client. reqwest wants its cryptography chosen, also for plain HTTP.
fn http() -> reqwest::Client {
    // Refused from the second world on.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
