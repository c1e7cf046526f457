//! Sockets of the WebSocket APIs.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::target::{DEADLINE, Target, tag};

/// A handshake to try.
pub(crate) struct Opening<'a> {
    target: &'a Target,
    url: &'a str,
    tag: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, &'static str)>,
}

impl<'a> Opening<'a> {
    /// A handshake with the API that has all routes.
    pub(crate) fn new(target: &'a Target) -> Self {
        let tag = tag();
        Self {
            target,
            url: target.output("WebSocketUrl"),
            query: vec![("tag", tag.clone())],
            tag,
            headers: Vec::new(),
        }
    }

    /// A handshake with the API that has neither `$connect` nor `$default`.
    pub(crate) fn bare(target: &'a Target) -> Self {
        Self {
            url: target.output("BareWebSocketUrl"),
            ..Self::new(target)
        }
    }

    /// With this order for the function of `$connect`.
    pub(crate) fn order(self, order: &Value) -> Self {
        self.parameter("do", order.to_string())
    }

    /// With this answer of `$connect`.
    pub(crate) fn answered(self, answer: &Value) -> Self {
        self.order(&json!({ "answer": answer }))
    }

    /// With this order for the authorizer.
    pub(crate) fn authorizer(self, order: &Value) -> Self {
        self.parameter("auth", order.to_string())
    }

    pub(crate) fn parameter(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Without the tag, which is the identity source of the authorizer.
    pub(crate) fn unidentified(mut self) -> Self {
        self.query.retain(|(name, _)| *name != "tag");
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// Tries the handshake.
    pub(crate) async fn attempt(&self) -> Result<Handshake<'a>> {
        let encoded = |value: &str| utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let mut request = format!("{}?{}", self.url, query.join("&")).into_client_request()?;
        for (name, value) in &self.headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        let opening = Box::pin(tokio_tungstenite::connect_async(request));
        let opened = tokio::time::timeout(DEADLINE, opening)
            .await
            .context("the handshake takes too long")?;
        Ok(match opened {
            Ok((stream, response)) => Handshake::Done(Box::new(Socket {
                target: self.target,
                tag: self.tag.clone(),
                stream,
                response,
            })),
            Err(error) => Handshake::Failed(error),
        })
    }

    /// Opens the socket.
    pub(crate) async fn open(&self) -> Result<Socket<'a>> {
        match self.attempt().await? {
            Handshake::Done(socket) => Ok(*socket),
            Handshake::Failed(error) => Err(error).context("the handshake is refused"),
        }
    }

    /// The status with which the handshake is refused.
    pub(crate) async fn refusal(&self) -> Result<u16> {
        match self.attempt().await? {
            Handshake::Done(_) => bail!("the handshake is not refused"),
            Handshake::Failed(Error::Http(response)) => Ok(response.status().as_u16()),
            Handshake::Failed(error) => bail!("the handshake fails in another way: {error}"),
        }
    }
}

/// How a handshake ended.
pub(crate) enum Handshake<'a> {
    Done(Box<Socket<'a>>),
    Failed(Error),
}

/// An open socket.
pub(crate) struct Socket<'a> {
    target: &'a Target,
    tag: String,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    response: http::Response<Option<Vec<u8>>>,
}

impl fmt::Debug for Socket<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Socket")
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

impl<'a> Socket<'a> {
    /// Opens a socket of the API that has all routes.
    pub(crate) async fn open(target: &'a Target) -> Result<Self> {
        Opening::new(target).open().await
    }

    /// The header of the handshake's answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The event of its `$connect`.
    pub(crate) async fn connect_event(&self) -> Result<Value> {
        let is_meant = |event: &Value| {
            event["requestContext"]["eventType"] == "CONNECT"
                && event["type"] != "REQUEST"
                && event["queryStringParameters"]["tag"] == self.tag.as_str()
        };
        self.target.event("the event of $connect", is_meant).await
    }

