//! The ports of a stack, all on 127.0.0.1.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::{StackOptions, StackStartError};
use crate::template;

/// The three ports, bound.
pub(super) struct Ports {
    pub(super) websocket: Port,
    pub(super) http: Port,
    pub(super) aws: Port,
}

/// One of them.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    address: SocketAddr,
}

impl Ports {
    /// Binds the ports that the options name.
    pub(super) async fn take(options: &StackOptions) -> Result<Self, StackStartError> {
        Ok(Self {
            websocket: Port::take(options.websocket_port, "--websocket-port").await?,
            http: Port::take(options.http_port, "--http-port").await?,
            aws: Port::take(options.aws_port, "--aws-port").await?,
        })
    }

    /// The URL for clients of the WebSocket APIs.
    pub(super) fn websocket_url(&self, stack: &template::Stack) -> String {
        match stack.websocket_apis.as_slice() {
            [api] => format!("ws://{}/{}", self.websocket.address, api.stage),
            _ => format!("ws://{}", self.websocket.address),
        }
    }

    /// The URL for clients of the HTTP APIs.
    pub(super) fn http_url(&self, stack: &template::Stack) -> String {
        match stack.http_apis.as_slice() {
            [api] if api.stage != "$default" => format!("{}/{}", self.http.url(), api.stage),
            _ => self.http.url(),
        }
    }
}

impl Port {
    async fn take(port: u16, flag: &'static str) -> Result<Self, StackStartError> {
        let take = async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            Ok(Self {
                address: listener.local_addr()?,
                listener,
            })
        };
        take.await
            .map_err(|source| StackStartError::Port { port, flag, source })
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
