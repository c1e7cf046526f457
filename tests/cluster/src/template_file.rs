//! The project's `template.yaml`: where it is, altered copies of it, and its resources.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wigwag_local::template::{self as local_template, ResolvedResource, Secrets, Stack, TemplateOptions};

/// The project's template.
pub fn template() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"))
}

/// A copy of the project's template in `directory`, with some of its text replaced.
pub fn altered_template(directory: &Path, changes: &[(&str, &str)]) -> Result<PathBuf> {
    let original = template();
    let root = original
        .parent()
        .context("a template has a directory")?
        .canonicalize()?;
    let mut text = std::fs::read_to_string(&original)?;
    let code = format!("CodeUri: {}", root.display());
    for (before, after) in changes.iter().chain([&("CodeUri: .", code.as_str())]) {
        ensure!(text.contains(before), "the template does not contain {before}");
        text = text.replace(before, after);
    }
    let path = directory.join("template.yaml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Options that give the template these parameters.
pub fn with_parameters(parameters: &[(&str, &str)]) -> TemplateOptions {
    let given = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    TemplateOptions {
        parameters: given.collect(),
        secrets: Secrets::in_memory(),
        ..TemplateOptions::default()
    }
}

/// The template's resources by logical id, with these parameters.
pub fn resources(parameters: &[(&str, &str)]) -> Result<BTreeMap<String, ResolvedResource>> {
    Ok(local_template::resolved(&template(), &with_parameters(parameters))?)
}

/// The template as the local stack reads it, with its default parameters.
pub fn stack() -> Result<Stack> {
    Ok(local_template::load(&template(), &with_parameters(&[]))?)
}

/// Logical id and properties of each resource of a type.
pub fn resources_of_type<'a>(
    resources: &'a BTreeMap<String, ResolvedResource>,
    type_name: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    resources
        .iter()
        .filter(move |(_, resource)| resource.type_name == type_name)
        .map(|(id, resource)| (id.as_str(), &resource.properties))
}
