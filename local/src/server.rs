//! The HTTP/1.1 server behind every listener of the stack.
//!
//! hyper handles the protocol. This module adds the accept loop and a way to stop it. It also keeps
//! the client's spelling of header names, which hyper drops but API Gateway passes on to functions.
//!
//! Invariant: every task of a server runs under the tracker it was given and ends soon after the
//! token is cancelled.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest request head whose spelling is kept.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// The end of a request head.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Pause after a failed `accept`, for example when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Marks a response, in its extensions: close the connection instead of sending it.
#[derive(Debug, Clone, Copy)]
struct Cut;

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the response was withheld on purpose")]
struct Withheld;

/// A response that is never sent; the connection is closed instead.
pub(crate) fn cut() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    response.extensions_mut().insert(Cut);
    response
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Its spelling of header names.
    pub(crate) spelling: Spelling,
}

/// The head of the latest request on a connection, as it was received.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spelling(Arc<Mutex<Head>>);

#[derive(Debug, Default)]
struct Head {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Spelling {
    /// The header names of the latest request, by their lower-case form. Resets the head for the
    /// next request.
    pub(crate) fn take(&self) -> BTreeMap<String, String> {
        let head = std::mem::take(&mut self.lock().bytes);
        head.split(|byte| *byte == b'\n')
            .skip(1)
            .take_while(|line| !line.trim_ascii().is_empty())
            .filter_map(|line| line.iter().position(|byte| *byte == b':').map(|colon| &line[..colon]))
            .filter_map(|name| std::str::from_utf8(name).ok())
            .map(|name| (name.to_ascii_lowercase(), name.to_owned()))
            .collect()
    }

    /// Stops recording: the connection no longer carries HTTP.
    pub(crate) fn end(&self) {
        *self.lock() = Head {
            bytes: Vec::new(),
            is_over: true,
        };
    }

    fn record(&self, read: &[u8]) {
        let mut head = self.lock();
        if head.is_over || head.bytes.ends_with(END_OF_HEAD) || head.bytes.len() >= HEAD_LIMIT_BYTES {
            return;
        }
        let from = head.bytes.len().saturating_sub(END_OF_HEAD.len() - 1);
        head.bytes.extend_from_slice(read);
        if let Some(end) = head.bytes[from..]
            .windows(END_OF_HEAD.len())
            .position(|window| window == END_OF_HEAD)
        {
            head.bytes.truncate(from + end + END_OF_HEAD.len());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Head> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until `stop` is cancelled, which also cuts off open connections.
pub(crate) fn serve<F, A>(listener: TcpListener, stop: CancellationToken, tasks: &TaskTracker, handler: F)
where
    F: Fn(Request<Incoming>, Peer) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let connections = tasks.clone();
    tasks.spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let serving = serve_connection(stream, address, handler.clone());
                    let stop = stop.clone();
                    connections.spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = serving => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
}

async fn serve_connection<F, A>(stream: TcpStream, address: SocketAddr, handler: F)
where
    F: Fn(Request<Incoming>, Peer) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let spelling = Spelling::default();
    let peer = Peer {
        address,
        spelling: spelling.clone(),
    };
    let service = service_fn(move |request| {
        let answer = handler(request, peer.clone());
        async move {
            let answer = answer.await;
            if answer.extensions().get::<Cut>().is_some() {
                Err(Withheld)
            } else {
                Ok(answer)
            }
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(Recorded { stream, spelling }), service)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Reads a body of up to `limit` bytes; `None` if it is larger. The rest is read and dropped, so
/// that the client gets to read the answer.
pub(crate) async fn read_body<B>(mut body: B, limit: usize) -> Result<Option<Bytes>, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut read = BytesMut::new();
    let mut fits = true;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        fits = fits && read.len() + data.remaining() <= limit;
        if fits {
            read.extend_from_slice(&data);
        }
    }
    Ok(fits.then(|| read.freeze()))
}

/// A TCP stream that records the head of each request.
struct Recorded {
    stream: TcpStream,
    spelling: Spelling,
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.spelling.record(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_as_the_client_spelled_them() {
        let spelling = Spelling::default();
        for part in ["GET / HTTP/1.1\r\nX-aPi-Key: a", ":b\r\nhost: x\r", "\n\r\nbody: no"] {
            spelling.record(part.as_bytes());
        }
        let names = spelling.take();
        assert_eq!(names.get("x-api-key").map(String::as_str), Some("X-aPi-Key"));
        assert_eq!(names.get("host").map(String::as_str), Some("host"));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn each_request_on_a_connection_is_recorded_anew() {
        let spelling = Spelling::default();
        spelling.record(b"GET / HTTP/1.1\r\nFirst: 1\r\n\r\n");
        spelling.take();
        spelling.record(b"GET / HTTP/1.1\r\nSecond: 1\r\n\r\n");
        assert_eq!(spelling.take().into_values().collect::<Vec<_>>(), ["Second"]);
        spelling.end();
        spelling.record(b"GET / HTTP/1.1\r\nThird: 1\r\n\r\n");
        assert!(spelling.take().is_empty());
    }
}
