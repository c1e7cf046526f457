//! Reads SAM templates. `local/docs/templates.md` shows the steps.
//!
//! Invariants:
//! - what the stack would run differently from AWS is refused by name; what has no effect on this
//!   machine is ignored because a list here names it (in `resource`, and at the head of each
//!   reader), never because it is unknown
//! - all problems of a template are reported together
//! - the same template and parameters give the same [`Stack`], except for generated secrets that
//!   are not kept

mod error;
mod functions;
mod globals;
mod http_api;
mod intrinsics;
mod mappings;
pub mod model;
mod parameters;
mod properties;
mod queues;
mod resource;
mod route_settings;
mod scope;
mod secrets;
mod secretsmanager;
mod tables;
mod text;
mod websocket_api;
mod yaml;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub use error::{Problem, TemplateError};
pub use model::Stack;
pub use scope::sqs_url;
pub use secrets::Secrets;

use crate::lambda::REGION;
use error::Problems;
use resource::{Resource, ResourceKind};
use scope::Scope;

const TRANSFORM: &str = "AWS::Serverless-2016-10-31";

const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Transform",
];

/// How to read a template.
#[derive(Debug, Clone)]
pub struct TemplateOptions {
    /// Values for `Parameters`. The others have their defaults.
    pub parameters: BTreeMap<String, String>,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::Region`.
    pub region: String,
    /// Values for `NoEcho` parameters that have no default and are not among `parameters`.
    pub secrets: Secrets,
}

impl Default for TemplateOptions {
    fn default() -> Self {
        Self {
            parameters: BTreeMap::new(),
            stack_name: "local".to_owned(),
            region: REGION.to_owned(),
            secrets: Secrets::in_memory(),
        }
    }
}

/// Reads the template at `path`.
///
/// # Errors
/// If the file cannot be read, is not a template, or has anything that the local stack does not
/// run.
pub fn load(path: &Path, options: &TemplateOptions) -> Result<Stack, TemplateError> {
    stack(&document(path)?, path, options)
}

/// Reads the text of a template. Its relative paths start at the directory of `path`, which need
/// not exist.
///
/// # Errors
/// If the text is not a template, or has anything that the local stack does not run.
pub fn parse(text: &str, path: &Path, options: &TemplateOptions) -> Result<Stack, TemplateError> {
    stack(&parse_document(text, path)?, path, options)
}

fn stack(document: &Value, path: &Path, options: &TemplateOptions) -> Result<Stack, TemplateError> {
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    read(document, &directory, options).map_err(|problems| TemplateError::Problems {
        path: path.to_owned(),
        problems,
    })
}

/// A resource as AWS would get it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedResource {
    /// `Type`.
    pub type_name: String,
    /// `Properties` with all names resolved. Those of a function include the template's `Globals`.
    pub properties: Value,
}

/// Every resource of the template at `path`, including those without an effect on this machine. For
/// tools that look at permissions, alarms and dashboards.
///
/// # Errors
/// If the template cannot be read, or a property refers to something that does not exist.
pub fn resolved(path: &Path, options: &TemplateOptions) -> Result<BTreeMap<String, ResolvedResource>, TemplateError> {
    let document = document(path)?;
    let problems = Problems::default();
    let scope = scope(&document, options, &problems);
    let exists = |resource: &&Resource| problems.report_error(&resource.id, scope.exists(resource)) == Some(true);
    let resolve = |resource: &Resource| {
        let properties = scope.resolve(&Value::Object(resource.properties.clone()));
        let resolved = ResolvedResource {
            type_name: resource.type_name.clone(),
            properties: problems.report_error(&resource.id, properties)??,
        };
        Some((resource.id.clone(), resolved))
    };
    let resources = scope.resources.iter().filter(exists).filter_map(resolve).collect();
    let problems = problems.into_vec();
    if problems.is_empty() {
        return Ok(resources);
    }
    Err(TemplateError::Problems {
        path: path.to_owned(),
        problems,
    })
}

fn document(path: &Path) -> Result<Value, TemplateError> {
    let text = std::fs::read_to_string(path).map_err(|source| TemplateError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse_document(&text, path)
}

fn parse_document(text: &str, path: &Path) -> Result<Value, TemplateError> {
    yaml::parse(text).map_err(|message| TemplateError::Yaml {
        path: path.to_owned(),
        message,
    })
}

fn read(document: &Value, directory: &Path, options: &TemplateOptions) -> Result<Stack, Vec<Problem>> {
    let problems = Problems::default();
    let scope = scope(document, options, &problems);
    let resources: Vec<&Resource> = scope
        .resources
        .iter()
        .filter(|resource| is_run(resource, &scope, &problems))
        .collect();
    check_transform(document, &resources, &problems);
    let of_kind = |kind| resources.iter().copied().filter(move |resource| resource.kind == kind);
    let tables = resources.iter().filter_map(|resource| match resource.kind {
        ResourceKind::Table => tables::read(resource, &scope, &problems),
        ResourceKind::SimpleTable => tables::read_simple(resource, &scope, &problems),
        _ => None,
    });
    let functions: BTreeMap<String, model::Function> = of_kind(ResourceKind::Function)
        .filter_map(|resource| functions::read(resource, directory, &scope, &problems))
        .map(|function| (function.logical_id.clone(), function))
        .collect();
    let secrets =
        of_kind(ResourceKind::Secret).filter_map(|resource| secretsmanager::read(resource, &scope, &problems));
    let queues = queues::read(&resources, &scope, &problems);
    let stack = Stack {
        websocket_apis: websocket_api::read(&resources, &scope, &problems),
        http_apis: http_api::read(&resources, &scope, &problems),
        tables: tables.collect(),
        secrets: secrets.collect(),
        mappings: mappings::read(&resources, &functions, &queues, &scope, &problems),
        functions,
        queues,
        outputs: outputs(document, &scope, &problems),
        next_steps: document["Metadata"]["Local"]["NextSteps"].as_str().map(str::to_owned),
    };
    check_stages(
        stack
            .websocket_apis
            .iter()
            .map(|api| (api.logical_id.as_str(), api.stage.as_str())),
        &problems,
    );
    check_stages(
        stack
            .http_apis
            .iter()
            .map(|api| (api.logical_id.as_str(), api.stage.as_str())),
        &problems,
    );
    let problems = problems.into_vec();
    if problems.is_empty() { Ok(stack) } else { Err(problems) }
}

fn scope(document: &Value, options: &TemplateOptions, problems: &Problems) -> Scope {
    let known = |key: &&String| SECTIONS.contains(&key.as_str());
    match document.as_object() {
        Some(sections) => {
            for unknown in sections.keys().filter(|key| !known(key)) {
                problems.report(unknown, "the local stack does not support this section");
            }
        }
        None => problems.report("template", "it is not a map"),
    }
    let declared = section(document, "Parameters", problems);
    let parameters = parameters::values(&declared, &options.parameters, &options.secrets, problems);
    Scope {
        stack_name: options.stack_name.clone(),
        region: options.region.clone(),
        failed_parameters: declared
            .keys()
            .filter(|name| !parameters.contains_key(*name))
            .cloned()
            .collect(),
        parameters,
        mappings: section(document, "Mappings", problems),
        conditions: section(document, "Conditions", problems),
        resources: resources(document, problems),
        depth: Cell::new(0),
    }
}

fn resources(document: &Value, problems: &Problems) -> Vec<Resource> {
    let declared = section(document, "Resources", problems);
    if declared.is_empty() && matches!(document["Resources"], Value::Null | Value::Object(_)) {
        problems.report("Resources", "the template has none");
    }
    let resource = |(id, declaration): (&String, &Value)| {
        let Some(type_name) = declaration["Type"].as_str() else {
            problems.report(id, "Type is missing");
            return None;
        };
        let kind = ResourceKind::from_type(type_name);
        let own = declaration["Properties"].as_object().cloned().unwrap_or_default();
        Some(Resource {
            id: id.clone(),
            type_name: type_name.to_owned(),
            kind,
            properties: globals::merge(&document["Globals"], kind, own),
            metadata: declaration["Metadata"].clone(),
            condition: declaration["Condition"].as_str().map(str::to_owned),
            depends_on: text::texts(&declaration["DependsOn"]),
        })
    };
    declared.iter().filter_map(resource).collect()
}

/// Whether the resource exists and is not ignored. Reports a resource that is refused.
fn is_run(resource: &Resource, scope: &Scope, problems: &Problems) -> bool {
    if problems.report_error(&resource.id, scope.exists(resource)) != Some(true) {
        return false;
    }
    if resource.kind == ResourceKind::Refused {
        problems.report(&resource.id, resource::refusal(&resource.type_name));
    }
    !matches!(resource.kind, ResourceKind::Refused | ResourceKind::Ignored)
}

fn check_transform(document: &Value, resources: &[&Resource], problems: &Problems) {
    let transforms = match &document["Transform"] {
        Value::Array(transforms) => transforms.clone(),
        Value::Null => Vec::new(),
        single => vec![single.clone()],
    };
    for other in transforms
        .iter()
        .filter(|transform| transform.as_str() != Some(TRANSFORM))
    {
        problems.report("Transform", format!("{other} is not supported; {TRANSFORM} is"));
    }
    let serverless = resources
        .iter()
        .find(|resource| resource.type_name.starts_with("AWS::Serverless::"));
    if let Some(resource) = serverless.filter(|_| transforms.is_empty()) {
        problems.report(
            &resource.id,
            format!("{} needs `Transform: {TRANSFORM}`", resource.type_name),
        );
    }
}

/// One port serves all APIs of a kind, so their stages must differ.
fn check_stages<'a>(apis: impl Iterator<Item = (&'a str, &'a str)>, problems: &Problems) {
    let mut taken = BTreeMap::new();
    for (api, stage) in apis {
        if let Some(other) = taken.insert(stage, api) {
            problems.report(
                api,
                format!(
                    "its stage {stage} has the same name as the stage of {other}; here both would have the same URL"
                ),
            );
        }
    }
}

fn outputs(document: &Value, scope: &Scope, problems: &Problems) -> BTreeMap<String, String> {
    let declared = section(document, "Outputs", problems);
    let output = |(name, declaration): (&String, &Value)| {
        let subject = format!("output {name}");
        if let Some(condition) = declaration["Condition"].as_str()
            && problems.report_error(&subject, scope.condition(condition)) != Some(true)
        {
            return None;
        }
        let value = problems.report_error(&subject, scope.resolve(&declaration["Value"]))??;
        Some((name.clone(), text::scalar(&value)?))
    };
    declared.iter().filter_map(output).collect()
}

fn section(document: &Value, name: &str, problems: &Problems) -> Map<String, Value> {
    match &document[name] {
        Value::Object(map) => map.clone(),
        Value::Null => Map::new(),
        other => {
            problems.report(name, format!("is {}, not a map", text::kind(other)));
            Map::new()
        }
    }
}

#[cfg(test)]
mod tests;
