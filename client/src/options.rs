//! How to connect: every setting and its default in one place.

use crate::api::Api;
use crate::backoff::Backoff;
use crate::error::BoxError;
use crate::outbox::Session;
use crate::socket::Dial;
use crate::token::{TokenRequest, TokenSource};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use wigwag_protocol::Encoding;
use wigwag_protocol::http::Group;

/// How the token reaches the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SignIn {
    /// `?token=` in the URL.
    #[default]
    Query,
    /// In the `Sec-WebSocket-Protocol` list.
    Subprotocol,
    /// The connection opens without it; a LOGIN frame brings it. Only where the deployment allows it.
    LoginFrame,
}

/// Where receiving begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// After this seq of the inbox: the cursor that the app kept, 0 for everything.
    After(u64),
    /// With about so many of the newest messages; 0 for only what comes from now on.
    Newest(u64),
}

/// Keeps the numbering of messages over the end of a process.
pub trait SessionStore: Send + Sync {
    /// Saves durably. Called on a blocking thread before a message is transmitted under a new number, and after it is
    /// settled. An error before transmitting fails that message with [`SendError::NotSaved`](crate::SendError::NotSaved).
    fn save(&self, session: &Session) -> io::Result<()>;
}

/// Times, all with defaults that fit API Gateway: it closes a connection after ten minutes without a frame and after two hours
/// in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Between heartbeats.
    pub heartbeat: Duration,
    /// A connection older than this is replaced by a new one …
    pub planned_reconnect: Duration,
    /// … earlier by a random part of this.
    pub planned_reconnect_jitter: Duration,
    /// For the handshake, sign-in included.
    pub connect_timeout: Duration,
    /// A request without an answer for so long is repeated.
    pub answer_timeout: Duration,
    /// A connection on which requests are open and nothing at all arrives for so long is given up.
    pub silence: Duration,
    /// Waits before reconnecting and before repeating what was refused for the moment.
    pub backoff: Backoff,
    /// A connection that lasted so long starts the waits from the beginning.
    pub stable_after: Duration,
    /// A missing push may still be on its way for so long before it is asked for.
    pub gap_grace: Duration,
    /// A missing message of a super group is asked for after a random part of this more: where one is given up by its writer, all
    /// members who are online miss it in the same moment. So in groups that may have more than 5,000 members it is as many times as long.
    pub super_group_spread: Duration,
    /// With a heartbeat, a super group is asked for what is new if nothing has been heard of it for so long: its push may be lost.
    pub super_group_poll: Duration,
    /// A super group of which the server says that nothing more comes is followed for so long yet: of one that was dissolved a message may
    /// come whose sender repeats what had its number before. The first page after that ends it.
    pub super_group_closing: Duration,
    /// How long [`Client::close`](crate::Client::close) waits for what was sent to be answered.
    pub close_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_mins(4),
            planned_reconnect: Duration::from_mins(110),
            planned_reconnect_jitter: Duration::from_mins(20),
            connect_timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(10),
            silence: Duration::from_secs(25),
            backoff: Backoff {
                base: Duration::from_millis(250),
                cap: Duration::from_secs(30),
            },
            stable_after: Duration::from_mins(1),
            gap_grace: Duration::from_millis(100),
            super_group_spread: Duration::from_secs(2),
            super_group_poll: Duration::from_mins(6),
            super_group_closing: Duration::from_mins(6),
            close_timeout: Duration::from_secs(5),
        }
    }
}

