//! The settings of a connection and their defaults.

use crate::api::Api;
use crate::backoff::Backoff;
use crate::error::BoxError;
use crate::session::Session;
use crate::socket::Dial;
use crate::token::{TokenRequest, TokenSource};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use url::Url;
use wigwag_protocol::Encoding;
use wigwag_protocol::http::Group;

/// How the token is sent to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SignIn {
    /// `?token=` in the URL.
    #[default]
    Query,
    /// In the `Sec-WebSocket-Protocol` list.
    Subprotocol,
    /// In a LOGIN frame after the connection opened without a token. Works only if the deployment
    /// allows it.
    LoginFrame,
}

/// Where receiving starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// After this seq of the inbox: the cursor that the app stored, or 0 for everything.
    After(u64),
    /// With about this many of the newest messages. 0 means only new ones.
    Newest(u64),
}

/// Stores the numbering of messages, so that it outlives the process.
pub trait SessionStore: Send + Sync {
    /// Saves durably. Called on a blocking thread before a message is transmitted under a new
    /// number, and after it is settled.
    ///
    /// # Errors
    /// An error before transmitting fails that message with
    /// [`SendError::NotSaved`](crate::SendError::NotSaved).
    fn save(&self, session: &Session) -> io::Result<()>;
}

/// Durations. The defaults fit API Gateway, which closes a connection after ten minutes without a
/// frame and after two hours in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Interval between heartbeats.
    pub heartbeat: Duration,
    /// Age at which a connection is replaced by a new one …
    pub planned_reconnect: Duration,
    /// … earlier by a random part of this.
    pub planned_reconnect_jitter: Duration,
    /// Limit for the handshake, including the sign-in.
    pub connect_timeout: Duration,
    /// A request that is not answered within this time is repeated.
    pub answer_timeout: Duration,
    /// A connection is given up if requests are open and nothing arrives for this long.
    pub silence: Duration,
    /// Pauses before reconnecting and before repeating what the server refused temporarily.
    pub backoff: Backoff,
    /// After a connection that lasted this long, the pauses start from the beginning.
    pub stable_after: Duration,
    /// How long to wait for a missing push before asking for it.
    pub gap_grace: Duration,
    /// A missing message of a super group is asked for after an additional random part of this.
    ///
    /// If a writer gives up, all online members miss the same message at once. So the time is
    /// multiplied in groups that may have more than 5,000 members.
    pub super_group_spread: Duration,
    /// A super group that was quiet for this long is asked for news with the next heartbeat,
    /// because its last push may be lost.
    pub super_group_poll: Duration,
    /// How long a super group is still followed after the server says that it has ended.
    ///
    /// In a dissolved group, a message whose number was assigned earlier may still be completed by
    /// a repeat. The first page after this time ends the group.
    pub super_group_closing: Duration,
    /// How long [`Client::close`](crate::Client::close) waits for answers to sent messages.
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

/// Everything that [`Client::connect`](crate::Client::connect) needs.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// WebSocket URL with its stage, without a token: `wss://….amazonaws.com/prod`.
    pub url: Url,
    /// The user who signs in.
    pub user_id: u64,
    /// The token to sign in with.
    pub token: TokenSource,
    /// How the token is sent.
    pub sign_in: SignIn,
    /// How frames are encoded.
    pub encoding: Encoding,
    /// Where receiving starts.
    pub start: Start,
    /// Whether to receive messages at all.
    ///
    /// If not, there is no SYNC and no [`Event::Message`](crate::Event::Message), and the app must
    /// not store [`Client::cursor`](crate::Client::cursor). For processes that only send.
    pub receive: bool,
    /// The numbering to continue, or `None` to start a new one. Its pending message is sent first.
    pub session: Option<Session>,
    /// Stores the numbering. Without a store, a message that is unanswered when the process ends
    /// may be lost, or doubled if the app sends it again.
    pub session_store: Option<Arc<dyn SessionStore>>,
    /// The stored cursor of each super group: group id to conversation seq. See
    /// [`Event::GroupCursor`](crate::Event::GroupCursor) and
    /// [`Event::GroupMessage`](crate::Event::GroupMessage).
    pub super_groups: BTreeMap<u64, u64>,
    /// The last seq of super groups that ended: group id to conversation seq. See
    /// [`Event::GroupEnded`](crate::Event::GroupEnded). Late inbox copies from before that seq are
    /// then recognised as old.
    pub ended_groups: BTreeMap<u64, u64>,
    /// URL of the HTTP API, used to list the user's super groups.
    ///
    /// With [`Start::Newest`] the list is read once, and a super group that nothing else mentions
    /// begins that many messages before its end. Such an app stores its cursors only from
    /// [`Event::GroupsCaughtUp`](crate::Event::GroupsCaughtUp) on, which waits for the list. With
    /// [`Start::After`] the inbox announces every group.
    ///
    /// The list is also read, at most once per connection, if a group has pushed for a minute
    /// without being announced by the inbox: the announcement may be lost.
    pub http_url: Option<Url>,
    /// Capacity of the send queue, in messages. If it is full,
    /// [`Client::send`](crate::Client::send) waits.
    pub send_queue: usize,
    /// Capacity of the event queue. If it is full, receiving pauses. Nothing is lost: SYNC brings
    /// it later.
    pub event_queue: usize,
    /// Durations.
    pub timing: Timing,
    /// Opens the byte stream under the WebSocket. Tests insert a scripted peer.
    pub(crate) dial: Dial,
    /// Lists groups instead of `http_url`, for tests.
    pub(crate) lister: Option<ListGroups>,
}

/// Lists the groups that the user is a member of.
pub(crate) type ListGroups = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<Group>, BoxError>> + Send + Sync>;

impl ConnectOptions {
    /// The default options: token in the query, protobuf, everything from the start of the inbox, a
    /// new session.
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

    /// How to list the user's groups, if that is possible.
    pub(crate) fn lister(&self) -> Option<ListGroups> {
        let by_http = || {
            let (api, token) = (Api::new(self.http_url.clone()?), self.token.clone());
            Some(list_over_http(api, token))
        };
        self.lister.clone().or_else(by_http)
    }
}

/// Lists groups over the HTTP API, all pages.
fn list_over_http(api: Api, token: TokenSource) -> ListGroups {
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
