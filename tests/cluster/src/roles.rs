//! What the roles of the template allow each function to do.

use crate::template_file::{resources, stack};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wigwag_local::meter::Permission;

/// An action on a resource.
pub fn permission(action: &str, resource: &str) -> Permission {
    Permission {
        action: action.to_owned(),
        resource: resource.to_owned(),
    }
}

/// The permissions that each function's role grants, without its own log.
///
/// Tables, queues and connections have the names that the meter gives them. A wildcard stays a
/// wildcard, so it never equals a call that was made.
///
/// # Panics
/// If a role has anything but inline policies that allow, or grants somebody else's log.
pub fn granted(parameters: &[(&str, &str)]) -> Result<BTreeMap<String, BTreeSet<Permission>>> {
    let (resources, stack) = (resources(parameters)?, stack()?);
    let [api] = stack.websocket_apis.as_slice() else {
        bail!("the template has not one WebSocket API");
    };
    let connections = format!("execute-api:us-east-1:000000000000:{}/{}/*", api.api_id, api.stage);
    let mut granted = BTreeMap::new();
    for function in stack.functions.keys() {
        let properties = &resources[function].properties;
        let role = properties["Role"].as_str().context("a function has a role")?;
        let (_, role) = role.rsplit_once(":local-").context("a role of this template")?;
        let role = &resources[role].properties;
        assert!(role["ManagedPolicyArns"].is_null() && properties["Policies"].is_null());
        let log = properties["LoggingConfig"]["LogGroup"]
            .as_str()
            .context("a log group")?;
        let mut permissions = BTreeSet::new();
        for (action, arn) in statements(role) {
            match action.split_once(':').map(|(service, _)| service) {
                Some("logs") => assert!(arn.ends_with(&format!(":{log}")), "{function}: {action} on {arn}"),
                _ if arn.ends_with(&connections) => {
                    permissions.insert(permission(&action, "@connections"));
                }
                _ => {
                    let name = arn.rsplit([':', '/']).next().unwrap_or_default();
                    permissions.insert(permission(&action, name));
                }
            }
        }
        granted.insert(function.clone(), permissions);
    }
    Ok(granted)
}

/// Every action of a role, with every resource that it is granted on.
fn statements(role: &Value) -> Vec<(String, String)> {
    let list = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        single => vec![single.clone()],
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for policy in list(&role["Policies"]) {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            assert_eq!(statement["Effect"], "Allow");
            for action in list(&statement["Action"]) {
                let resources = list(&statement["Resource"]);
                found.extend(resources.iter().map(|resource| (text(&action), text(resource))));
            }
        }
    }
    found
}