/// Everything that [`Client::connect`](crate::Client::connect) needs to know.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The WebSocket URL with its stage, without a token: `wss://….amazonaws.com/prod`.
    pub url: Url,
    /// Who signs in.
    pub user_id: u64,
    /// With what.
    pub token: TokenSource,
    /// How the token travels.
    pub sign_in: SignIn,
    /// How frames are written.
    pub encoding: Encoding,
    /// Where receiving begins.
    pub start: Start,
    /// Whether messages are received at all. Without, there is no SYNC and no [`Event::Message`](crate::Event::Message), and
    /// [`Client::cursor`](crate::Client::cursor) is not to be kept: for processes that only send.
    pub receive: bool,
    /// The numbering to go on with; a new one without. Its pending message is sent first.
    pub session: Option<Session>,
    /// Keeps the numbering; without, a message that is unanswered when the process ends may be lost or, if the app sends it
    /// again, doubled.
    pub session_store: Option<Arc<dyn SessionStore>>,
    /// The cursor of each super group, as [`Event::GroupCursor`](crate::Event::GroupCursor) and
    /// [`Event::GroupMessage`](crate::Event::GroupMessage) told: group to conversation seq.
    pub super_groups: BTreeMap<u64, u64>,
    /// Where the logs of super groups ended, as [`Event::GroupEnded`](crate::Event::GroupEnded) told: what the inbox tells of them late is
    /// then known to be old.
    pub ended_groups: BTreeMap<u64, u64>,
    /// The HTTP API, to ask once which super groups this user is in, where `start` is [`Start::Newest`] and the inbox is not read from
    /// its beginning: a group of which neither a cursor nor the inbox tells then begins so many messages before its end. Who goes on after a
    /// cursor needs no list: of each group the inbox tells, or has told when that cursor was kept, and the group's own with it. So an app that began with
    /// the newest keeps its cursors from [`Event::GroupsCaughtUp`](crate::Event::GroupsCaughtUp) on, which waits for the list.
    ///
    /// It is asked too, once on a connection, where a group has pushed for a minute of which the inbox does not tell: a copy may be lost.
    pub http_url: Option<Url>,
    /// Messages that may wait to be sent; [`Client::send`](crate::Client::send) waits when it is full.
    pub send_queue: usize,
    /// Events that may wait to be read. When it is full, receiving pauses: nothing is lost, SYNC brings it later.
    pub event_queue: usize,
    /// Times.
    pub timing: Timing,
    /// How the byte stream under the WebSocket is opened; tests put a scripted peer here.
    pub(crate) dial: Dial,
    /// Lists groups in place of `http_url`; tests put their own here.
    pub(crate) lister: Option<Lister>,
}

/// Asks which groups the user is in.
pub(crate) type Lister = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<Group>, BoxError>> + Send + Sync>;

impl ConnectOptions {
    /// Defaults: token in the query, protobuf, everything from the start of the inbox, a new session.
    pub fn new(url: Url, user_id: u64, token: TokenSource) -> Self {
        Self {
            url,
            user_id,
            token,
            sign_in: SignIn::default(),
            encoding: Encoding::Protobuf,
            start: Start::After(0),
            receive: true,
            session: None,
            session_store: None,
            super_groups: BTreeMap::new(),
            ended_groups: BTreeMap::new(),
            http_url: None,
            send_queue: 256,
            event_queue: 1024,
            timing: Timing::default(),
            dial: crate::socket::dial_tcp(),
            lister: None,
        }
    }

    /// How to learn which groups the user is in, where there is a way.
    pub(crate) fn lister(&self) -> Option<Lister> {
        let by_http = || {
            let (api, token) = (Api::new(self.http_url.clone()?), self.token.clone());
            Some(list_by(api, token))
        };
        self.lister.clone().or_else(by_http)
    }
}

/// Lists groups by the HTTP API, all pages.
fn list_by(api: Api, token: TokenSource) -> Lister {
    Arc::new(move || {
        let (api, token) = (api.clone(), token.clone());
        Box::pin(async move {
            let token = token.get(TokenRequest::Current).await?;
            let api = api.with_token(token.unwrap_or_default());
            let (mut groups, mut after) = (Vec::new(), Some(0));
            while let Some(from) = after {
                let page = api.groups(from).await?;
                groups.extend(page.groups);
                after = page.next.filter(|next| *next > from);
            }
            Ok(groups)
        })
    })
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("host", &self.url.host_str())
            .field("user_id", &self.user_id)
            .field("token", &self.token)
            .field("sign_in", &self.sign_in)
            .field("encoding", &self.encoding)
            .field("start", &self.start)
            .field("receive", &self.receive)
            .finish_non_exhaustive()
    }
}
