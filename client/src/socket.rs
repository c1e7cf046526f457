//! Opens a WebSocket and signs in.
//!
//! [`establish`] gets a token, opens TCP and TLS, does the handshake and sends a LOGIN frame if
//! that is the way to sign in. A refused token is replaced by a fresh one once. If that is refused
//! too, or there is no other token, the failure is final.

use crate::error::{BoxError, StopReason, code_name};
use crate::incoming::Incoming;
use crate::options::{ConnectOptions, SignIn};
use crate::tls;
use crate::token::{TokenError, TokenRequest};
use futures_util::future::BoxFuture;
use futures_util::{SinkExt as _, StreamExt as _};
use std::sync::Arc;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request as Handshake;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use url::Url;
use wigwag_protocol::encoding::SUBPROTOCOL_TOKEN_PREFIX;
use wigwag_protocol::http::Failure;
use wigwag_protocol::pb::LoginMsg;
use wigwag_protocol::{Code, Encoding, InputFrame, OutputFrame, Request};

/// API Gateway sends frames of 32 KB and messages of at most 128 KB.
const MESSAGE_BYTES: usize = 128 * 1024;

/// Request id of the LOGIN frame, the first on its connection.
const LOGIN_REQUEST_ID: u64 = 1;

/// The first free request id after signing in.
pub(crate) const FIRST_REQUEST_ID: u64 = LOGIN_REQUEST_ID + 1;

/// A byte stream in both directions.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

pub(crate) type BoxStream = Box<dyn ByteStream>;

/// An open, signed-in WebSocket.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<BoxStream>>;

/// Opens the byte stream to the host of a URL.
pub(crate) type Dial = Arc<dyn Fn(&Url) -> BoxFuture<'static, io::Result<BoxStream>> + Send + Sync>;

/// Connects over TCP.
pub(crate) fn dial_tcp() -> Dial {
    Arc::new(|url| {
        let host = url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned());
        let port = url.port_or_known_default();
        Box::pin(async move {
            let missing = || io::Error::new(io::ErrorKind::InvalidInput, "the URL names no host");
            let address = (host.ok_or_else(missing)?, port.ok_or_else(missing)?);
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxStream)
        })
    })
}

/// Why no connection could be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The token was not accepted.
    SignIn(String),
    /// Retrying does not help.
    Final(StopReason),
    /// Retrying can help.
    Retry(String),
}

impl OpenError {
    fn retry(error: &impl fmt::Display) -> Self {
        Self::Retry(error.to_string())
    }

    fn options(error: &impl fmt::Display) -> Self {
        Self::Final(StopReason::Options(error.to_string()))
    }
}

impl From<TokenError> for OpenError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Unavailable(source) => Self::Retry(with_causes(&source)),
            TokenError::Refused(source) => Self::SignIn(with_causes(&source)),
        }
    }
}

/// Opens a connection and signs in, with a fresh token if the first is refused.
pub(crate) async fn establish(options: Arc<ConnectOptions>) -> Result<Socket, OpenError> {
    let current = token(&options, TokenRequest::Current).await?;
    let refusal = match open_in_time(&options, current.as_deref().unwrap_or_default()).await {
        Err(OpenError::SignIn(refusal)) => refusal,
        outcome => return outcome,
    };
    let fresh = token(&options, TokenRequest::Fresh).await?;
    match fresh {
        Some(fresh) if current.as_ref() != Some(&fresh) => open_in_time(&options, &fresh).await,
        _ => Err(OpenError::SignIn(refusal)),
    }
}

async fn token(options: &ConnectOptions, request: TokenRequest) -> Result<Option<String>, OpenError> {
    timeout(options.timing.connect_timeout, options.token.get(request))
        .await
        .map_err(|_| OpenError::Retry("the token source did not answer in time".to_owned()))?
        .map_err(OpenError::from)
}

