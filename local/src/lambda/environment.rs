//! The environment of a function's process, as Lambda makes it.
//!
//! Later layers win: the variables of the operating system's image, the template's, those that
//! Lambda reserves (a template cannot change them), and those that the stack adds for this machine.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use super::REGION;
use crate::template::model::Function;

/// All variables of a process. The host's own variables are not among them.
pub(super) fn process_environment(
    function: &Function,
    extra: &BTreeMap<String, String>,
    task_root: &Path,
    runtime_api: SocketAddr,
    log_stream: &str,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("LANG".to_owned(), "en_US.UTF-8".to_owned()),
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin/:/bin:/opt/bin".to_owned()),
        ("TZ".to_owned(), ":UTC".to_owned()),
    ]);
    variables.extend(function.environment.clone());
    let reserved = [
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("AWS_REGION", REGION.to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LAMBDA_TASK_ROOT", task_root.display().to_string()),
        ("_HANDLER", "bootstrap".to_owned()),
    ];
    if function.logs_json {
        variables.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
    }
    variables.extend(reserved.map(|(name, value)| (name.to_owned(), value)));
    variables.extend(extra.clone());
    variables
}
