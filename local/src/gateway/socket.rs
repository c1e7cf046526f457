//! One open WebSocket: reads frames, writes frames, and decides how the connection ends.
//!
//! Reading and writing run at the same time, so a client that does not read is still heard.
//! Messages in either direction count as activity; pings are answered but do not count. The steps
//! at the end are always the same: the management API reports the connection as gone, `$disconnect`
//! is invoked, and the closing handshake goes on for a moment at most.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::connections::Connection;
use super::{GatewayState, INTEGRATION_LIMIT, Limits, event, message};

/// How long the client may take to finish the closing handshake.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The same when the gateway stops: its caller is waiting.
const STOP_LIMIT: Duration = Duration::from_millis(100);

/// Size of one read. It is small because there may be thousands of sockets.
const READ_BUFFER_BYTES: usize = 4 * 1024;

type Stream = WebSocketStream<TokioIo<Upgraded>>;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ending {
    /// `disconnectStatusCode`.
    status: u16,
    /// `disconnectReason`.
    reason: String,
    /// The close frame to send, unless the client spoke first or is gone.
    close: Option<CloseFrame>,
    /// Whether to invoke `$disconnect`.
    invokes_disconnect: bool,
    /// Whether the socket is dropped without a closing handshake.
    is_cut: bool,
}

impl Ending {
    fn by_us(code: CloseCode, reason: &'static str) -> Self {
        let close = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        Self {
            status: code.into(),
            reason: reason.to_owned(),
            close: Some(close),
            invokes_disconnect: true,
            is_cut: false,
        }
    }

    fn by_client(frame: Option<CloseFrame>) -> Self {
        let (status, reason) = match frame {
            None => (1005, "Client-side close frame status not set".to_owned()),
            Some(frame) if frame.reason.is_empty() && frame.code == CloseCode::Normal => {
                (1000, "Connection Closed Normally".to_owned())
            }
            Some(frame) => (frame.code.into(), frame.reason.to_string()),
        };
        Self {
            status,
            reason,
            close: None,
            invokes_disconnect: true,
            is_cut: false,
        }
    }

    fn broken() -> Self {
        Self {
            status: 1006,
            reason: "Connection Closed Abnormally".to_owned(),
            close: None,
            invokes_disconnect: true,
            is_cut: false,
        }
    }

    fn cut() -> Self {
        Self {
            is_cut: true,
            ..Self::broken()
        }
    }

    fn from_error(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::by_us(CloseCode::Size, "Message too big"),
            Error::Utf8(_) => Self::by_us(CloseCode::Invalid, "Invalid UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::broken(),
            Error::Protocol(_) => Self::by_us(CloseCode::Protocol, "Protocol error"),
            _ => Self::broken(),
        }
    }
}

/// Runs as long as the socket.
pub(super) async fn run(
    shared: Arc<GatewayState>,
    connection: Arc<Connection>,
    upgraded: hyper::Result<Upgraded>,
    mut frames: mpsc::Receiver<Utf8Bytes>,
) {
    let Ok(upgraded) = upgraded else {
        leave(&shared, &connection);
        disconnect(&shared, &connection, &Ending::broken()).await;
        return;
    };
    let config = Some(configuration(&shared.limits));
    let stream = Stream::from_raw_socket(TokioIo::new(upgraded), Role::Server, config).await;
    let (mut sink, mut stream) = stream.split();
    let ending = converse(&shared, &connection, &mut sink, &mut stream, &mut frames).await;
    leave(&shared, &connection);
    let limit = if shared.stop.is_cancelled() {
        STOP_LIMIT
    } else {
        CLOSE_LIMIT
    };
    let closing = async {
        if ending.is_cut {
            drop((sink, stream, frames));
        } else {
            close(sink, stream, frames, ending.close.clone(), limit).await;
        }
    };
    tokio::join!(closing, disconnect(&shared, &connection, &ending));
    tracing::debug!(
        connection = connection.id,
        status = ending.status,
        ending.reason,
        "a connection ended"
    );
}

fn configuration(limits: &Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_frame_size(Some(limits.frame_bytes))
        .max_message_size(Some(limits.message_bytes))
}

