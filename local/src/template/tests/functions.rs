//! Functions.

use super::*;

#[test]
fn a_function_takes_the_globals_and_the_values_of_names() {
    let text = "
Transform: AWS::Serverless-2016-10-31
Parameters: { Level: { Type: String, Default: info } }
Conditions: { Debug: !Equals [!Ref Level, debug] }
Globals:
  Function:
    Runtime: provided.al2023
    CodeUri: code
    MemorySize: 256
    Environment: { Variables: { RUST_LOG: !Ref Level, DEBUG: !If [Debug, '1', !Ref AWS::NoValue] } }
Resources:
  Users: { Type: AWS::Serverless::SimpleTable }
  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties:
      Timeout: 9
      ReservedConcurrentExecutions: 2
      Environment: { Variables: { USERS: !Ref Users } }
";
    insta::assert_debug_snapshot!(read_text(text).unwrap().functions["Work"], @r#"
    Function {
        logical_id: "Work",
        name: "local-Work",
        code_uri: "app/code",
        binary: "work",
        memory_mb: 256,
        timeout_s: 9,
        reserved_concurrency: Some(
            2,
        ),
        environment: {
            "RUST_LOG": "info",
            "USERS": "local-Users",
        },
        logs_json: false,
    }
    "#);
}

#[test]
fn each_bad_function_has_its_message() {
    let function = |properties: &str, metadata: &str| {
        resources(&format!(
            "  Work:\n    Type: AWS::Serverless::Function\n    Metadata: {metadata}\n    Properties: {properties}\n"
        ))
    };
    let built = "{ BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }";
    let event = |event: &str| {
        let properties = format!("{{ Runtime: provided.al2023, Events: {{ E: {event} }} }}");
        function(&properties, built)
    };
    check_problems([
        (function("{}", built), "Work: Runtime: is missing"),
        (
            function("{ Runtime: nodejs22.x }", built),
            "Work: Runtime: nodejs22.x is not supported; provided.al2023 or provided.al2 is",
        ),
        (
            function("{ Runtime: provided.al2023 }", "{}"),
            "Work: Metadata.BuildMethod: is missing; rust-cargolambda is supported",
        ),
        (
            function("{ Runtime: provided.al2023 }", "{ BuildMethod: makefile }"),
            "Work: Metadata.BuildMethod: makefile is not supported; rust-cargolambda is",
        ),
        (
            function("{ Runtime: provided.al2023 }", "{ BuildMethod: rust-cargolambda }"),
            "Work: Metadata.BuildProperties.Binary: is missing; it names the cargo binary",
        ),
        (
            function("{ Runtime: provided.al2023, Layers: [a] }", built),
            "Work: Layers: is not supported",
        ),
        (
            function("{ Runtime: provided.al2023, MemorySize: 64 }", built),
            "Work: MemorySize: 64 is not a whole number from 128 to 10240",
        ),
        (
            function(
                "{ Runtime: provided.al2023, Environment: { Variables: { A: [b] } } }",
                built,
            ),
            "Work: Environment.Variables.A: is a list, not a string",
        ),
        (
            event("{ Type: SNS }"),
            "Work: Events.E.Type: the event type SNS is not supported; HttpApi and SQS are",
        ),
        (
            event("{ Type: HttpApi, Properties: { ApiId: other, Path: /, Method: GET } }"),
            "Work: Events.E.Properties.ApiId: does not refer to an AWS::Serverless::HttpApi of this template",
        ),
        (
            event("{ Type: HttpApi, Properties: { Path: user, Method: GET } }"),
            "Work: Events.E.Properties.Path: user does not begin with /",
        ),
        (
            event("{ Type: HttpApi, Properties: { Path: /, Method: GET, Auth: {} } }"),
            "Work: Events.E.Properties.Auth: is not supported",
        ),
    ]);
}