async fn open_in_time(options: &ConnectOptions, token: &str) -> Result<Socket, OpenError> {
    timeout(options.timing.connect_timeout, open(options, token))
        .await
        .unwrap_or_else(|_| Err(OpenError::Retry("the handshake was not answered in time".to_owned())))
}

async fn open(options: &ConnectOptions, token: &str) -> Result<Socket, OpenError> {
    let handshake = handshake(options, token)?;
    tls::prepare();
    let stream = (options.dial)(&options.url)
        .await
        .map_err(|error| OpenError::retry(&error))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let (mut socket, _) = client_async_tls_with_config(handshake, stream, Some(config), None)
        .await
        .map_err(classify)?;
    if options.sign_in == SignIn::LoginFrame {
        log_in(&mut socket, options, token).await?;
    }
    Ok(socket)
}

/// The HTTP request that opens the WebSocket.
fn handshake(options: &ConnectOptions, token: &str) -> Result<Handshake, OpenError> {
    let mut url = options.url.clone();
    // A connection without a subprotocol uses JSON. Not all emulators can negotiate subprotocols.
    let mut protocols = (options.encoding != Encoding::Json).then(|| options.encoding.subprotocol().to_owned());
    match options.sign_in {
        SignIn::Query => {
            url.query_pairs_mut().append_pair("token", token);
        }
        SignIn::Subprotocol => {
            let encoding = options.encoding.subprotocol();
            protocols = Some(format!("{encoding}, {SUBPROTOCOL_TOKEN_PREFIX}{token}"));
        }
        SignIn::LoginFrame => {}
    }
    let mut handshake = url
        .as_str()
        .into_client_request()
        .map_err(|error| OpenError::options(&error))?;
    if let Some(protocols) = protocols {
        let mut protocols = HeaderValue::from_str(&protocols).map_err(|error| OpenError::options(&error))?;
        protocols.set_sensitive(true);
        let name = HeaderName::from_static("sec-websocket-protocol");
        handshake.headers_mut().insert(name, protocols);
    }
    Ok(handshake)
}

/// Classifies a failed handshake.
fn classify(error: tungstenite::Error) -> OpenError {
    match error {
        tungstenite::Error::Http(response) => classify_status(&response),
        tungstenite::Error::Url(error) => OpenError::options(&error),
        error => OpenError::Retry(error.to_string()),
    }
}

fn classify_status(response: &Response<Option<Vec<u8>>>) -> OpenError {
    let status = response.status();
    let message = reason(status, response.body().as_deref().unwrap_or_default());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => OpenError::SignIn(message),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            OpenError::Retry(message)
        }
        status if status.is_server_error() => OpenError::Retry(message),
        status => OpenError::Final(StopReason::Handshake {
            status: status.as_u16(),
            message,
        }),
    }
}

/// Returns the server's message if the body has one, or the status.
fn reason(status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice::<Failure>(body) {
        Ok(failure) => format!("{} ({status})", failure.message),
        // API Gateway passes on only the status. The server uses 409 only for this.
        Err(_) if status == StatusCode::CONFLICT => Code::TOO_MANY_DEVICES.text().to_owned(),
        Err(_) => format!("status {status}"),
    }
}

/// Signs in with a LOGIN frame. The server sends nothing else before its answer.
async fn log_in(socket: &mut Socket, options: &ConnectOptions, token: &str) -> Result<(), OpenError> {
    let login = InputFrame {
        request_id: LOGIN_REQUEST_ID,
        request: Request::Login(LoginMsg {
            token: token.as_bytes().to_vec(),
        }),
    };
    let frame = Frame::text(login.encode(options.encoding));
    socket.send(frame).await.map_err(|error| OpenError::retry(&error))?;
    while let Some(frame) = socket.next().await {
        let Frame::Text(text) = frame.map_err(|error| OpenError::retry(&error))? else {
            continue;
        };
        match Incoming::decode(&text).map_err(|error| OpenError::retry(&error))? {
            Incoming::Notice(notice) => return Err(OpenError::Retry(notice.message)),
            Incoming::Batch(outputs) => {
                if let Some(answer) = outputs.iter().find(|output| output.request_id == LOGIN_REQUEST_ID) {
                    return check_login_answer(answer);
                }
            }
        }
    }
    Err(OpenError::Retry("closed before the sign-in was answered".to_owned()))
}

