//! The other end of the client's connections. Each test reads the client's requests and chooses the
//! answers.

use crate::socket::{BoxStream, Dial};
use crate::{Client, ConnectOptions, Event, Events, Receipt, SendError, SignIn, TokenSource, Url};
use futures_util::{SinkExt as _, StreamExt as _};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request as Handshake, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use wigwag_protocol::pb::{
    AckMsg, AckType, CmdType, GroupChange, GroupChangeType, HeartbeatMsg, KickMsg, Message, MessageType, PullOutputMsg,
    RoomMsg, SessionType, SyncOutputMsg, UpMsg,
};
use wigwag_protocol::{Code, Encoding, InputFrame, OutputFrame, Payload, Request};

pub(super) const ME: u64 = 1;
pub(super) const BOB: u64 = 2;
pub(super) const GROUP: u64 = 7;

/// Accepts the client's connections.
pub(super) struct Peer {
    dialled: mpsc::UnboundedReceiver<DuplexStream>,
}

/// Options whose connections arrive at the returned peer.
pub(super) fn peer() -> (Peer, ConnectOptions) {
    let (arrive, dialled) = mpsc::unbounded_channel();
    let dial: Dial = Arc::new(move |_| {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let result = arrive
            .send(far)
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused));
        Box::pin(async move { result.map(|()| Box::new(near) as BoxStream) })
    });
    let url = Url::parse("ws://peer/prod").unwrap();
    let mut options = ConnectOptions::new(url, ME, TokenSource::fixed("token"));
    options.dial = dial;
    (Peer { dialled }, options)
}

/// A connected client that has found its inbox empty.
pub(super) async fn connected() -> (Peer, PeerConnection, Client, Events) {
    let (mut peer, options) = peer();
    let (client, mut events) = Client::start(options);
    let mut link = peer.accept().await;
    link.sync_is_empty(0).await;
    assert!(matches!(next(&mut events).await, Event::Connected));
    assert!(matches!(next(&mut events).await, Event::CaughtUp { cursor: 0 }));
    assert!(matches!(next(&mut events).await, Event::GroupsCaughtUp));
    (peer, link, client, events)
}

/// The next event, which must come within three hours of paused time.
pub(super) async fn next(events: &mut Events) -> Event {
    timeout(Duration::from_hours(3), events.next())
        .await
        .expect("an event")
        .expect("not the end")
}

/// The next event that is not about connecting or catching up.
pub(super) async fn next_of_substance(events: &mut Events) -> Event {
    loop {
        match next(events).await {
            Event::Connected | Event::Disconnected { .. } | Event::CaughtUp { .. } | Event::GroupsCaughtUp => {}
            event => return event,
        }
    }
}

/// Sends in the background.
pub(super) fn send(client: &Client, content: &str) -> JoinHandle<Result<Receipt, SendError>> {
    let (client, content) = (client.clone(), content.to_owned());
    tokio::spawn(async move { client.send(BOB, content).await })
}

impl Peer {
    /// The next connection, before any handshake.
    pub(super) async fn dialled(&mut self) -> DuplexStream {
        timeout(Duration::from_hours(1), self.dialled.recv())
            .await
            .expect("a connection")
            .expect("a client")
    }

    /// Whether no connection is waiting.
    pub(super) fn has_no_connection_waiting(&mut self) -> bool {
        self.dialled.try_recv().is_err()
    }

    /// Accepts the next connection.
    pub(super) async fn accept(&mut self) -> PeerConnection {
        self.accept_with_handshake().await.0
    }

    /// Accepts the next connection and returns the path that it requested.
    pub(super) async fn accept_with_handshake(&mut self) -> (PeerConnection, String) {
        let path = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&path);
        #[expect(clippy::result_large_err, reason = "the signature of tungstenite's callback")]
        let callback = move |request: &Handshake, mut response: Response| -> Result<Response, ErrorResponse> {
            *seen.lock().unwrap() = request.uri().to_string();
            let name = "sec-websocket-protocol";
            if let Some(offered) = request.headers().get(name) {
                let first = offered.to_str().unwrap().split(',').next().unwrap();
                response.headers_mut().insert(name, first.trim().parse().unwrap());
            }
            Ok(response)
        };
        let socket = accept_hdr_async(self.dialled().await, callback)
            .await
            .expect("a handshake");
        let path = path.lock().unwrap().clone();
        (PeerConnection { socket }, path)
    }

    /// Answers the next handshake with a status.
    pub(super) async fn refuse(&mut self, status: u16) {
        let mut stream = self.dialled().await;
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].ends_with(b"\r\n\r\n"));
        let answer = format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// The far end of one connection.
