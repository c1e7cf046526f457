//! A device on a raw socket. It sends what a test tells it to, and shows every frame it gets.

use crate::dial::Socket;
use crate::messages::texts;
use anyhow::{Context as _, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::VecDeque;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Message as Frame, protocol::CloseFrame};
use wigwag_protocol::pb::{
    AckMsg, HeartbeatMsg, Message, PullInputMsg, PullOutputMsg, RoomMsg, SessionType, SignalMsg, SyncInputMsg,
    SyncOutputMsg, UpMsg,
};
use wigwag_protocol::{Code, Encoding, InputFrame, OutputFrame, Payload, Request};

/// How long a device waits for a frame before the story fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connected device.
#[derive(Debug)]
pub struct Device {
    socket: Socket,
    /// How its frames are written.
    pub encoding: Encoding,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
    next_request_id: u64,
    pushed: VecDeque<OutputFrame>,
}

impl Device {
    pub(crate) fn new(socket: Socket, encoding: Encoding, subprotocol: Option<String>) -> Self {
        Self {
            socket,
            encoding,
            subprotocol,
            next_request_id: 1,
            pushed: VecDeque::new(),
        }
    }

    /// Sends a frame as it is.
    pub async fn send_raw(&mut self, frame: Frame) -> Result<()> {
        Ok(self.socket.send(frame).await?)
    }

    /// Sends a request without waiting for its answer; returns its request id.
    pub async fn start(&mut self, request: Request) -> Result<u64> {
        let request_id = self.next_request_id;
        self.next_request_id += 1;
        let frame = InputFrame { request_id, request }.encode(self.encoding);
        self.send_raw(Frame::text(frame)).await?;
        Ok(request_id)
    }

