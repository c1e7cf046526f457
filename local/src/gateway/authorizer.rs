//! Asks a REQUEST authorizer about a handshake. WebSocket APIs never cache its answers, so neither
//! does this.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Map, Value};

use super::connections::Connection;
use super::event::{self, Handshake};
use super::policy::{self, Decision};
use super::{GatewayState, INTEGRATION_LIMIT, Unanswered};
use crate::lambda::InvokeError;
use crate::template::model::Authorizer;

/// A client that the authorizer lets in.
#[derive(Debug)]
pub(super) struct Allowed {
    /// Becomes `requestContext.authorizer` of all events of the connection.
    pub(super) said: Map<String, Value>,
    /// How long the authorizer took.
    pub(super) took: Duration,
}

/// Asks the authorizer. A refusal says with which status and message.
pub(super) async fn ask(
    authorizer: &Authorizer,
    shared: &GatewayState,
    connection: &Connection,
    handshake: &Handshake,
) -> Result<Allowed, (StatusCode, &'static str)> {
    let unauthorized = (StatusCode::UNAUTHORIZED, "Unauthorized");
    let broken = (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");
    if !authorizer
        .identity_sources
        .iter()
        .all(|source| is_present(source, handshake))
    {
        return Err(unauthorized);
    }
    let began = Instant::now();
    let event = event::authorize(connection, handshake);
    match shared.invoke(&authorizer.function, &event, INTEGRATION_LIMIT).await {
        Ok(answer) => match policy::decide(&answer, &event::method_arn(connection)) {
            Some(Decision::Allow(said)) => Ok(Allowed {
                said,
                took: began.elapsed(),
            }),
            Some(Decision::Deny) => Err((StatusCode::FORBIDDEN, "Forbidden")),
            None => {
                tracing::warn!(
                    function = authorizer.function,
                    "the authorizer's answer is not a policy"
                );
                Err(broken)
            }
        },
        Err(Unanswered::Failed(InvokeError::Function { message, .. })) if message == "Unauthorized" => {
            Err(unauthorized)
        }
        Err(error) => {
            tracing::warn!(function = authorizer.function, %error, "the authorizer failed");
            Err(broken)
        }
    }
}

/// Whether the handshake has a non-empty value for the identity source.
fn is_present(source: &str, handshake: &Handshake) -> bool {
    let value = if let Some(name) = source.strip_prefix("route.request.header.") {
        handshake.header(name)
    } else if let Some(name) = source.strip_prefix("route.request.querystring.") {
        handshake.parameter(name)
    } else {
        // The stack has no stage variables, and the context is always there.
        return source.starts_with("context.");
    };
    value.is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_source_must_be_there_and_not_empty() {
        let pairs = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let handshake = Handshake {
            headers: pairs(&[("Auth", "a")]),
            query: pairs(&[("Name", "n"), ("empty", "")]),
        };
        for present in [
            "route.request.header.auth",
            "route.request.querystring.Name",
            "context.identity.sourceIp",
        ] {
            assert!(is_present(present, &handshake), "{present}");
        }
        let absent = [
            "route.request.header.other",
            "route.request.querystring.name",
            "route.request.querystring.empty",
        ];
        for absent in absent.into_iter().chain(["stageVariables.x"]) {
            assert!(!is_present(absent, &handshake), "{absent}");
        }
    }
}
