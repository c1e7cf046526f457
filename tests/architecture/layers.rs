//! Dependencies between crates point one way.

use super::root;
use std::collections::BTreeMap;
use std::fs::read_to_string;
use toml::{Table, Value};

/// What one crate may depend on. Dependencies of its tests are not looked at.
struct Layer {
    name: &'static str,
    /// The only crates of this workspace that it may use.
    may_use: &'static [&'static str],
    /// Beginnings of the names of other crates that it must not use.
    must_not_use: &'static [&'static str],
}

/// AWS in any form.
const AWS: &[&str] = &["aws", "lambda_"];
/// AWS in any form, and the runtime.
const AWS_AND_RUNTIME: &[&str] = &["aws", "lambda_", "tokio"];
/// Clients of AWS services.
const AWS_SDKS: &[&str] = &["aws-sdk-"];
/// All of AWS but DynamoDB.
const AWS_BUT_DYNAMODB: &[&str] = &["aws-sdk-api", "aws-sdk-se", "aws-sdk-sq", "aws_lambda", "lambda_"];
const NOTHING: &[&str] = &[];

const FUNCTION: &[&str] = &[
    "wigwag-edge",
    "wigwag-messaging",
    "wigwag-store",
    "wigwag-domain",
    "wigwag-protocol",
];

/// From the bottom up: a layer may use only layers above it in this list.
const LAYERS: &[Layer] = &[
    layer("wigwag-protocol", NOTHING, AWS_AND_RUNTIME),
    layer("wigwag-https", NOTHING, &["lambda_", "tokio"]),
    layer("wigwag-domain", &["wigwag-protocol"], AWS_AND_RUNTIME),
    layer("wigwag-store", &["wigwag-domain", "wigwag-protocol"], AWS_BUT_DYNAMODB),
    layer(
        "wigwag-messaging",
        &["wigwag-store", "wigwag-domain", "wigwag-protocol"],
        AWS,
    ),
    layer(
        "wigwag-edge",
        &[
            "wigwag-messaging",
            "wigwag-store",
            "wigwag-domain",
            "wigwag-https",
            "wigwag-protocol",
        ],
        NOTHING,
    ),
    layer("wigwag-authorizer", FUNCTION, AWS_SDKS),
    layer("wigwag-connect", FUNCTION, AWS_SDKS),
    layer("wigwag-disconnect", FUNCTION, AWS_SDKS),
    layer("wigwag-default", FUNCTION, AWS_SDKS),
    layer("wigwag-api", FUNCTION, AWS_SDKS),
    layer("wigwag-fanout", FUNCTION, AWS_SDKS),
    layer("wigwag-client", &["wigwag-protocol"], AWS),
    // The operator's commands read tasks from a queue.
    layer(
        "wigwag",
        &["wigwag-client", "wigwag-domain", "wigwag-https"],
        &["aws-sdk-dy", "lambda_"],
    ),
    layer("wigwag-local", NOTHING, AWS),
    layer("local-probe", NOTHING, AWS_SDKS),
];

/// Folders of crates that test and measure: they may use everything, and no layer may use them.
const TOOLS: [&str; 2] = ["tests/", "xtask"];

const fn layer(name: &'static str, may_use: &'static [&'static str], must_not_use: &'static [&'static str]) -> Layer {
    Layer {
        name,
        may_use,
        must_not_use,
    }
}

/// The crates of the workspace that are no tools: their manifests by name.
fn manifests() -> BTreeMap<String, Table> {
    let workspace = parse("Cargo.toml");
    let members = workspace["workspace"]["members"].as_array().expect("a list of members");
    let folders = members.iter().map(|member| member.as_str().expect("a folder"));
    let layers = folders.filter(|folder| !TOOLS.iter().any(|tool| folder.starts_with(tool)));
    layers
        .map(|folder| {
            let manifest = parse(&format!("{folder}/Cargo.toml"));
            let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
            (name, manifest)
        })
        .collect()
}

fn parse(path: &str) -> Table {
    let text = read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read {path}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("parse {path}: {error}"))
}

fn names(table: Option<&Value>) -> impl Iterator<Item = &str> {
    table
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::keys)
        .map(String::as_str)
}

/// Everything that a crate is built with, on any platform.
fn dependencies(manifest: &Table) -> Vec<&str> {
    let mut all: Vec<&str> = names(manifest.get("dependencies")).collect();
    all.extend(names(manifest.get("build-dependencies")));
    if let Some(Value::Table(platforms)) = manifest.get("target") {
        for platform in platforms.values() {
            all.extend(names(platform.get("dependencies")));
        }
    }
    all
}

/// Why a crate of a layer may not use another, if it may not.
fn fault(layer: &Layer, dependency: &str) -> Option<String> {
    let name = layer.name;
    if dependency == "wigwag" || dependency.starts_with("wigwag-") {
        let is_allowed = layer.may_use.contains(&dependency);
        return (!is_allowed).then(|| format!("{name} uses {dependency}; it may use only {:?}", layer.may_use));
    }
    let forbidden = layer
        .must_not_use
        .iter()
        .find(|beginning| dependency.starts_with(**beginning))?;
    Some(format!(
        "{name} uses {dependency}; it must use nothing that begins with {forbidden}"
    ))
}

#[test]
fn each_crate_uses_only_the_layers_below_it() {
    let manifests = manifests();
    let faults: Vec<String> = LAYERS
        .iter()
        .flat_map(|layer| {
            let manifest = manifests.get(layer.name).expect("a crate for each layer");
            dependencies(manifest).into_iter().filter_map(|it| fault(layer, it))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_crate_has_its_layer() {
    for name in manifests().keys() {
        assert!(
            LAYERS.iter().any(|layer| layer.name == name),
            "{name} has no layer; add it to LAYERS in tests/architecture/layers.rs"
        );
    }
}

#[test]
fn the_layers_themselves_point_one_way() {
    for (index, layer) in LAYERS.iter().enumerate() {
        for used in layer.may_use {
            let is_below = LAYERS[..index].iter().any(|below| below.name == *used);
            assert!(is_below, "{} may use {used}, which is not listed before it", layer.name);
        }
    }
}

#[test]
fn the_local_stack_uses_no_crate_of_the_server_even_in_its_tests() {
    let manifest = parse("local/Cargo.toml");
    let tests = manifest["dev-dependencies"]
        .as_table()
        .expect("dependencies of its tests");
    let used: Vec<&String> = tests.keys().filter(|name| name.starts_with("wigwag")).collect();
    assert!(used.is_empty(), "{used:?}");
}

#[test]
fn a_forbidden_dependency_is_named_with_the_rule_that_it_breaks() {
    let domain = LAYERS
        .iter()
        .find(|layer| layer.name == "wigwag-domain")
        .expect("a layer");
    assert_eq!(fault(domain, "wigwag-protocol"), None);
    assert_eq!(fault(domain, "serde"), None);
    for dependency in ["wigwag-store", "aws-sdk-dynamodb", "tokio-util", "lambda_runtime"] {
        assert!(fault(domain, dependency).is_some_and(|fault| fault.contains(dependency)));
    }
}
