//! Everything that a client can make the functions do with a secret.
use super::misplaced::misplace;
use super::{CONTENT, PASSWORD, PHONES};
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::{Cluster, Device};
use wigwag_domain::task::{Audience, Logged, RoomContent, Task};
use wigwag_domain::{GroupId, RoomId, UserId};
use wigwag_protocol::Request;
use wigwag_protocol::http::{LoggedIn, PLATFORM_LINUX};
use wigwag_protocol::pb::{LoginMsg, Message, SessionType, SignalMsg, SignalType, UpMsg};

/// All answers, except those that give a token.
pub(super) struct Answers {
    pub(super) cluster: Cluster,
    pub(super) texts: Vec<String>,
}

impl Answers {
    pub(super) fn of(cluster: Cluster) -> Self {
        let texts = Vec::new();
        Self { cluster, texts }
    }

    pub(super) async fn http(&mut self, method: &str, path: &str, token: Option<&str>, body: Value) -> Result<String> {
        let body = (method == "POST").then(|| body.to_string());
        self.text(method, path, token, body).await
    }

    pub(super) async fn text(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<String>,
    ) -> Result<String> {
        let answer = self.cluster.send(method, path, token, body).await?.text().await?;
        self.texts.push(answer.clone());
        Ok(answer)
    }

    pub(super) async fn ask(&mut self, device: &mut Device, request: Request) -> Result<()> {
        let output = device.ask(request).await?;
        if output.code != 0 {
            self.texts.push(format!("{output:?}"));
        }
        Ok(())
    }

    pub(super) async fn raw(&mut self, device: &mut Device, frame: String) -> Result<()> {
        let output = device.ask_raw(&frame).await?;
        self.texts.push(format!("{output:?}"));
        Ok(())
    }
}

/// Registers and logs in; returns id and token.
pub(super) async fn account(said: &mut Answers, phone: &str) -> Result<LoggedIn> {
    let number = format!("+{phone}");
    let register = json!({ "phone_number": number, "nickname": "n", "password": PASSWORD });
    said.http("POST", "/register", None, register.clone()).await?;
    said.http("POST", "/register", None, register).await?;
    let login = json!({ "phone_number": number, "password": PASSWORD, "platform": PLATFORM_LINUX, "device_id": "d" });
    let logged_in = said.cluster.post("/login", None, &login).await?;
    let wrong = json!({ "phone_number": number, "password": format!("{PASSWORD}!"), "platform": 7, "device_id": "d" });
    said.http("POST", "/login", None, wrong).await?;
    Ok(logged_in)
}

/// Sends messages and signals that are accepted, refused or misplaced.
pub(super) async fn say_everything(
    said: &mut Answers,
    bob: &LoggedIn,
    device: &mut Device,
    token: &str,
    group: u64,
    session: u64,
) -> Result<()> {
    for (client_id, (kind, to)) in (1..).zip([
        (SessionType::Single, bob.user_id),
        (SessionType::Group, group),
        (SessionType::Single, 1),
        (SessionType::Group, 1),
        (SessionType::Room, 7),
    ]) {
        said.ask(device, text(kind, to, client_id, session)).await?;
    }
    for to in [bob.user_id, 1] {
        said.ask(device, signal(to)).await?;
    }
    let login = Request::Login(LoginMsg {
        token: token.as_bytes().to_vec(),
    });
    said.ask(device, login).await?;
    misplace(said, token, device).await
}

pub(super) fn text(kind: SessionType, receiver_id: u64, client_id: u64, session: u64) -> Request {
    let msg = Message {
        session_type: kind.into(),
        receiver_id,
        message_type: 1,
        content: CONTENT.as_bytes().to_vec(),
        ..Message::default()
    };
    Request::Message(UpMsg {
        msg: Some(msg),
        client_id,
        session,
    })
}

fn signal(receiver_id: u64) -> Request {
    Request::Signal(SignalMsg {
        session_type: SessionType::Single.into(),
        receiver_id,
        signal_type: SignalType::Realtime.into(),
        content: CONTENT.as_bytes().to_vec(),
        ..SignalMsg::default()
    })
}

/// Opens connections that are refused, with the token in each place.
pub(super) async fn knock(cluster: &Cluster, token: &str) -> Result<()> {
    let dial = || cluster.dial();
    let altered = format!("{token}x");
    dial().token(&altered).refused().await?;
    dial()
        .subprotocols(&format!("wigwag.token.{altered}"))
        .refused()
        .await?;
    dial().token(token).query("platform", "1").refused().await?;
    Ok(())
}

/// Enqueues tasks that workers cannot read.
pub(super) async fn bad_tasks(cluster: &Cluster) -> Result<()> {
    let queue = cluster.fanout_queue()?;
    let unreadable = [
        json!({ "task": CONTENT }),
        json!({ "task": "deliver", "group": CONTENT }),
        json!({ "task": "room", "room": 7, "id": "1", "sender": 1, "connection": "c", "content": { "message": CONTENT } }),
    ];
    for (id, body) in (1..).zip(unreadable) {
        queue
            .dead_letter(&body.to_string(), "bad", &format!("bad{id}"), "none")
            .await?;
    }
    Ok(())
}

/// A task that fails if its group has no such message.
pub(super) fn copies_task(group: u64) -> Task {
    let message = Message {
        content: CONTENT.as_bytes().to_vec(),
        conversation_seq: 9,
        ..Message::default()
    };
    Task::Deliver {
        group: GroupId(group),
        audience: Audience::Shard(0),
        logged: Logged {
            key: b"key".to_vec(),
            message,
        },
        skip: None,
    }
}

/// A task for a room, with a time far in the future.
pub(super) fn room_task() -> Task {
    Task::Room {
        room: RoomId(7),
        id: "1".to_owned(),
        sender: UserId(1),
        connection: "c".to_owned(),
        content: RoomContent::Message(Message {
            send_time: i64::MAX / 2,
            content: CONTENT.as_bytes().to_vec(),
            ..Message::default()
        }),
        after: None,
    }
}

/// Logs in and registers while every call fails.
pub(super) async fn log_in_in_vain(said: &mut Answers) -> Result<()> {
    let body =
        json!({ "phone_number": format!("+{}", PHONES[0]), "password": PASSWORD, "platform": 7, "device_id": "d" });
    for path in ["/login", "/register"] {
        said.http("POST", path, None, body.clone()).await?;
    }
    let register = json!({ "phone_number": "+15550008474", "nickname": "n", "password": PASSWORD });
    said.http("POST", "/register", None, register).await?;
    Ok(())
}
