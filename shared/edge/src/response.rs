//! Answers of functions behind API Gateway's Lambda proxy integration.

use serde::Serialize;
use std::collections::BTreeMap;

/// A proxy response. For a WebSocket route with a route response, `body` is the frame that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// HTTP status. It has a meaning for `$connect` and the HTTP API; on other routes the socket
    /// never sees it.
    pub status_code: u16,
    /// Headers by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body, or frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Response {
    /// An answer without a body.
    pub fn status(status_code: u16) -> Self {
        Self {
            status_code,
            ..Self::default()
        }
    }

    /// An answer with a body, or a frame.
    pub fn with_body(status_code: u16, body: String) -> Self {
        Self {
            status_code,
            body: Some(body),
            ..Self::default()
        }
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }
}
