//! A connection to be opened: its token, its query and its subprotocols.

use crate::Device;
use anyhow::{Result, bail};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use wigwag_protocol::Encoding;

/// A socket to the stack.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection to be opened.
#[derive(Debug, Clone)]
pub struct Dial {
    url: String,
    query: Vec<(String, String)>,
    subprotocols: Option<String>,
}

impl Dial {
    /// To this URL.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            query: Vec::new(),
            subprotocols: None,
        }
    }

    /// With the token in the query.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.query("token", token)
    }

    /// With something in the query.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this value of `Sec-WebSocket-Protocol`.
    #[must_use]
    pub fn subprotocols(mut self, names: &str) -> Self {
        self.subprotocols = Some(names.to_owned());
        self
    }

    /// Opens the socket.
    pub async fn connect(self) -> Result<Device> {
        let encoding = match self.subprotocols.as_deref() {
            Some(names) if names.contains("wigwag.pb.v1") => Encoding::Protobuf,
            _ => Encoding::Json,
        };
        let (socket, subprotocol) = self.open().await?;
        Ok(Device::new(socket, encoding, subprotocol))
    }

    /// Tries to open a socket that must be refused; returns the status of the refusal.
    pub async fn refused(self) -> Result<u16> {
        match self.open().await {
            Ok(_) => bail!("the connection was accepted"),
            Err(error) => match error.downcast_ref::<Error>() {
                Some(Error::Http(response)) => Ok(response.status().as_u16()),
                _ => Err(error),
            },
        }
    }

    async fn open(self) -> Result<(Socket, Option<String>)> {
        let mut url = url::Url::parse(&self.url)?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut request = url.as_str().into_client_request()?;
        if let Some(names) = &self.subprotocols {
            request.headers_mut().insert("sec-websocket-protocol", names.parse()?);
        }
        let (socket, response) = connect_async(request).await?;
        let chosen = response
            .headers()
            .get("sec-websocket-protocol")
            .and_then(|name| name.to_str().ok());
        Ok((socket, chosen.map(str::to_owned)))
    }
}