pub(super) struct PeerConnection {
    socket: WebSocketStream<DuplexStream>,
}

impl PeerConnection {
    /// The next frame, which must come within ten minutes of paused time.
    pub(super) async fn text(&mut self) -> String {
        loop {
            let frame = timeout(Duration::from_mins(10), self.socket.next()).await;
            if let Frame::Text(text) = frame.expect("a request").expect("not the end").expect("a frame") {
                return text.to_string();
            }
        }
    }

    /// The next request.
    pub(super) async fn request(&mut self) -> InputFrame {
        InputFrame::decode(&self.text().await).unwrap()
    }

    /// Expects a message. Returns its request id and the message.
    pub(super) async fn message(&mut self) -> (u64, UpMsg) {
        match self.request().await {
            InputFrame {
                request_id,
                request: Request::Message(up),
            } => (request_id, up),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Expects SYNC. Returns its id and the seq that it starts after.
    pub(super) async fn sync(&mut self) -> (u64, u64) {
        match self.request().await {
            InputFrame {
                request_id,
                request: Request::Sync(sync),
            } => (request_id, sync.seq),
            other => panic!("not a SYNC: {other:?}"),
        }
    }

    /// Expects SYNC after `cursor` and answers that there is nothing more.
    pub(super) async fn sync_is_empty(&mut self, cursor: u64) {
        let (id, after) = self.sync().await;
        assert_eq!(after, cursor);
        self.page(id, &[], cursor, cursor).await;
    }

    /// Expects a heartbeat and answers it.
    pub(super) async fn heartbeat(&mut self, max_seq: u64) {
        let InputFrame {
            request_id,
            request: Request::Heartbeat(_),
        } = self.request().await
        else {
            panic!("not a heartbeat");
        };
        let pulse = HeartbeatMsg {
            max_seq,
            server_time: 0,
        };
        self.say(OutputFrame::new(
            CmdType::Heartbeat,
            request_id,
            Payload::Heartbeat(pulse),
        ))
        .await;
    }

    /// Answers SYNC.
    pub(super) async fn page(&mut self, id: u64, seqs: &[u64], cursor: u64, max_seq: u64) {
        let page = SyncOutputMsg {
            messages: seqs.iter().map(|seq| incoming(*seq)).collect(),
            has_more: false,
            cursor,
            max_seq,
        };
        self.say(OutputFrame::new(CmdType::Sync, id, Payload::Sync(page))).await;
    }

    /// Expects PULL of a group. Returns its id, the group and the first seq.
    pub(super) async fn pull(&mut self) -> (u64, u64, u64) {
        match self.request().await {
            InputFrame {
                request_id,
                request: Request::Pull(pull),
            } => {
                assert_eq!((pull.session_type(), pull.descending), (SessionType::Group, false));
                (request_id, pull.target_id, pull.begin_seq)
            }
            other => panic!("not a PULL: {other:?}"),
        }
    }

    /// Answers PULL of a group up to the end.
    pub(super) async fn group_page(&mut self, id: u64, seqs: &[u64], max_seq: u64) {
        self.send_group_page(id, seqs, max_seq, false).await;
    }

    /// The same, and says that the group has ended.
    pub(super) async fn last_group_page(&mut self, id: u64, seqs: &[u64], max_seq: u64) {
        self.send_group_page(id, seqs, max_seq, true).await;
    }

    async fn send_group_page(&mut self, id: u64, seqs: &[u64], max_seq: u64, ended: bool) {
        let page = PullOutputMsg {
            messages: seqs.iter().map(|seq| group_message_from_bob(*seq)).collect(),
            max_seq,
            ended,
            ..PullOutputMsg::default()
        };
        self.say(OutputFrame::new(CmdType::Pull, id, Payload::Pull(page))).await;
    }

    /// Pushes a message of the super group.
    pub(super) async fn push_group_message(&mut self, seq: u64) {
        self.say(OutputFrame::push(group_message_from_bob(seq))).await;
    }

    /// Expects a request to enter a room. Returns its id and the room.
    pub(super) async fn enter(&mut self) -> (u64, u64) {
        match self.request().await {
            InputFrame {
                request_id,
                request: Request::EnterRoom(room),
            } => (request_id, room.room_id),
            other => panic!("does not enter a room: {other:?}"),
        }
    }

    /// Lets the device into a room.
    pub(super) async fn let_in(&mut self, id: u64, room_id: u64, left_id: u64) {
        let payload = Payload::EnterRoom(RoomMsg { room_id, left_id });
        self.say(OutputFrame::new(CmdType::EnterRoom, id, payload)).await;
    }

    /// Acknowledges a relayed request.
    pub(super) async fn relay(&mut self, id: u64) {
        let ack = AckMsg {
            r#type: AckType::Relayed.into(),
            ..AckMsg::default()
        };
        self.say(OutputFrame::new(CmdType::Ack, id, Payload::Ack(ack))).await;
    }

    /// Accepts a message with this seq in the sender's inbox.
    pub(super) async fn accept(&mut self, id: u64, up: &UpMsg, seq: u64) {
        let ack = AckMsg {
            r#type: AckType::Up.into(),
            client_id: up.client_id,
            session: up.session,
            seq,
            conversation_seq: seq,
            ..AckMsg::default()
        };
        self.say(OutputFrame::new(CmdType::Ack, id, Payload::Ack(ack))).await;
    }

    pub(super) async fn refuse(&mut self, id: u64, code: Code) {
        self.say(OutputFrame::refusal(CmdType::Ack, id, code, Payload::None))
            .await;
    }

    pub(super) async fn push(&mut self, seq: u64) {
        self.say(OutputFrame::push(incoming(seq))).await;
    }

    pub(super) async fn kick(&mut self, reconnect: bool) {
        let kick = KickMsg { reason: 1, reconnect };
        self.say(OutputFrame::new(CmdType::Kick, 0, Payload::Kick(kick))).await;
    }

    pub(super) async fn say(&mut self, output: OutputFrame) {
        self.raw(&OutputFrame::encode_batch(&[output], Encoding::Protobuf))
            .await;
    }

    pub(super) async fn raw(&mut self, text: &str) {
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    /// Sends the gateway's notice that a function failed.
    pub(super) async fn gateway_fails(&mut self) {
        self.raw(r#"{"message": "Internal server error", "connectionId":"c=", "requestId":"r="}"#)
            .await;
    }

    /// Waits until the client has closed.
    pub(super) async fn ended(mut self) {
        while let Some(Ok(_)) = timeout(Duration::from_mins(10), self.socket.next())
            .await
            .expect("an end")
        {}
    }
}

/// A message from Bob.
pub(super) fn incoming(seq: u64) -> Message {
    Message {
        sender_id: BOB,
        receiver_id: ME,
        content: format!("message {seq}").into_bytes(),
        seq,
        ..Message::default()
    }
}

/// A message from Bob in the super group.
pub(super) fn group_message_from_bob(conversation_seq: u64) -> Message {
    Message {
        session_type: SessionType::Group.into(),
        sender_id: BOB,
        receiver_id: GROUP,
        content: format!("message {conversation_seq}").into_bytes(),
        conversation_seq,
        ..Message::default()
    }
}

/// A change of the super group that concerns this user, as in their inbox.
pub(super) fn change(seq: u64, conversation_seq: u64, kind: GroupChangeType) -> Message {
    Message {
        seq,
        content: Vec::new(),
        message_type: MessageType::GroupChange.into(),
        group_change: Some(GroupChange {
            r#type: kind.into(),
            user_ids: vec![ME],
            super_group: true,
            ..GroupChange::default()
        }),
        ..group_message_from_bob(conversation_seq)
    }
}

/// Measures in paused time how long something takes.
pub(super) async fn time<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let begin = Instant::now();
    let output = work.await;
    (output, begin.elapsed())
}

/// Reads the LOGIN frame and returns its id and token.
pub(super) async fn login(link: &mut PeerConnection) -> (u64, String) {
    match link.request().await {
        InputFrame {
            request_id,
            request: Request::Login(login),
        } => (request_id, String::from_utf8(login.token).unwrap()),
        other => panic!("not a LOGIN: {other:?}"),
    }
}

/// Options that sign in by frame.
pub(super) fn by_frame(mut options: ConnectOptions) -> ConnectOptions {
    options.sign_in = SignIn::LoginFrame;
    options
}
