//! The variables that the stack adds to the environment of functions: credentials, and its own
//! endpoints instead of those of AWS.
//!
//! No call may leave this machine. So `AWS_ENDPOINT_URL` is set for every function, each
//! `AWS_ENDPOINT_URL_…` of the template is overridden, and queue URLs become local ones. The
//! endpoint of the management API has a stage as its path, as on AWS.

use std::collections::BTreeMap;

use crate::aws::credentials_for;
use crate::lambda::REGION;
use crate::template::model::Function;
use crate::template::{Stack, sqs_url};

const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// The endpoint variable of the management API of WebSocket APIs.
const MANAGEMENT_ENDPOINT: &str = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI";

/// The environment of each function in addition to the template's. It wins over the template's.
pub(super) fn function_environments(stack: &Stack, aws_url: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let queues_url = sqs_url(REGION);
    let environment = |function: &Function| function_environment(function, stack, aws_url, &queues_url);
    stack
        .functions
        .iter()
        .map(|(id, function)| (id.clone(), environment(function)))
        .collect()
}

fn function_environment(
    function: &Function,
    stack: &Stack,
    aws_url: &str,
    queues_url: &str,
) -> BTreeMap<String, String> {
    let (access_key_id, secret_access_key) = credentials_for(&function.logical_id);
    let mut variables = BTreeMap::from([
        ("AWS_ACCESS_KEY_ID".to_owned(), access_key_id),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), secret_access_key),
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
        (ENDPOINT.to_owned(), aws_url.to_owned()),
    ]);
    let overridden = function.environment.keys().filter(|name| name.starts_with(ENDPOINT));
    variables.extend(overridden.map(|name| (name.clone(), aws_url.to_owned())));
    let with_queues = function
        .environment
        .iter()
        .filter(|(name, value)| !variables.contains_key(*name) && value.contains(queues_url));
    let replaced: Vec<_> = with_queues
        .map(|(name, value)| (name.clone(), value.replace(queues_url, aws_url)))
        .collect();
    variables.extend(replaced);
    if let Some(stage) = stage_of(function, stack) {
        variables.insert(MANAGEMENT_ENDPOINT.to_owned(), format!("{aws_url}/{stage}"));
    }
    variables
}

/// The stage whose connections the function means: that of the API whose id is in the template's
/// endpoint, or the only one.
fn stage_of<'a>(function: &Function, stack: &'a Stack) -> Option<&'a str> {
    let apis = &stack.websocket_apis;
    let endpoint = function.environment.get(MANAGEMENT_ENDPOINT);
    let meant = endpoint.and_then(|endpoint| apis.iter().find(|api| endpoint.contains(&api.api_id)));
    let only = || if let [only] = apis.as_slice() { Some(only) } else { None };
    meant.or_else(only).map(|api| api.stage.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::model::WebSocketApi;

    fn api(id: &str) -> WebSocketApi {
        WebSocketApi {
            logical_id: id.to_owned(),
            api_id: format!("{id}id"),
            stage: format!("{id}stage"),
            route_selection_expression: String::new(),
            routes: BTreeMap::new(),
        }
    }

    fn environment(apis: &[&str], variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let function = Function {
            logical_id: "Work".to_owned(),
            name: String::new(),
            code_uri: ".".into(),
            binary: String::new(),
            memory_mb: 128,
            timeout_s: 3,
            reserved_concurrency: None,
            environment: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            logs_json: false,
        };
        let stack = Stack {
            functions: BTreeMap::from([("Work".to_owned(), function)]),
            websocket_apis: apis.iter().map(|id| api(id)).collect(),
            http_apis: Vec::new(),
            tables: Vec::new(),
            secrets: Vec::new(),
            queues: Vec::new(),
            mappings: Vec::new(),
            outputs: BTreeMap::new(),
            next_steps: None,
        };
        function_environments(&stack, "http://here").remove("Work").unwrap()
    }

    #[test]
    fn no_endpoint_of_the_template_leads_off_this_machine() {
        let variables = environment(
            &[],
            &[
                ("AWS_ENDPOINT_URL", "a"),
                ("AWS_ENDPOINT_URL_DYNAMODB", "b"),
                ("OTHER", "c"),
            ],
        );
        assert_eq!(variables["AWS_ENDPOINT_URL"], "http://here");
        assert_eq!(variables["AWS_ENDPOINT_URL_DYNAMODB"], "http://here");
        assert!(!variables.contains_key("OTHER") && !variables.contains_key(MANAGEMENT_ENDPOINT));
    }

    #[test]
    fn the_management_endpoint_has_the_stage_of_the_api_that_is_meant() {
        assert_eq!(environment(&["a"], &[])[MANAGEMENT_ENDPOINT], "http://here/astage");
        let meant = [(MANAGEMENT_ENDPOINT, "https://bid.execute-api.us-east-1.amazonaws.com/x")];
        assert_eq!(
            environment(&["a", "b"], &meant)[MANAGEMENT_ENDPOINT],
            "http://here/bstage"
        );
        assert!(!environment(&["a", "b"], &[]).contains_key(MANAGEMENT_ENDPOINT));
    }
}
