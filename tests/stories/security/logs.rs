//! What functions log, at their most talkative: never a token, a password, a phone number, or what a message says.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Frame;
use wigwag_cluster::{Device, Dial, World};
use wigwag_local::faults::Plan;
use wigwag_local::lambda::{Line, Output};
use wigwag_protocol::http::{LoggedIn, PLATFORM_LINUX};
use wigwag_protocol::pb::{LoginMsg, Message, SessionType, SignalMsg, SignalType, UpMsg};
use wigwag_protocol::{Encoding, InputFrame, Request};
use wigwag_store::fanout::{Audience, Logged, RoomContent, Task, TaskQueue as _};

const PASSWORD: &str = "Recognisable-Password-4711";
const CONTENT: &str = "Recognisable-Content-0815";
const PHONES: [&str; 2] = ["15550008472", "15550008473"];

/// How long a line of the log may take. It never takes so long unless the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// All that a process may be told to say, while everything that it calls fails.
const EVERYTHING_FAILS: &str = "[dynamodb.all]\nfail_before = 1\n[sqs.all]\nfail_before = 1\n[secretsmanager.all]\nfail_before = 1\n[connections.all]\nfail_before = 1\n";

/// The lines of a stack.
struct Log {
    lines: mpsc::UnboundedReceiver<Line>,
    seen: Vec<String>,
}

impl Log {
    /// Waits until a line has been written that says this.
    async fn says(&mut self, function: &str, words: &str) -> Result<()> {
        let is_it = |line: &String| line.starts_with(function) && line.contains(words);
        if self.seen.iter().any(is_it) {
            return Ok(());
        }
        loop {
            let next = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            let Line { function, text } = next
                .with_context(|| format!("no line of {function} says {words}"))?
                .context("no more lines")?;
            self.seen.push(format!("{function} {text}"));
            if self.seen.last().is_some_and(is_it) {
                return Ok(());
            }
        }
    }

    /// All lines until the stack stopped.
    async fn all(mut self) -> Vec<String> {
        while let Some(Line { function, text }) = self.lines.recv().await {
            self.seen.push(format!("{function} {text}"));
        }
        self.seen
    }
}

/// A secret as it stands, and within base64, wherever in it the secret begins.
fn shapes(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    // As `Debug` shows bytes, and as tools do.
    let listed = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let hexadecimal = nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect();
    let mut shapes = vec![secret.to_owned(), listed, hexadecimal];
    for before in 0..3 {
        let padded = [vec![0; before], secret.as_bytes().to_vec()].concat();
        let whole = padded.len() / 3 * 4;
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            // The first characters mix with what stands before.
            shapes.push(encoded[(before * 4).div_ceil(3)..whole].to_owned());
        }
    }
    shapes
}

/// What of the secrets stands in a text.
fn leaks<'a>(text: &str, secrets: &'a [String]) -> Vec<&'a str> {
    let stands = |secret: &&String| shapes(secret).iter().any(|shape| text.contains(shape.as_str()));
    secrets.iter().filter(stands).map(String::as_str).collect()
}

#[test]
fn a_secret_is_found_wherever_it_stands() {
    let secrets = [CONTENT.to_owned()];
    for before in ["", "a", "ab", "abc", "abcd"] {
        let said = format!("{before}{CONTENT}{before}");
        assert_eq!(leaks(&format!("x{said}y"), &secrets), [CONTENT]);
        assert_eq!(leaks(&STANDARD_NO_PAD.encode(&said), &secrets), [CONTENT], "{before}");
        assert!(leaks(&STANDARD_NO_PAD.encode(before), &secrets).is_empty());
        assert_eq!(leaks(&format!("B({:?})", said.as_bytes()), &secrets), [CONTENT]);
    }
}

/// What is answered beside the one answer that is a token.
struct Told {
    world: World,
    answers: Vec<String>,
}

impl Told {
    async fn http(&mut self, method: &str, path: &str, token: Option<&str>, body: Value) -> Result<String> {
        let body = (method == "POST").then(|| body.to_string());
        self.text(method, path, token, body).await
    }

    async fn text(&mut self, method: &str, path: &str, token: Option<&str>, body: Option<String>) -> Result<String> {
        let answer = self.world.send(method, path, token, body).await?.text().await?;
        self.answers.push(answer.clone());
        Ok(answer)
    }

    async fn ask(&mut self, device: &mut Device, request: Request) -> Result<()> {
        let output = device.ask(request).await?;
        if output.code != 0 {
            self.answers.push(format!("{output:?}"));
        }
        Ok(())
    }

