//! The caller: the context that the authorizer returned at `$connect`, which every later event of
//! the connection has.

use crate::token::Claims;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_store::directory::SignedIn;

/// A signed-in device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceKey,
    /// Kind of device, 1 to 11.
    pub platform: u8,
}

const USER: &str = "user";
const DEVICE: &str = "device";
const PLATFORM: &str = "platform";

impl Caller {
    /// The context that the authorizer answers with. API Gateway turns every value into a string on
    /// its way.
    pub fn to_context(&self) -> Value {
        json!({ USER: self.user.to_string(), DEVICE: self.device.as_str(), PLATFORM: self.platform.to_string() })
    }

    /// Reads the context back from an event; `None` if the connection opened without a token.
    pub fn from_context(context: &HashMap<String, Value>) -> Option<Self> {
        Self::read(|name| context.get(name).map(plain))
    }

    /// The row that is stored for a caller who signed in with a LOGIN frame.
    pub fn to_signed_in(&self) -> SignedIn {
        SignedIn {
            user_id: self.user,
            device: self.device.as_str().to_owned(),
            platform: self.platform,
        }
    }

    /// Reads that row.
    pub fn from_signed_in(who: &SignedIn) -> Option<Self> {
        let device = DeviceKey::from_key(&who.device)?;
        Some(Self {
            user: who.user_id,
            device,
            platform: who.platform,
        })
    }

    fn read(value: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            user: value(USER)?.parse().ok()?,
            device: DeviceKey::from_key(&value(DEVICE)?)?,
            platform: value(PLATFORM)?.parse().ok()?,
        })
    }
}

impl From<&Claims> for Caller {
    fn from(claims: &Claims) -> Self {
        Self {
            user: claims.user,
            device: claims.device.clone(),
            platform: claims.platform,
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The answer of a Lambda authorizer to `$connect`.
pub fn policy(principal: &str, effect: &str, method_arn: &str, context: Value) -> Value {
    let context = if context.is_object() {
        context
    } else {
        Value::Object(Map::new())
    };
    json!({
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": method_arn }],
        },
        "context": context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_read_from_the_context_it_was_written_to() {
        let caller = Caller {
            user: UserId(7),
            device: DeviceKey::derive(1, "phone"),
            platform: 1,
        };
        let Value::Object(context) = caller.to_context() else {
            panic!("not an object")
        };
        let mut context: HashMap<String, Value> = context.into_iter().collect();
        context.insert("principalId".to_owned(), json!("7"));
        assert_eq!(Caller::from_context(&context), Some(caller));
        assert_eq!(Caller::from_context(&HashMap::new()), None);
    }
}
