//! Whole templates: the project's, small ones, and bad ones with the exact problems that they have.
mod functions;
mod http_api;
mod parameters;
mod queues;
mod secrets;
mod tables;
mod websocket_api;

use super::*;
use crate::secretsmanager::{FirstValue, Recipe};
use model::{Authorizer, HttpRoute};
use proptest::prelude::*;
use serde_json::json;

fn read_text(text: &str) -> Result<Stack, Vec<String>> {
    read_with(text, &TemplateOptions::default())
}

fn read_with(text: &str, options: &TemplateOptions) -> Result<Stack, Vec<String>> {
    let document = yaml::parse(text).unwrap();
    let problems = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    read(&document, Path::new("app"), options).map_err(problems)
}

/// A template with these resources.
fn resources(text: &str) -> String {
    format!("Transform: AWS::Serverless-2016-10-31\nResources:\n{text}")
}

const FUNCTION: &str = "  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties: { Runtime: provided.al2023, Handler: bootstrap }
";

const SOCKET: &str = "  Socket:
    Type: AWS::ApiGatewayV2::Api
    Properties: { ProtocolType: WEBSOCKET, RouteSelectionExpression: $request.body.action }
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    Properties: { ApiId: !Ref Socket, StageName: dev }
  Lambda:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Socket
      IntegrationType: AWS_PROXY
      IntegrationUri: !Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Work.Arn}/invocations'
";

#[test]
fn the_template_of_this_repository_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let stack = load(&path, &TemplateOptions::default()).unwrap();
    assert!(
        stack
            .functions
            .values()
            .all(|function| !function.binary.is_empty() && function.code_uri.is_dir())
    );
    assert!(
        stack
            .websocket_apis
            .iter()
            .any(|api| api.routes.contains_key("$connect"))
    );
    assert!(stack.http_apis.iter().all(|api| !api.routes.is_empty()));
    assert!(!stack.tables.is_empty());
}

#[test]
fn a_resource_whose_condition_is_false_is_not_run() {
    let text = "
Conditions: { Never: !Equals [a, b] }
Resources:
  Bucket: { Type: AWS::S3::Bucket, Condition: Never }
  Items: { Type: AWS::IAM::Role }
";
    assert_eq!(read_text(text).unwrap().tables, []);
}

#[test]
fn outputs_and_next_steps_are_kept() {
    let text = "
Metadata: { Local: { NextSteps: 'open ${HttpUrl}' } }
Resources: { Role: { Type: AWS::IAM::Role } }
Outputs: { Where: { Value: !Sub '${AWS::Region}-x' } }
";
    let stack = read_text(text).unwrap();
    assert_eq!(stack.next_steps.as_deref(), Some("open ${HttpUrl}"));
    assert_eq!(stack.outputs["Where"], "us-east-1-x");
}

#[test]
fn all_problems_are_reported_together() {
    let text = "
Parameters: { Size: { Type: Number, Default: many } }
Resources:
  Bucket: { Type: AWS::S3::Bucket }
  Items: { Type: AWS::DynamoDB::Table, Properties: { TableName: !Ref Nowhere } }
";
    assert_eq!(
        read_text(text),
        Err(vec![
            "parameter Size: \"many\" is not a number".to_owned(),
            "Bucket: AWS::S3::Bucket is not supported; supported are AWS::Serverless::Function, AWS::Serverless::HttpApi, \
             AWS::Serverless::SimpleTable, AWS::DynamoDB::Table, AWS::SecretsManager::Secret, AWS::SQS::Queue, AWS::Lambda::EventSourceMapping, \
             AWS::ApiGatewayV2::Api, AWS::ApiGatewayV2::Stage, AWS::ApiGatewayV2::Route, AWS::ApiGatewayV2::RouteResponse, AWS::ApiGatewayV2::Integration, \
             AWS::ApiGatewayV2::Authorizer"
                .to_owned(),
            "Items: there is no resource or parameter with the name Nowhere".to_owned(),
        ])
    );
}

/// Checks that each text has exactly this problem.
fn check_problems<T: AsRef<str>>(cases: impl IntoIterator<Item = (T, &'static str)>) {
    for (text, problem) in cases {
        let text = text.as_ref();
        assert_eq!(read_text(text), Err(vec![problem.to_owned()]), "{text}");
    }
}

#[test]
fn each_bad_section_has_its_message() {
    check_problems([
        ("Resources: {}", "Resources: the template has none"),
        ("Resources: { A: {} }", "A: Type is missing"),
        ("Resources: [a]", "Resources: is a list, not a map"),
        (
            "{Rules: {}, Resources: {A: {Type: AWS::IAM::Role}}}",
            "Rules: the local stack does not support this section",
        ),
        (
            "{Transform: AWS::LanguageExtensions, Resources: {A: {Type: AWS::IAM::Role}}}",
            "Transform: \"AWS::LanguageExtensions\" is not supported; AWS::Serverless-2016-10-31 is",
        ),
        (
            "Resources: { T: { Type: AWS::Serverless::SimpleTable } }",
            "T: AWS::Serverless::SimpleTable needs `Transform: AWS::Serverless-2016-10-31`",
        ),
        (
            "Resources: { A: { Type: AWS::IAM::Role, Condition: C } }",
            "A: there is no condition C",
        ),
    ]);
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("/nowhere/template.yaml"), &TemplateOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the template /nowhere/template.yaml");
}

/// The template of this repository.
const OURS: &str = include_str!("../../../../template.yaml");

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_template_with_a_hole_in_it_never_panics(line in 0..OURS.lines().count(), junk in "[ -~]{0,20}") {
        let replaced: Vec<&str> =
            OURS.lines().enumerate().map(|(index, text)| if index == line { junk.as_str() } else { text }).collect();
        if let Ok(document) = yaml::parse(&replaced.join("\n")) {
            let _ = read(&document, Path::new("."), &TemplateOptions::default());
        }
    }
}

#[test]
fn resources_without_effect_here_can_still_be_resolved() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("template.yaml");
    let role = |statement: &str| {
        resources(&format!(
            "  Users: {{ Type: AWS::Serverless::SimpleTable }}\n  Role:\n    Type: AWS::IAM::Role\n    Properties: {{ Statement: [{statement}] }}\n"
        ))
    };
    std::fs::write(&path, role("!GetAtt Users.Arn, !Ref AWS::NoValue")).unwrap();
    let found = resolved(&path, &TemplateOptions::default()).unwrap();
    assert_eq!(found["Role"].type_name, "AWS::IAM::Role");
    assert_eq!(
        found["Role"].properties,
        json!({"Statement": ["arn:aws:dynamodb:us-east-1:000000000000:table/local-Users"]})
    );
    std::fs::write(&path, role("!Ref Nobody")).unwrap();
    let problem = resolved(&path, &TemplateOptions::default()).unwrap_err().to_string();
    assert!(problem.contains("Role: ") && problem.contains("Nobody"), "{problem}");
}