    async fn raw(&mut self, device: &mut Device, frame: String) -> Result<()> {
        let output = device.ask_raw(&frame).await?;
        self.answers.push(format!("{output:?}"));
        Ok(())
    }
}

fn text(kind: SessionType, receiver_id: u64, client_id: u64, session: u64) -> Request {
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

/// Registers and logs in; answers with id and token.
async fn account(told: &mut Told, phone: &str) -> Result<LoggedIn> {
    let number = format!("+{phone}");
    let register = json!({ "phone_number": number, "nickname": "n", "password": PASSWORD });
    told.http("POST", "/register", None, register.clone()).await?;
    told.http("POST", "/register", None, register).await?;
    let login = json!({ "phone_number": number, "password": PASSWORD, "platform": PLATFORM_LINUX, "device_id": "d" });
    let logged_in = told.world.post("/login", None, &login).await?;
    let wrong = json!({ "phone_number": number, "password": format!("{PASSWORD}!"), "platform": 7, "device_id": "d" });
    told.http("POST", "/login", None, wrong).await?;
    Ok(logged_in)
}

/// Bodies and frames that break off, or have the secret where it does not belong: what refuses them might quote it.
async fn misplace(told: &mut Told, token: &str, device: &mut Device) -> Result<()> {
    for body in [
        format!("{{\"phone_number\":\"+{}\",\"password\":\"{PASSWORD}", PHONES[0]),
        format!("{{\"phone_number\":\"+{}\",\"password\":[\"{PASSWORD}\"]}}", PHONES[0]),
        format!("\"{PASSWORD}\""),
        json!({ "phone_number": PASSWORD, "password": PASSWORD, "nickname": PASSWORD }).to_string(),
        json!({ "phone_number": PHONES[0], "password": PASSWORD, "platform": PASSWORD, "device_id": "d" }).to_string(),
        json!({ "phone_number": PHONES[0], "password": PASSWORD, "platform": 99, "device_id": PASSWORD.repeat(9) })
            .to_string(),
    ] {
        for path in ["/login", "/register"] {
            told.text("POST", path, None, Some(body.clone())).await?;
        }
    }
    let altered = format!("{token}x");
    told.http("GET", "/me", Some(&altered), Value::Null).await?;
    told.http(
        "GET",
        &format!("/me?token={token}&password={PASSWORD}"),
        None,
        Value::Null,
    )
    .await?;
    told.http("GET", &format!("/user/{CONTENT}"), Some(token), Value::Null)
        .await?;
    told.http(
        "GET",
        &format!("/friend/list?after={CONTENT}"),
        Some(token),
        Value::Null,
    )
    .await?;
    let role = json!({ "group_id": 1, "user_id": 2, "role": CONTENT });
    told.http("POST", "/group/role", Some(token), role).await?;
    for frame in [
        CONTENT.to_owned(),
        format!("{{\"type\":\"{CONTENT}\"}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":\"{CONTENT}\"}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":\"{CONTENT}\"}}}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"client_id\":\"{CONTENT}\"}}}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":{{\"session_type\":\"{CONTENT}\"}}}}}}"),
        format!(
            "{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":{{\"content\":\"{CONTENT}\",\"content_base64\":\"{CONTENT}\"}}}}}}"
        ),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":{{\"content\":\"{CONTENT}"),
        format!("{{\"type\":\"LOGIN\",\"data\":{{\"token\":[\"{token}\"]}}}}"),
        InputFrame {
            request_id: 0,
            request: text(SessionType::Single, 0, 1, 1),
        }
        .encode(Encoding::Protobuf),
    ] {
        told.raw(device, frame).await?;
    }
    Ok(())
}

/// Everything that a client can have functions do with a secret.
async fn say_everything(
    told: &mut Told,
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
        told.ask(device, text(kind, to, client_id, session)).await?;
    }
    for to in [bob.user_id, 1] {
        told.ask(device, signal(to)).await?;
    }
    let login = Request::Login(LoginMsg {
        token: token.as_bytes().to_vec(),
    });
    told.ask(device, login).await?;
    misplace(told, token, device).await
}

/// Opens a connection that is refused, with the token in each place.
async fn knock(world: &World, token: &str) -> Result<()> {
    let dial = || Dial::new(&world.stack.websocket_url);
    let altered = format!("{token}x");
    dial().token(&altered).refused().await?;
    dial()
        .subprotocols(&format!("wigwag.token.{altered}"))
        .refused()
        .await?;
    dial().token(token).query("platform", "1").refused().await?;
    Ok(())
}

/// Tasks that workers cannot read, or cannot carry out.
async fn bad_tasks(world: &World) -> Result<()> {
    let queue = world.fanout_queue()?;
    let unreadable = [
        json!({ "task": CONTENT }),
        json!({ "task": "deliver", "group": CONTENT }),
        json!({ "task": "room", "room": 7, "id": "1", "sender": 1, "connection": "c", "content": { "message": CONTENT } }),
    ];
    for (id, body) in (1..).zip(unreadable) {
        queue
            .bury(&body.to_string(), "bad", &format!("bad{id}"), "none")
            .await?;
    }
    Ok(())
}

fn task(group: u64) -> Task {
    let message = Message {
        content: CONTENT.as_bytes().to_vec(),
        conversation_seq: 9,
        ..Message::default()
    };
    Task::Deliver {
        group,
        audience: Audience::Shard(0),
        logged: Logged {
            key: b"key".to_vec(),
            message,
        },
        skip: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_or_answered_whatever_happens() -> Result<()> {
    let (sender, lines) = mpsc::unbounded_channel();
    let world = World::with(|options| {
        options.parameters.insert("LogLevel".to_owned(), "debug".to_owned());
        options.tuning.output = Output::Channel(sender);
        options.fault_plan = Plan::parse(EVERYTHING_FAILS).expect("a plan");
    })
    .await?;
    let mut log = Log {
        lines,
        seen: Vec::new(),
    };
    world.stack.faults().pause();
    let mut told = Told {
        world,
        answers: Vec::new(),
    };
    let (ada, bob) = (
        account(&mut told, PHONES[0]).await?,
        account(&mut told, PHONES[1]).await?,
    );
    let create = json!({ "name": "group", "user_ids": [bob.user_id] });
    let group: Value = told.world.post("/group/create", Some(&ada.token), &create).await?;
    let group = group["group_id"].as_u64().context("a group has an id")?;
    let dial = |token: &str, names: &str| {
        Dial::new(&told.world.stack.websocket_url)
            .token(token)
            .subprotocols(names)
    };
    let mut a = dial(&ada.token, "wigwag.json.v1").connect().await?;
    let mut b = dial(&bob.token, "wigwag.pb.v1").connect().await?;
    a.enter(7).await?;
    b.enter(7).await?;
    say_everything(&mut told, &bob, &mut a, &ada.token, group, 1).await?;
    knock(&told.world, &ada.token).await?;
    bad_tasks(&told.world).await?;
    told.world.settled().await?;
    b.catch_up(0).await?;
    log.says("AuthorizerFunction", "refused a connection").await?;
    log.says("DefaultFunction", "refused a frame").await?;
    log.says("FanoutFunction", "a task goes to the dead-letter queue")
        .await?;
    // Now nothing works any more.
    told.world.stack.faults().resume();
    say_everything(&mut told, &bob, &mut a, &ada.token, group, 2).await?;
    let body =
        json!({ "phone_number": format!("+{}", PHONES[0]), "password": PASSWORD, "platform": 7, "device_id": "d" });
    for path in ["/login", "/register"] {
        told.http("POST", path, None, body.clone()).await?;
    }
    let register = json!({ "phone_number": "+15550008474", "nickname": "n", "password": PASSWORD });
    told.http("POST", "/register", None, register).await?;
    dial_fails(&told.world, &bob.token).await?;
    let room = Task::Room {
        room: 7,
        id: "1".to_owned(),
        sender: 1,
        connection: "c".to_owned(),
        content: RoomContent::Message(Message {
            send_time: i64::MAX / 2,
            content: CONTENT.as_bytes().to_vec(),
            ..Message::default()
        }),
        after: None,
    };
    told.world.fanout_queue()?.enqueue(&[task(group), room]).await?;
    a.send_raw(Frame::Close(None)).await?;
    for (function, words) in [
        ("DefaultFunction", "a request failed"),
        ("ApiFunction", "a request failed"),
        ("FanoutFunction", "a task failed"),
        ("ConnectFunction", ""),
        ("DisconnectFunction", ""),
    ] {
        log.says(function, words).await?;
    }
    let Told { world, answers } = told;
    let key = world.token_key().await?;
    world.stop().await;
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    let mut secrets = vec![
        PASSWORD.to_owned(),
        CONTENT.to_owned(),
        key,
        signature(&ada.token),
        signature(&bob.token),
    ];
    secrets.extend(PHONES.map(str::to_owned));
    let texts = log.all().await.into_iter().chain(answers);
    let found: Vec<String> = texts.filter(|text| !leaks(text, &secrets).is_empty()).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// A handshake that `connect` fails.
async fn dial_fails(world: &World, token: &str) -> Result<()> {
    match Dial::new(&world.stack.websocket_url).token(token).refused().await? {
        status if status >= 500 => Ok(()),
        status => bail!("a handshake ended with {status}"),
    }
}
