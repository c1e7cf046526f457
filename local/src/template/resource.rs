//! One entry of `Resources`, and what the local stack does with its type.

use serde_json::{Map, Value};

/// One entry of `Resources`, with the template's `Globals` merged in. Nothing in it is resolved
/// yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resource {
    /// Key under `Resources`.
    pub(super) id: String,
    /// `Type`, as written.
    pub(super) type_name: String,
    /// What the type means here.
    pub(super) kind: ResourceKind,
    /// `Properties`.
    pub(super) properties: Map<String, Value>,
    /// `Metadata`.
    pub(super) metadata: Value,
    /// `Condition`: the name of a condition.
    pub(super) condition: Option<String>,
    /// `DependsOn`: logical ids.
    pub(super) depends_on: Vec<String>,
}

/// What a resource is to the local stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResourceKind {
    /// `AWS::Serverless::Function`.
    Function,
    /// `AWS::Serverless::HttpApi`.
    HttpApi,
    /// `AWS::Serverless::SimpleTable`.
    SimpleTable,
    /// `AWS::DynamoDB::Table`.
    Table,
    /// `AWS::SecretsManager::Secret`.
    Secret,
    /// `AWS::SQS::Queue`.
    Queue,
    /// `AWS::Lambda::EventSourceMapping`.
    Mapping,
    /// `AWS::ApiGatewayV2::Api`.
    Api,
    /// `AWS::ApiGatewayV2::Stage`.
    Stage,
    /// `AWS::ApiGatewayV2::Route`.
    Route,
    /// `AWS::ApiGatewayV2::RouteResponse`.
    RouteResponse,
    /// `AWS::ApiGatewayV2::Integration`.
    Integration,
    /// `AWS::ApiGatewayV2::Authorizer`.
    Authorizer,
    /// It has no effect on this machine and is ignored.
    Ignored,
    /// The application would behave differently without it, so the template is refused.
    Refused,
}

/// The types that run, in the order of the documentation.
pub(super) const SUPPORTED: [(&str, ResourceKind); 13] = [
    ("AWS::Serverless::Function", ResourceKind::Function),
    ("AWS::Serverless::HttpApi", ResourceKind::HttpApi),
    ("AWS::Serverless::SimpleTable", ResourceKind::SimpleTable),
    ("AWS::DynamoDB::Table", ResourceKind::Table),
    ("AWS::SecretsManager::Secret", ResourceKind::Secret),
    ("AWS::SQS::Queue", ResourceKind::Queue),
    ("AWS::Lambda::EventSourceMapping", ResourceKind::Mapping),
    ("AWS::ApiGatewayV2::Api", ResourceKind::Api),
    ("AWS::ApiGatewayV2::Stage", ResourceKind::Stage),
    ("AWS::ApiGatewayV2::Route", ResourceKind::Route),
    ("AWS::ApiGatewayV2::RouteResponse", ResourceKind::RouteResponse),
    ("AWS::ApiGatewayV2::Integration", ResourceKind::Integration),
    ("AWS::ApiGatewayV2::Authorizer", ResourceKind::Authorizer),
];

/// The types without an effect on this machine: permissions, logs, alarms, names and deployment. A
/// name that ends in `::` means all types of that service.
pub(super) const IGNORED: [&str; 15] = [
    "AWS::ApiGateway::Account",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::Deployment",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApplicationInsights::",
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::CloudWatch::",
    "AWS::IAM::",
    "AWS::Lambda::Permission",
    "AWS::Logs::",
    "AWS::ResourceGroups::Group",
    "AWS::Route53::",
    "AWS::SQS::QueuePolicy",
    "AWS::XRay::",
];

impl ResourceKind {
    /// What the local stack does with a `Type`.
    pub(super) fn from_type(type_name: &str) -> Self {
        let ignored = |pattern: &&str| {
            if pattern.ends_with("::") {
                type_name.starts_with(*pattern)
            } else {
                type_name == *pattern
            }
        };
        match SUPPORTED.iter().find(|(name, _)| *name == type_name) {
            Some((_, kind)) => *kind,
            None if IGNORED.iter().any(ignored) => Self::Ignored,
            None => Self::Refused,
        }
    }
}

/// Why a type is refused.
pub(super) fn refusal(type_name: &str) -> String {
    let supported: Vec<&str> = SUPPORTED.iter().map(|(name, _)| *name).collect();
    format!("{type_name} is not supported; supported are {}", supported.join(", "))
}

/// The id of a resource: lower-case letters and digits. AWS draws one; here it depends on the
/// logical id only.
pub(super) fn physical_id(logical_id: &str, length: usize) -> String {
    const DIGITS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut rest = fnv1a(logical_id.as_bytes());
    std::iter::repeat_with(|| {
        let digit = DIGITS[usize::try_from(rest % 36).unwrap_or_default()];
        rest /= 36;
        char::from(digit)
    })
    .take(length)
    .collect()
}

/// FNV-1a: a hash that is the same in every release of Rust.
/// <http://www.isthe.com/chongo/tech/comp/fnv/>
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_run_ignored_or_refused() {
        assert_eq!(ResourceKind::from_type("AWS::DynamoDB::Table"), ResourceKind::Table);
        assert_eq!(ResourceKind::from_type("AWS::IAM::Role"), ResourceKind::Ignored);
        assert_eq!(
            ResourceKind::from_type("AWS::Lambda::Permission"),
            ResourceKind::Ignored
        );
        assert_eq!(ResourceKind::from_type("AWS::S3::Bucket"), ResourceKind::Refused);
    }

    #[test]
    fn an_id_is_ten_lower_case_letters_and_digits_and_stays_the_same() {
        let id = physical_id("WebSocketApi", 10);
        assert_eq!(id.len(), 10);
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        );
        assert_eq!(id, physical_id("WebSocketApi", 10));
        assert_ne!(id, physical_id("HttpApi", 10));
    }
}
