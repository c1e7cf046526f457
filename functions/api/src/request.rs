//! Reading a request: body, query, path, and the caller.

use crate::failure::ApiError;
use crate::state::State;
use aws_lambda_events::apigw::ApiGatewayV2httpRequest as Event;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::str::FromStr;
use wigwag_edge::{Claims, telemetry};
use wigwag_protocol::Code;
use wigwag_protocol::limits::{HTTP_BODY_BYTES, MAX_INTEGER};

/// A request and what is needed to answer it.
pub(crate) struct Request<'a> {
    pub(crate) state: &'a State,
    pub(crate) event: &'a Event,
    pub(crate) now_ms: i64,
}

impl Request<'_> {
    /// The JSON body.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let text = self.event.body.as_deref().unwrap_or_default();
        let body = if self.event.is_base64_encoded {
            // A body whose Content-Type API Gateway does not take for text, such as that of curl
            // with `-d`.
            let decoded = STANDARD.decode(text);
            Cow::Owned(decoded.map_err(|_| ApiError::detailed(Code::MALFORMED_FRAME, "the body is not base64"))?)
        } else {
            Cow::Borrowed(text.as_bytes())
        };
        if body.len() > HTTP_BODY_BYTES {
            return Err(Code::BODY_TOO_LARGE.into());
        }
        serde_json::from_slice(&body).map_err(|error| {
            let what = if error.is_data() {
                "the body lacks a field, or one has the wrong type"
            } else {
                "the body is not JSON"
            };
            ApiError::detailed(
                Code::MALFORMED_FRAME,
                format!("{what} (line {}, column {})", error.line(), error.column()),
            )
        })
    }

    /// An id in the path.
    pub(crate) fn path_id(&self, name: &str) -> Result<u64, ApiError> {
        id(
            name,
            self.event
                .path_parameters
                .get(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
        )
    }

    /// An id in the query.
    pub(crate) fn query_id(&self, name: &str) -> Result<u64, ApiError> {
        id(name, self.query(name, 0)?)
    }

    /// A value in the query; `default` if it is absent.
    pub(crate) fn query<T: FromStr>(&self, name: &str, default: T) -> Result<T, ApiError> {
        match self.event.query_string_parameters.first(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| ApiError::detailed(Code::INVALID_FIELD, format!("{name} cannot be read"))),
        }
    }

    /// The caller, by the token in the `Authorization` header.
    pub(crate) async fn caller(&self) -> Result<Claims, ApiError> {
        let header = self
            .event
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let token = header.and_then(bearer).ok_or(Code::NOT_SIGNED_IN)?;
        let claims = self.state.keys.verify(token, self.now_ms).await?;
        telemetry::sent_by(claims.user);
        Ok(claims)
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Checks that a number can be an id.
pub(crate) fn id(name: &str, id: u64) -> Result<u64, ApiError> {
    if (1..=MAX_INTEGER).contains(&id) {
        Ok(id)
    } else {
        Err(ApiError::detailed(Code::INVALID_FIELD, format!("{name} is not an id")))
    }
}

/// Whether a name of at most this many characters can be shown.
pub(crate) fn is_name(name: &str, most_chars: usize) -> bool {
    (1..=most_chars).contains(&name.chars().count()) && !name.chars().any(char::is_control) && !name.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_shown() {
        assert!(is_name("Ada", 64) && is_name("小明", 2));
        assert!(!is_name("", 64) && !is_name("  ", 64) && !is_name("a\nb", 64) && !is_name(&"x".repeat(65), 64));
    }
}
