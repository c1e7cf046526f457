//! The access logs of the two APIs.
use super::metrics::text;
use anyhow::{Context as _, Result};
use serde_json::{Map, Value};
use wigwag_cluster::{resources, resources_of_type};

/// The variables that an access log may contain. None of them can contain a token, a phone number
/// or an address.
const LOGGED: [&str; 16] = [
    "$context.authorizer.error",
    "$context.authorizer.user",
    "$context.connectionId",
    "$context.error.message",
    "$context.eventType",
    "$context.integration.error",
    "$context.integration.requestId",
    "$context.integration.status",
    "$context.integrationLatency",
    "$context.messageId",
    "$context.requestId",
    "$context.requestTime",
    "$context.responseLatency",
    "$context.routeKey",
    "$context.stage",
    "$context.status",
];

#[test]
fn access_logs_are_json_with_permitted_variables_only() -> Result<()> {
    let format = |stage: &Value| -> Result<Option<String>> {
        let settings = &stage["AccessLogSettings"];
        if settings.is_null() {
            return Ok(None);
        }
        let line: Map<String, Value> = serde_json::from_str(&text(&settings["Format"])).context("a line is JSON")?;
        for (name, value) in line {
            assert!(LOGGED.contains(&text(&value).as_str()), "{name}: {value}");
        }
        Ok(Some(text(&settings["DestinationArn"])))
    };
    let role = "AWS::ApiGateway::Account";
    for (choice, logs, account) in [
        ("none", false, 0),
        ("use-account-role", true, 0),
        ("make-account-role", true, 1),
    ] {
        let resources = resources(&[("WebSocketAccessLog", choice)])?;
        let group = format(&resources["WebSocketStage"].properties)?;
        assert_eq!(group.is_some(), logs, "{choice}");
        assert_eq!(resources.contains_key("WebSocketAccessLogs"), logs, "{choice}");
        assert_eq!(resources_of_type(&resources, role).count(), account, "{choice}");
        assert!(format(&resources["HttpApi"].properties)?.is_some());
    }
    Ok(())
}