    /// Waits for the answer to a request. Pushes that arrive meanwhile are kept.
    pub async fn finish(&mut self, request_id: u64) -> Result<OutputFrame> {
        loop {
            for output in self.batch().await? {
                if output.request_id == request_id {
                    return Ok(output);
                }
                self.pushed.push_back(output);
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub async fn ask(&mut self, request: Request) -> Result<OutputFrame> {
        let request_id = self.start(request).await?;
        self.finish(request_id).await
    }

    /// Sends a request that must be refused; returns the code and the output.
    pub async fn refused(&mut self, request: Request) -> Result<(Code, OutputFrame)> {
        let output = self.ask(request).await?;
        let code = Code::from_number(output.code).context("an unknown code")?;
        Ok((code, output))
    }

    /// Sends text that is no request, and waits for the one output that answers it.
    pub async fn ask_raw(&mut self, text: &str) -> Result<OutputFrame> {
        self.send_raw(Frame::text(text.to_owned())).await?;
        self.batch().await?.pop().context("an empty batch")
    }

    /// Sends a text message to a user under this `client_id`; returns the whole output.
    pub async fn say(&mut self, receiver_id: u64, client_id: u64, text: &str) -> Result<OutputFrame> {
        self.say_to(SessionType::Single, receiver_id, client_id, text).await
    }

    /// Sends a text message to a user, a group or a room; returns the whole output.
    pub async fn say_to(
        &mut self,
        kind: SessionType,
        receiver_id: u64,
        client_id: u64,
        text: &str,
    ) -> Result<OutputFrame> {
        let msg = Message {
            session_type: kind.into(),
            receiver_id,
            message_type: 1,
            content: text.as_bytes().to_vec(),
            ..Message::default()
        };
        self.ask(Request::Message(UpMsg {
            msg: Some(msg),
            client_id,
            session: 1,
        }))
        .await
    }

    /// Sends a text message to a user, which must be acknowledged.
    pub async fn tell(&mut self, receiver_id: u64, client_id: u64, text: &str) -> Result<AckMsg> {
        self.tell_to(SessionType::Single, receiver_id, client_id, text).await
    }

    /// Sends a text message to a user, a group or a room, which must be acknowledged.
    pub async fn tell_to(&mut self, kind: SessionType, receiver_id: u64, client_id: u64, text: &str) -> Result<AckMsg> {
        acknowledged(self.say_to(kind, receiver_id, client_id, text).await?)
    }

    /// Sends a signal that must be acknowledged.
    pub async fn signal(&mut self, signal: SignalMsg) -> Result<AckMsg> {
        acknowledged(self.ask(Request::Signal(signal)).await?)
    }

    /// Enters a room; returns the room that was left for it, or 0.
    pub async fn enter(&mut self, room_id: u64) -> Result<u64> {
        let room = RoomMsg { room_id, left_id: 0 };
        match self.ask(Request::EnterRoom(room)).await? {
            OutputFrame {
                code: 0,
                payload: Payload::EnterRoom(room),
                ..
            } => Ok(room.left_id),
            other => bail!("not in the room: {other:?}"),
        }
    }

    /// Leaves the room; returns its id, or 0.
    pub async fn leave_room(&mut self) -> Result<u64> {
        match self.ask(Request::LeaveRoom(RoomMsg::default())).await? {
            OutputFrame {
                code: 0,
                payload: Payload::LeaveRoom(room),
                ..
            } => Ok(room.left_id),
            other => bail!("not out of the room: {other:?}"),
        }
    }

    /// Reads the first page of what this device may read of a group.
    pub async fn pull_group(&mut self, group: u64) -> Result<PullOutputMsg> {
        let pull = PullInputMsg {
            session_type: SessionType::Group.into(),
            target_id: group,
            ..PullInputMsg::default()
        };
        match self.ask(Request::Pull(pull)).await? {
            OutputFrame {
                code: 0,
                payload: Payload::Pull(page),
                ..
            } => Ok(page),
            other => bail!("no page: {other:?}"),
        }
    }

    /// Reads everything in the inbox after a cursor, until no seq is being written any more.
    pub async fn catch_up(&mut self, mut cursor: u64) -> Result<Vec<Message>> {
        let mut messages = Vec::new();
        loop {
            let page = self.sync(cursor, 0).await?;
            let settled = page.messages.into_iter().filter(|message| message.seq <= page.cursor);
            messages.extend(settled);
            cursor = page.cursor;
            if cursor == page.max_seq {
                return Ok(messages);
            }
        }
    }

    /// Reads the inbox after a cursor.
    pub async fn sync(&mut self, seq: u64, limit: u32) -> Result<SyncOutputMsg> {
        match self.ask(Request::Sync(SyncInputMsg { seq, limit })).await? {
            OutputFrame {
                code: 0,
                payload: Payload::Sync(page),
                ..
            } => Ok(page),
            other => bail!("no page: {other:?}"),
        }
    }

    /// Asks for the highest seq.
    pub async fn heartbeat(&mut self) -> Result<u64> {
        match self.ask(Request::Heartbeat(HeartbeatMsg::default())).await? {
            OutputFrame {
                code: 0,
                payload: Payload::Heartbeat(heartbeat),
                ..
            } => Ok(heartbeat.max_seq),
            other => bail!("no heartbeat: {other:?}"),
        }
    }

    /// The next output, which must be a pushed message.
    pub async fn pushed(&mut self) -> Result<Message> {
        match self.next_push().await?.payload {
            Payload::Push(push) => push.msg.context("a push without a message"),
            other => bail!("not a message: {other:?}"),
        }
    }

    /// Texts of the messages that are pushed, until there are so many, in the order of the
    /// conversation. Messages of the user's other devices come by another way than those of other
    /// users, and may arrive first.
    pub async fn pushed_texts(&mut self, count: usize) -> Result<Vec<String>> {
        let mut got = Vec::new();
        while got.len() < count {
            let message = self.pushed().await?;
            got.extend(message.group_change.is_none().then_some(message));
        }
        got.sort_by_key(|message| message.conversation_seq);
        Ok(texts(&got))
    }

    /// The next output that is not an answer to a request.
    pub async fn next_push(&mut self) -> Result<OutputFrame> {
        loop {
            if let Some(output) = self.pushed.pop_front() {
                return Ok(output);
            }
            let batch = self.batch().await?;
            self.pushed.extend(batch);
        }
    }

    /// The next text frame, as it is.
    pub async fn next_text(&mut self) -> Result<String> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .context("wait for a frame")?
            {
                Some(Ok(Frame::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Frame::Close(close))) => bail!("closed: {close:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the socket ended"),
            }
        }
    }

    /// Waits until the server closes, and ignores everything else.
    pub async fn closed(&mut self) -> Result<Option<CloseFrame>> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .context("wait for the end")?
            {
                Some(Ok(Frame::Close(close))) => return Ok(close),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }

    /// Closes the socket as a device does when it leaves.
    pub async fn leave(mut self) -> Result<()> {
        self.socket.close(None).await?;
        while let Some(Ok(_)) = self.socket.next().await {}
        Ok(())
    }

    async fn batch(&mut self) -> Result<Vec<OutputFrame>> {
        let text = self.next_text().await?;
        OutputFrame::decode_batch(&text).with_context(|| format!("read {text}"))
    }
}

fn acknowledged(output: OutputFrame) -> Result<AckMsg> {
    match output {
        OutputFrame {
            code: 0,
            payload: Payload::Ack(ack),
            ..
        } => Ok(ack),
        other => bail!("not acknowledged: {other:?}"),
    }
}
