//! The answer of a Lambda authorizer: its IAM policy and its context.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>

use serde_json::{Map, Value};

/// The only action that an authorizer can allow or deny.
const ACTION: &str = "execute-api:Invoke";

/// What an authorizer decided.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decision {
    /// Allowed, with `principalId` and the context. Every value is a string, as functions get them.
    Allow(Map<String, Value>),
    /// Denied by a statement, or not allowed by any.
    Deny,
}

/// Reads the answer. `None` if it is malformed, which is a mistake of the function and not of the
/// client.
pub(super) fn decide(answer: &Value, method_arn: &str) -> Option<Decision> {
    let principal = answer.get("principalId")?.as_str()?;
    let mut said = Map::from_iter([("principalId".to_owned(), Value::from(principal))]);
    match answer.get("context") {
        None | Some(Value::Null) => {}
        Some(Value::Object(context)) => {
            for (name, value) in context {
                said.insert(name.clone(), Value::String(scalar(value)?));
            }
        }
        Some(_) => return None,
    }
    let statements = match answer.get("policyDocument")?.get("Statement")? {
        Value::Array(statements) => statements.iter().collect(),
        statement @ Value::Object(_) => vec![statement],
        _ => return None,
    };
    let mut allowed = false;
    for statement in statements {
        let effect = statement.get("Effect")?.as_str()?;
        let action = matches_any(statement.get("Action")?, ACTION, true)?;
        let resource = matches_any(statement.get("Resource")?, method_arn, false)?;
        match effect {
            "Deny" if action && resource => return Some(Decision::Deny),
            "Allow" => allowed = allowed || (action && resource),
            "Deny" => {}
            _ => return None,
        }
    }
    Some(if allowed { Decision::Allow(said) } else { Decision::Deny })
}

/// A context value as a string; `None` if it is nested.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether one of the patterns (a string or a list of strings) matches.
fn matches_any(patterns: &Value, text: &str, ignore_case: bool) -> Option<bool> {
    let fits = |pattern: &str| {
        if ignore_case {
            matches(
                pattern.to_ascii_lowercase().as_bytes(),
                text.to_ascii_lowercase().as_bytes(),
            )
        } else {
            matches(pattern.as_bytes(), text.as_bytes())
        }
    };
    match patterns {
        Value::String(pattern) => Some(fits(pattern)),
        Value::Array(patterns) => patterns
            .iter()
            .try_fold(false, |any, one| Some(any || fits(one.as_str()?))),
        _ => None,
    }
}

/// IAM's wildcards: `*` matches any run of characters, `?` matches one.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((starred, taken)) = star else { return false };
                star = Some((starred, taken + 1));
                (at, from) = (starred + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:abc/prod/$connect";

    fn answer(effect: &str, action: &str, resource: &Value) -> Value {
        let statement = json!({"Action": action, "Effect": effect, "Resource": resource});
        json!({"principalId": "me", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}})
    }

    fn is_allowed(answer: &Value) -> bool {
        matches!(decide(answer, ARN), Some(Decision::Allow(_)))
    }

    #[test]
    fn resources_and_actions_may_have_wildcards() {
        for resource in [ARN, "*", "arn:aws:execute-api:*:*:abc/*", "arn:*/prod/$conne?t"] {
            assert!(
                is_allowed(&answer("Allow", "execute-api:Invoke", &json!(resource))),
                "{resource}"
            );
        }
        for action in ["execute-api:*", "*", "execute-api:invoke"] {
            assert!(
                is_allowed(&answer("Allow", action, &json!(["nothing", ARN]))),
                "{action}"
            );
        }
    }

    /// The definition of the wildcards: slow, but plain.
    fn matches_by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| matches_by_definition(rest, &text[taken..])),
            ([first, pattern @ ..], [byte, text @ ..]) => {
                (*first == b'?' || first == byte) && matches_by_definition(pattern, text)
            }
            (_, []) => false,
        }
    }

    proptest::proptest! {
        #[test]
        fn wildcards_match_what_their_definition_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            proptest::prop_assert_eq!(matches(pattern, text), matches_by_definition(pattern, text));
        }
    }

    #[test]
    fn a_request_that_no_statement_allows_is_denied() {
        for resource in [
            "arn:aws:execute-api:us-east-1:000000000000:abc/test/$connect",
            "arn:*:xyz/*",
            "",
        ] {
            assert_eq!(
                decide(&answer("Allow", "execute-api:Invoke", &json!(resource)), ARN),
                Some(Decision::Deny)
            );
        }
        assert_eq!(
            decide(&answer("Allow", "s3:GetObject", &json!("*")), ARN),
            Some(Decision::Deny)
        );
    }

    #[test]
    fn a_denial_wins_over_an_allowance() {
        let mut both = answer("Allow", "*", &json!("*"));
        let denial = json!({"Action": "*", "Effect": "Deny", "Resource": ARN});
        both["policyDocument"]["Statement"].as_array_mut().unwrap().push(denial);
        assert_eq!(decide(&both, ARN), Some(Decision::Deny));
    }

    #[test]
    fn context_values_arrive_as_strings() {
        let mut answer = answer("Allow", "*", &json!("*"));
        answer["context"] = json!({"text": "t", "number": 12, "flag": true});
        let Some(Decision::Allow(said)) = decide(&answer, ARN) else {
            panic!("not allowed")
        };
        assert_eq!(
            Value::Object(said),
            json!({"principalId": "me", "text": "t", "number": "12", "flag": "true"})
        );
    }

    #[test]
    fn an_answer_that_is_no_policy_is_malformed() {
        let mut nested = answer("Allow", "*", &json!("*"));
        nested["context"] = json!({"list": [1]});
        let mut nobody = answer("Allow", "*", &json!("*"));
        nobody["principalId"] = json!(7);
        let odd = answer("Perhaps", "*", &json!("*"));
        for malformed in [
            json!(null),
            json!("ok"),
            json!({"principalId": "me"}),
            nested,
            nobody,
            odd,
        ] {
            assert_eq!(decide(&malformed, ARN), None, "{malformed}");
        }
    }
}
