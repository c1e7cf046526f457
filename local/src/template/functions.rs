//! `AWS::Serverless::Function`.

use std::path::Path;

use super::error::Problems;
use super::model::Function;
use super::properties::Properties;
use super::resource::Resource;
use super::scope::Scope;
use super::text;

const USED: [&str; 11] = [
    "CodeUri",
    "Environment",
    "Events",
    "FunctionName",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "PackageType",
    "ReservedConcurrentExecutions",
    "Runtime",
    "Timeout",
];

/// Deployment, permissions, monitoring, and properties that matter only for asynchronous
/// invocations.
const IGNORED: [&str; 24] = [
    "Architectures",
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CodeSigningConfigArn",
    "DeadLetterQueue",
    "DeploymentPreference",
    "Description",
    "EphemeralStorage",
    "KmsKeyArn",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "RecursiveLoop",
    "Role",
    "RolePath",
    "RuntimeManagementConfig",
    "SnapStart",
    "Tags",
    "Tracing",
    "VersionDescription",
    "VpcConfig",
];

/// Reads one function. `directory` is the directory of the template.
pub(super) fn read(resource: &Resource, directory: &Path, scope: &Scope, problems: &Problems) -> Option<Function> {
    let properties = Properties::new(resource, scope, problems);
    properties.expect_only(&USED, &IGNORED);
    properties.one_of("PackageType", &["Zip"]);
    if properties.required("Runtime").is_some() {
        properties.one_of("Runtime", &["provided.al2023", "provided.al2"]);
    }
    let code_uri = properties.text("CodeUri").unwrap_or_else(|| ".".to_owned());
    let environment = properties.below("Environment");
    environment.expect_only(&["Variables"], &[]);
    let logging = properties.below("LoggingConfig");
    logging.expect_only(&["LogFormat"], &["ApplicationLogLevel", "LogGroup", "SystemLogLevel"]);
    Some(Function {
        logical_id: resource.id.clone(),
        name: problems
            .report_error(&resource.id, scope.reference(&resource.id))?
            .as_ref()
            .and_then(text::scalar)?,
        code_uri: directory.join(code_uri),
        memory_mb: properties.number("MemorySize", 128..=10_240).unwrap_or(128),
        timeout_s: properties.number("Timeout", 1..=900).unwrap_or(3),
        reserved_concurrency: properties.number("ReservedConcurrentExecutions", 0..=u32::MAX),
        environment: environment.below("Variables").all_texts(),
        logs_json: logging.one_of("LogFormat", &["JSON", "Text"]).as_deref() == Some("JSON"),
        binary: problems.report_error(&resource.id, binary(resource, scope))?,
    })
}

/// The cargo binary that `sam build` would turn into the `bootstrap` of this function.
fn binary(resource: &Resource, scope: &Scope) -> Result<String, String> {
    let metadata = scope.resolve(&resource.metadata)?.unwrap_or_default();
    match metadata["BuildMethod"].as_str() {
        Some("rust-cargolambda") => {}
        Some(other) => {
            return Err(format!(
                "Metadata.BuildMethod: {other} is not supported; rust-cargolambda is"
            ));
        }
        None => return Err("Metadata.BuildMethod: is missing; rust-cargolambda is supported".to_owned()),
    }
    let binary = metadata["BuildProperties"]["Binary"].as_str();
    binary
        .map(str::to_owned)
        .ok_or_else(|| "Metadata.BuildProperties.Binary: is missing; it names the cargo binary".to_owned())
}
