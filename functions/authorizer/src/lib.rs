//! Lambda authorizer of `$connect`: checks the token, and names the caller to every later event of
//! the connection.
//!
//! The token comes in the query (`?token=`) or, for browsers, in the list of subprotocols. The
//! query may also have `platform` and `device_id`: a token of another platform or device is then
//! refused with 403. A missing, invalid or expired token is refused with 401. If the deployment
//! allows it, a connection without a token opens without a caller, and signs in with a LOGIN frame.
//! If the keys cannot be read the function fails, which is a 500: the client tries again.

use aws_lambda_events::apigw::ApiGatewayCustomAuthorizerRequestTypeRequest as Event;
use serde_json::Value;
use wigwag_domain::DeviceKey;
use wigwag_edge::caller::policy;
use wigwag_edge::{Caller, Claims, ConfigError, Error, Keys, VerifyError, clients, config};
use wigwag_protocol::encoding::Offer;

/// The state that the function keeps between events.
#[derive(Debug)]
pub struct State {
    /// The keys that check tokens.
    pub keys: Keys,
    /// Whether a connection without a token may open, and sign in with a LOGIN frame.
    pub allow_login_frame: bool,
}

impl State {
    /// From the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            keys: clients::token_keys()?,
            allow_login_frame: config::allow_login_frame()?,
        })
    }
}

/// API Gateway turns an error with exactly this text into a 401.
#[derive(Debug, thiserror::Error)]
#[error("Unauthorized")]
pub struct Unauthorized;

/// Answers with a policy: the caller, and whether they may connect.
///
/// # Errors
/// [`Unauthorized`], or the keys could not be read.
pub async fn handle(state: &State, event: &Event, now_ms: i64) -> Result<Value, Error> {
    let Some(token) = token(event) else {
        return without_token(state, event);
    };
    match state.keys.verify(token, now_ms).await {
        Ok(claims) => Ok(with_claims(event, &claims)),
        Err(VerifyError::Refused(error)) => {
            tracing::info!(%error, "refused a connection");
            Err(Unauthorized.into())
        }
        Err(VerifyError::Keys(error)) => {
            error.log();
            Err(error.into())
        }
    }
}

fn without_token(state: &State, event: &Event) -> Result<Value, Error> {
    if state.allow_login_frame {
        Ok(policy("anonymous", "Allow", method_arn(event), Value::Null))
    } else {
        Err(Unauthorized.into())
    }
}

fn with_claims(event: &Event, claims: &Claims) -> Value {
    let principal = claims.user.to_string();
    if names_another(event, claims) {
        tracing::info!(user.id = claims.user.0, "refused a token of another platform or device");
        return policy(&principal, "Deny", method_arn(event), Value::Null);
    }
    policy(
        &principal,
        "Allow",
        method_arn(event),
        Caller::from(claims).to_context(),
    )
}

/// AWS always names it. A policy for an empty name opens nothing.
fn method_arn(event: &Event) -> &str {
    event.method_arn.as_deref().unwrap_or_default()
}

fn token(event: &Event) -> Option<&str> {
    let in_query = event.query_string_parameters.first("token");
    in_query.or_else(|| Offer::parse(event.headers.get("sec-websocket-protocol")?.to_str().ok()?).token)
}

/// Whether the query names another platform or device than the token.
fn names_another(event: &Event, claims: &Claims) -> bool {
    let query = &event.query_string_parameters;
    let platform = query
        .first("platform")
        .is_some_and(|platform| platform.parse() != Ok(claims.platform));
    let device = query
        .first("device_id")
        .is_some_and(|id| DeviceKey::derive(claims.platform, id) != claims.device);
    platform || device
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wigwag_domain::UserId;
    use wigwag_edge::TokenKeys;

    fn keys() -> TokenKeys {
        TokenKeys::new(&"k".repeat(32), "").unwrap()
    }

    fn state(allow_login_frame: bool) -> State {
        State {
            keys: Keys::given(keys()),
            allow_login_frame,
        }
    }

    fn token() -> String {
        let claims = Claims {
            user: UserId(7),
            device: DeviceKey::derive(1, "phone"),
            platform: 1,
            expires_at_s: 100,
        };
        keys().issue(&claims, 0).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
    fn event(query: Value, subprotocols: &str) -> Event {
        serde_json::from_value(json!({
            "type": "REQUEST", "methodArn": "arn:x/$connect", "headers": { "Sec-WebSocket-Protocol": subprotocols },
            "queryStringParameters": query, "requestContext": {},
        }))
        .unwrap()
    }

    async fn effect(allow_login_frame: bool, event: Event, now_ms: i64) -> String {
        match handle(&state(allow_login_frame), &event, now_ms).await {
            Ok(policy) => policy["policyDocument"]["Statement"][0]["Effect"]
                .as_str()
                .unwrap()
                .to_owned(),
            Err(error) => {
                assert_eq!(error.to_string(), "Unauthorized");
                "401".to_owned()
            }
        }
    }

    #[tokio::test]
    async fn a_token_is_taken_from_the_query_or_from_the_subprotocols() {
        for event in [
            event(json!({ "token": token() }), ""),
            event(json!({}), &format!("wigwag.pb.v1, wigwag.token.{}", token())),
        ] {
            let answer = handle(&state(false), &event, 50_000).await.unwrap();
            assert_eq!(
                answer["context"],
                json!({ "user": "7", "device": DeviceKey::derive(1, "phone").as_str(), "platform": "1" })
            );
            assert_eq!(answer["policyDocument"]["Statement"][0]["Resource"], "arn:x/$connect");
        }
    }

    #[tokio::test]
    async fn no_token_a_bad_one_and_an_expired_one_are_unauthorized() {
        assert_eq!(effect(false, event(json!({}), ""), 50_000).await, "401");
        assert_eq!(
            effect(false, event(json!({ "token": "x.y.z" }), ""), 50_000).await,
            "401"
        );
        assert_eq!(
            effect(false, event(json!({ "token": token() }), ""), 100_000).await,
            "401"
        );
    }

    #[tokio::test]
    async fn a_token_of_another_platform_or_device_is_denied() {
        let with = |more: (&str, &str)| event(json!({ "token": token(), more.0: more.1 }), "");
        assert_eq!(effect(false, with(("platform", "2")), 0).await, "Deny");
        assert_eq!(effect(false, with(("device_id", "tablet")), 0).await, "Deny");
        assert_eq!(effect(false, with(("platform", "1")), 0).await, "Allow");
        assert_eq!(effect(false, with(("device_id", "phone")), 0).await, "Allow");
    }

    #[tokio::test]
    async fn without_a_token_a_connection_opens_only_if_login_frames_are_allowed() {
        let answer = handle(&state(true), &event(json!({}), ""), 0).await.unwrap();
        assert_eq!(
            (answer["principalId"].as_str(), &answer["context"]),
            (Some("anonymous"), &json!({}))
        );
        assert_eq!(effect(true, event(json!({ "token": "bad" }), ""), 0).await, "401");
    }
}
