//! What is answered when something is refused or fails.

use wigwag_edge::response::Response;
use wigwag_edge::{KeyError, groups};
use wigwag_protocol::Code;
use wigwag_protocol::http::Failure;
use wigwag_store::groups::ChangeError;
use wigwag_store::{GroupId, Store, StoreError, UserId};

/// A refusal on its way to the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    /// Which part of the request it is about, where the code alone does not say.
    pub(crate) detail: Option<String>,
    pub(crate) retry_after_s: Option<u64>,
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            retry_after_s: None,
        }
    }
}

impl From<StoreError> for ApiError {
    /// The log learns what broke; the client, that trying again can help.
    fn from(error: StoreError) -> Self {
        let cause = &error as &dyn std::error::Error;
        if matches!(error, StoreError::Throttled { .. }) {
            tracing::warn!(error = cause, "a request met too many others");
            return Code::BUSY.into();
        }
        tracing::error!(error = cause, "a request failed");
        Code::INTERNAL.into()
    }
}

impl From<KeyError> for ApiError {
    /// The same. Not a refusal of the token: it may be good.
    fn from(error: KeyError) -> Self {
        error.log();
        if matches!(error, KeyError::NotYet) {
            Code::BUSY.into()
        } else {
            Code::INTERNAL.into()
        }
    }
}

impl ApiError {
    /// What a user may learn of why a group was not changed, or read.
    pub(crate) async fn of_group(store: &Store, group: GroupId, user: UserId, error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(code) => match groups::shown(store, group, user, code).await {
                Ok(code) => code.into(),
                Err(error) => error.into(),
            },
            ChangeError::RefusedFor(code, users) => {
                let ids: Vec<String> = users.iter().map(u64::to_string).collect();
                let named = if ids.len() == 1 { "user" } else { "users" };
                Self::detailed(code, format!("{}: {named} {}", code.text(), ids.join(", ")))
            }
            ChangeError::Store(error) => error.into(),
            _ => Code::INTERNAL.into(),
        }
    }

    pub(crate) fn detailed(code: Code, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..code.into()
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let text = self.detail.as_deref().unwrap_or(self.code.text());
        let failure = Failure {
            code: self.code.number(),
            message: format!("{}: {text}", self.code.name()),
            retryable: self.code.is_retryable(),
            retry_after_s: self.retry_after_s,
        };
        let body = serde_json::to_string(&failure).expect("a failure has string keys and whole numbers only");
        let response = Response::with_body(self.code.http_status(), body).header("content-type", "application/json");
        match self.retry_after_s {
            Some(seconds) => response.header("retry-after", seconds.to_string()),
            None => response,
        }
    }
}