fn check_login_answer(answer: &OutputFrame) -> Result<(), OpenError> {
    let message = || format!("{} ({}): {}", code_name(answer.code), answer.code, answer.code_msg);
    match Code::from_number(answer.code) {
        Some(Code::OK | Code::ALREADY_SIGNED_IN) => Ok(()),
        Some(Code::LOGIN_FRAME_DISABLED) => Err(OpenError::Final(StopReason::Options(message()))),
        _ if answer.retryable => Err(OpenError::Retry(message())),
        _ => Err(OpenError::SignIn(message())),
    }
}

/// Formats an error and its causes on one line.
fn with_causes(error: &BoxError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::TokenSource;

    fn options(sign_in: SignIn) -> ConnectOptions {
        let url = Url::parse("ws://127.0.0.1:1/prod").unwrap();
        let mut options = ConnectOptions::new(url, 1, TokenSource::fixed("a.b+c"));
        options.sign_in = sign_in;
        options
    }

    #[test]
    fn the_token_is_sent_in_the_chosen_way() {
        let query = handshake(&options(SignIn::Query), "a.b+c").unwrap();
        assert_eq!(query.uri().query(), Some("token=a.b%2Bc"));
        assert_eq!(query.headers()["sec-websocket-protocol"], "wigwag.pb.v1");

        let mut plain = options(SignIn::Query);
        plain.encoding = Encoding::Json;
        let plain = handshake(&plain, "a.b-c").unwrap();
        assert!(!plain.headers().contains_key("sec-websocket-protocol"));

        let mut json = options(SignIn::Subprotocol);
        json.encoding = Encoding::Json;
        let listed = handshake(&json, "a.b-c").unwrap();
        assert_eq!(listed.uri().query(), None);
        assert_eq!(
            listed.headers()["sec-websocket-protocol"],
            "wigwag.json.v1, wigwag.token.a.b-c"
        );

        let later = handshake(&options(SignIn::LoginFrame), "a.b-c").unwrap();
        assert!(!format!("{later:?}").contains("a.b-c"));
    }

    #[test]
    fn handshake_statuses_are_classified() {
        let classified = |status: u16| {
            classify_status(
                &Response::builder()
                    .status(status)
                    .body(Some(b"{}".to_vec()))
                    .expect("a status and a body"),
            )
        };
        assert!(matches!(
            (classified(401), classified(403)),
            (OpenError::SignIn(_), OpenError::SignIn(_))
        ));
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(classified(status), OpenError::Retry(_)), "{status}");
        }
        for status in [301, 400, 404, 410, 426] {
            assert!(matches!(classified(status), OpenError::Final(_)), "{status}");
        }
    }

    #[test]
    fn the_message_of_a_refusal_reaches_the_app() {
        let body = br#"{"code":1102,"message":"TOKEN_EXPIRED: log in again","retryable":false}"#;
        let text = reason(StatusCode::UNAUTHORIZED, body);
        assert_eq!(text, "TOKEN_EXPIRED: log in again (401 Unauthorized)");
    }

    #[tokio::test]
    async fn tls_has_its_crypto_provider() {
        let mut options = options(SignIn::Query);
        options.url = Url::parse("wss://127.0.0.1:1/prod").unwrap();
        options.dial = Arc::new(|_| Box::pin(async { Ok(Box::new(tokio::io::duplex(16).0) as BoxStream) }));
        // The peer hangs up. Without a provider this would panic instead.
        assert!(matches!(open(&options, "t").await, Err(OpenError::Retry(_))));
    }
}
