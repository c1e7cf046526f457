//! Answers to requests that are refused or that fail.

use wigwag_domain::{GroupId, UserId};
use wigwag_edge::response::Response;
use wigwag_edge::{Failure, TokenError, VerifyError, groups};
use wigwag_messaging::change_group::ChangeError;
use wigwag_messaging::pull::PullError;
use wigwag_protocol::{Code, http};
use wigwag_store::{Store, StoreError};

/// A refusal on its way to the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Code,
    /// The part of the request that it is about, if the code alone does not say.
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

impl From<Failure> for ApiError {
    /// The log gets the cause; the client learns whether trying again can help.
    fn from(failure: Failure) -> Self {
        failure.log(None).into()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Refused(TokenError::Invalid) => Code::TOKEN_INVALID.into(),
            VerifyError::Refused(TokenError::Expired) => Code::TOKEN_EXPIRED.into(),
            VerifyError::Keys(error) => Failure::from(error).into(),
        }
    }
}

impl ApiError {
    /// Why a group was not changed, as far as its user may know.
    pub(crate) async fn of_group(store: &Store, group: GroupId, user: UserId, error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(code) => match groups::shown(store, group, user, code).await {
                Ok(code) => code.into(),
                Err(error) => error.into(),
            },
            ChangeError::RefusedFor(code, users) => {
                let ids: Vec<String> = users.iter().map(UserId::to_string).collect();
                let named = if ids.len() == 1 { "user" } else { "users" };
                Self::detailed(code, format!("{}: {named} {}", code.text(), ids.join(", ")))
            }
            ChangeError::Store(error) => error.into(),
        }
    }

    /// Why a group's log is not read, as far as its user may know.
    pub(crate) async fn of_pull(store: &Store, group: GroupId, user: UserId, error: PullError) -> Self {
        match error {
            PullError::NotAMember => match groups::shown(store, group, user, Code::NOT_A_MEMBER).await {
                Ok(code) => code.into(),
                Err(error) => error.into(),
            },
            PullError::Store(error) => error.into(),
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
        let failure = http::Failure {
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