    /// Its connection id.
    pub(crate) async fn id(&self) -> Result<String> {
        connection_id(&self.connect_event().await?)
    }

    /// The event of the message that contains this text.
    pub(crate) async fn message_event(&self, text: &str) -> Result<Value> {
        let is_meant = |event: &Value| {
            event["requestContext"].is_object() && event["body"].as_str().is_some_and(|body| body.contains(text))
        };
        self.target.event("the event of the message", is_meant).await
    }

    /// The event of its `$disconnect`.
    pub(crate) async fn disconnect_event(&self, id: &str) -> Result<Value> {
        let is_meant = |event: &Value| {
            event["requestContext"]["eventType"] == "DISCONNECT" && event["requestContext"]["connectionId"] == id
        };
        self.target.event("the event of $disconnect", is_meant).await
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: impl Into<String>) -> Result<()> {
        self.send_message(Message::text(text.into())).await
    }

    /// Sends an order to the function.
    pub(crate) async fn order(&mut self, order: &Value) -> Result<()> {
        self.send(order.to_string()).await
    }

    /// Makes the function answer with this body.
    pub(crate) async fn ask_for(&mut self, body: &str) -> Result<()> {
        self.order(&json!({"answer": {"statusCode": 200, "body": body}})).await
    }

    pub(crate) async fn send_message(&mut self, message: Message) -> Result<()> {
        let sending = tokio::time::timeout(DEADLINE, self.stream.send(message)).await;
        sending
            .context("sending takes too long")?
            .context("the socket is closed")
    }

    /// Sends a text in frames of these lengths.
    pub(crate) async fn send_fragments(&mut self, text: &str, lengths: &[usize]) -> Result<()> {
        let mut rest = text;
        for (index, length) in lengths.iter().enumerate() {
            let (part, after) = rest.split_at(*length);
            rest = after;
            let opcode = OpCode::Data(if index == 0 { Data::Text } else { Data::Continue });
            let frame = Frame::message(part.as_bytes().to_vec(), opcode, index + 1 == lengths.len());
            self.send_message(Message::Frame(frame)).await?;
        }
        Ok(())
    }

    /// The next frame, except pings and pongs.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>> {
        loop {
            let next = tokio::time::timeout(DEADLINE, self.stream.next()).await;
            match next.context("nothing comes")? {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Ok(Some(message)),
                Some(Err(error)) => bail!("the socket breaks: {error}"),
                None => return Ok(None),
            }
        }
    }

    /// The next frame of any kind.
    pub(crate) async fn next_frame(&mut self) -> Result<Message> {
        let next = tokio::time::timeout(DEADLINE, self.stream.next()).await;
        Ok(next.context("nothing comes")?.context("the socket is closed")??)
    }

    /// The next text frame.
    pub(crate) async fn text(&mut self) -> Result<String> {
        match self.next().await? {
            Some(Message::Text(text)) => Ok(text.to_string()),
            other => bail!("not a text frame: {other:?}"),
        }
    }

    /// The close code of the next frame.
    pub(crate) async fn closed(&mut self) -> Result<u16> {
        match self.next().await? {
            Some(Message::Close(Some(frame))) => Ok(frame.code.into()),
            other => bail!("not a close frame with a code: {other:?}"),
        }
    }

    /// Closes it from this side.
    pub(crate) async fn close(&mut self, frame: Option<CloseFrame>) -> Result<()> {
        self.stream.close(frame).await.context("close")
    }

    /// Checks that the socket is still open.
    pub(crate) async fn still_works(&mut self) -> Result<()> {
        let text = tag();
        self.ask_for(&text).await?;
        let answer = self.text().await?;
        ensure!(answer == text, "not what was asked for: {answer}");
        Ok(())
    }
}

/// The connection id in an event.
pub(crate) fn connection_id(event: &Value) -> Result<String> {
    let id = event["requestContext"]["connectionId"].as_str();
    Ok(id.context("the event has a connectionId")?.to_owned())
}