/// Reads and writes until something ends the connection.
async fn converse(
    shared: &Arc<GatewayState>,
    connection: &Arc<Connection>,
    sink: &mut SplitSink<Stream, Message>,
    stream: &mut SplitStream<Stream>,
    frames: &mut mpsc::Receiver<Utf8Bytes>,
) -> Ending {
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => Ending { invokes_disconnect: false, ..Ending::by_us(CloseCode::Away, "Going away") },
        () = connection.harm.is_cut() => Ending::cut(),
        () = connection.close.cancelled() => Ending::by_us(CloseCode::Normal, "Connection Closed Normally"),
        () = tokio::time::sleep_until(connection.at_age(shared.limits.lifetime)) => {
            Ending::by_us(CloseCode::Away, "Going away")
        }
        () = idle(connection, shared.limits.idle) => Ending::by_us(CloseCode::Away, "Going away"),
        ending = read(shared, connection, stream) => ending,
        ending = write(connection, sink, frames) => ending,
    }
}

/// Returns when no message has gone through for this long.
async fn idle(connection: &Connection, limit: Duration) {
    loop {
        let at = connection.last_active_age() + limit;
        tokio::time::sleep_until(connection.at_age(at)).await;
        if connection.last_active_age() + limit <= connection.age() {
            return;
        }
    }
}

async fn read(shared: &Arc<GatewayState>, connection: &Arc<Connection>, stream: &mut SplitStream<Stream>) -> Ending {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                connection.touch();
                // Asked here, because here frames come one after the other.
                let hold = connection.harm.frame_in();
                let message = message::dispatch(Arc::clone(shared), Arc::clone(connection), text);
                shared.tasks.spawn(async move {
                    hold.over().await;
                    message.await;
                });
            }
            Some(Ok(Message::Binary(_))) => {
                return Ending::by_us(CloseCode::Unsupported, "Binary frames are not supported");
            }
            // tungstenite has queued the pong and sends it with the next read.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => return Ending::by_client(frame),
            Some(Err(error)) => return Ending::from_error(&error),
            None => return Ending::broken(),
        }
    }
}

async fn write(
    connection: &Connection,
    sink: &mut SplitSink<Stream, Message>,
    frames: &mut mpsc::Receiver<Utf8Bytes>,
) -> Ending {
    let mut waiting = FuturesUnordered::new();
    loop {
        let frame = tokio::select! {
            Some(frame) = frames.recv() => {
                let hold = connection.harm.frame_out();
                if !hold.is_none() {
                    waiting.push(async move {
                        hold.over().await;
                        frame
                    });
                    continue;
                }
                frame
            }
            Some(frame) = waiting.next() => frame,
            else => break,
        };
        if sink.send(Message::Text(frame)).await.is_err() {
            // The reading side knows why, and ends next.
            break;
        }
        connection.touch();
    }
    std::future::pending().await
}

/// From here on the connection is gone.
fn leave(shared: &GatewayState, connection: &Connection) {
    shared.connections.remove(&connection.id);
    shared.meter.connection_time(connection.age());
}

async fn disconnect(shared: &GatewayState, connection: &Connection, ending: &Ending) {
    let Some(route) = connection.api.routes.get("$disconnect") else {
        return;
    };
    if !ending.invokes_disconnect || shared.faults.drops_disconnect() || connection.harm.loses_disconnect().await {
        return;
    }
    let event = event::disconnect(connection, ending.status, &ending.reason);
    if let Err(error) = shared.invoke(&route.function, &event, INTEGRATION_LIMIT).await {
        tracing::warn!(function = route.function, %error, "$disconnect failed");
    }
}

/// Sends the queued frames and the close frame, and lets the client finish.
///
/// Every step has a limit, because the client may be gone.
async fn close(
    mut sink: SplitSink<Stream, Message>,
    mut stream: SplitStream<Stream>,
    mut frames: mpsc::Receiver<Utf8Bytes>,
    frame: Option<CloseFrame>,
    limit: Duration,
) {
    frames.close();
    if let Some(frame) = frame {
        within(limit, async {
            while let Ok(queued) = frames.try_recv() {
                sink.feed(Message::Text(queued)).await?;
            }
            sink.send(Message::Close(Some(frame))).await
        })
        .await;
    }
    within(limit, async { while let Some(Ok(_)) = stream.next().await {} }).await;
    let Ok(stream) = sink.reunite(stream) else { return };
    within(limit, drain(stream.into_inner())).await;
}

/// Ends the connection so that the client can read the close frame. If unread data were left when
/// the socket closes, the system would drop the frames that are still on their way to the client.
async fn drain(mut io: TokioIo<Upgraded>) {
    let mut unread = [0; READ_BUFFER_BYTES];
    if io.shutdown().await.is_ok() {
        while io.read(&mut unread).await.is_ok_and(|read| read > 0) {}
    }
}

async fn within(limit: Duration, step: impl Future) {
    drop(timeout(limit, step).await);
}
