//! Whole templates: ours, small ones, and bad ones with the exact problems they have.

use super::*;
use crate::secretsmanager::{FirstValue, Recipe};
use model::{Authorizer, HttpRoute};
use proptest::prelude::*;
use serde_json::json;

fn read_text(text: &str) -> Result<Stack, Vec<String>> {
    read_with(text, &Options::default())
}

fn read_with(text: &str, options: &Options) -> Result<Stack, Vec<String>> {
    let document = yaml::parse(text).unwrap();
    let problems = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
    read(&document, Path::new("app"), options).map_err(problems)
}

/// A template of these resources.
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
    let stack = load(&path, &Options::default()).unwrap();
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
fn a_function_takes_the_globals_and_what_names_stand_for() {
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
fn a_websocket_api_is_put_together_from_its_parts() {
    let rest = "  Gate:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Socket
      AuthorizerType: REQUEST
      AuthorizerUri: !Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Work.Arn}/invocations'
      IdentitySource: [route.request.querystring.token]
  Connect:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      { ApiId: !Ref Socket, RouteKey: $connect, AuthorizationType: CUSTOM, AuthorizerId: !Ref Gate, Target: !Sub 'integrations/${Lambda}' }
  Default:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      { ApiId: !Ref Socket, RouteKey: $default, RouteResponseSelectionExpression: $default, Target: !Sub 'integrations/${Lambda}' }
  Answer:
    Type: AWS::ApiGatewayV2::RouteResponse
    Properties: { ApiId: !Ref Socket, RouteId: !Ref Default, RouteResponseKey: $default }
";
    let stack = read_text(&resources(&format!("{FUNCTION}{SOCKET}{rest}"))).unwrap();
    let api = &stack.websocket_apis[0];
    assert_eq!(
        (api.stage.as_str(), api.route_selection_expression.as_str()),
        ("dev", "$request.body.action")
    );
    let gate = Authorizer {
        function: "Work".to_owned(),
        identity_sources: vec!["route.request.querystring.token".to_owned()],
    };
    assert_eq!(api.routes["$connect"].authorizer, Some(gate));
    assert!(!api.routes["$connect"].responds);
    assert!(api.routes["$default"].responds);
    assert_eq!(
        (
            api.routes["$default"].function.as_str(),
            api.routes["$default"].timeout_ms
        ),
        ("Work", 29_000)
    );
}

#[test]
fn a_route_without_a_route_response_does_not_respond() {
    let route = "  Default:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      { ApiId: !Ref Socket, RouteKey: $default, RouteResponseSelectionExpression: $default, Target: !Sub 'integrations/${Lambda}' }
";
    let stack = read_text(&resources(&format!("{FUNCTION}{SOCKET}{route}"))).unwrap();
    assert!(!stack.websocket_apis[0].routes["$default"].responds);
}

#[test]
fn http_events_become_routes_of_their_api() {
    let text = resources(
        "  Web: { Type: AWS::Serverless::HttpApi, Properties: { StageName: v1 } }
  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties:
      Runtime: provided.al2023
      Events:
        One: { Type: HttpApi, Properties: { ApiId: !Ref Web, Method: get, Path: '/user/{id}' } }
        Two: { Type: HttpApi, Properties: { Path: /any } }
        Three: { Type: HttpApi }
",
    );
    let stack = read_text(&text).unwrap();
    let route = |method: &str, path: &str| HttpRoute {
        method: method.to_owned(),
        path: path.to_owned(),
        function: "Work".to_owned(),
        rate: None,
    };
    let apis: Vec<_> = stack
        .http_apis
        .iter()
        .map(|api| (api.logical_id.as_str(), api.stage.as_str(), &api.routes))
        .collect();
    assert_eq!(
        apis,
        [
            ("Web", "v1", &vec![route("GET", "/user/{id}")]),
            (
                "ServerlessHttpApi",
                "$default",
                &vec![route("ANY", "/any"), route("ANY", "$default")]
            ),
        ]
    );
}

#[test]
fn tables_become_create_table_calls() {
    let text = resources(
        "  Items:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PROVISIONED
      ProvisionedThroughput: { ReadCapacityUnits: '5', WriteCapacityUnits: 5 }
      AttributeDefinitions: [{ AttributeName: k, AttributeType: S }]
      KeySchema: [{ AttributeName: k, KeyType: HASH }]
      TimeToLiveSpecification: { AttributeName: ttl, Enabled: true }
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true }
  Simple: { Type: AWS::Serverless::SimpleTable, Properties: { TableName: simple, PrimaryKey: { Name: n, Type: Number } } }
",
    );
    let tables = read_text(&text).unwrap().tables;
    assert_eq!(tables[0].ttl_attribute.as_deref(), Some("ttl"));
    assert_eq!(
        tables[0].create,
        json!({
            "TableName": "local-Items", "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        })
    );
    assert_eq!(
        tables[1].create,
        json!({
            "TableName": "simple", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "n", "AttributeType": "N"}],
            "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
        })
    );
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

#[test]
fn a_queue_has_the_attributes_of_its_properties_and_its_names() {
    let rest = "  Dead: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs.fifo
      FifoQueue: true
      VisibilityTimeout: 90
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
      KmsMasterKeyId: alias/aws/sqs
      Tags: [{ Key: a, Value: b }]
  Policy: { Type: AWS::SQS::QueuePolicy }
Outputs:
  Url: { Value: !Ref Jobs }
  Same: { Value: !GetAtt Jobs.QueueUrl }
  Arn: { Value: !GetAtt Jobs.Arn }
  Name: { Value: !GetAtt Dead.QueueName }
";
    let stack = read_text(&resources(rest)).unwrap();
    let url = "https://sqs.us-east-1.amazonaws.com/000000000000/jobs.fifo";
    assert_eq!(
        (stack.outputs["Url"].as_str(), stack.outputs["Same"].as_str()),
        (url, url)
    );
    assert_eq!(stack.outputs["Arn"], "arn:aws:sqs:us-east-1:000000000000:jobs.fifo");
    assert_eq!(stack.outputs["Name"], "local-Dead.fifo");
    let jobs = &stack.queues[1];
    assert_eq!((jobs.logical_id.as_str(), jobs.name.as_str()), ("Jobs", "jobs.fifo"));
    assert_eq!(jobs.attributes["VisibilityTimeout"], "90");
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:local-Dead.fifo","maxReceiveCount":5}"#;
    assert_eq!(jobs.attributes["RedrivePolicy"], policy);
}

#[test]
fn a_secret_has_a_name_an_arn_and_what_it_begins_with() {
    let rest = "  Made:
    Type: AWS::SecretsManager::Secret
    Properties:
      Description: a key
      GenerateSecretString: { PasswordLength: '64', ExcludePunctuation: true }
      KmsKeyId: alias/aws/secretsmanager
      Tags: [{ Key: a, Value: b }]
  Given: { Type: AWS::SecretsManager::Secret, Properties: { Name: app/given, SecretString: !Ref Made } }
  Account:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString: { SecretStringTemplate: '{\"user\": \"ada\"}', GenerateStringKey: password }
  Empty: { Type: AWS::SecretsManager::Secret }
Outputs:
  Made: { Value: !Ref Made }
  Same: { Value: !GetAtt Made.Id }
";
    let stack = read_text(&resources(rest)).unwrap();
    let [made, given, account, empty] = &stack.secrets[..] else {
        panic!("{:?}", stack.secrets)
    };
    let arn = &stack.outputs["Made"];
    assert_eq!((arn, &stack.outputs["Same"]), (&made.arn, &made.arn));
    let added = arn.strip_prefix("arn:aws:secretsmanager:us-east-1:000000000000:secret:local-Made-");
    assert_eq!(added.map(str::len), Some(6), "{arn}");
    assert_eq!(
        (made.name.as_str(), made.description.as_deref()),
        ("local-Made", Some("a key"))
    );
    let recipe = Recipe {
        password_length: 64,
        exclude_punctuation: true,
        ..Recipe::default()
    };
    assert_eq!(made.value, FirstValue::Password(recipe));
    assert_eq!(
        (given.name.as_str(), &given.value),
        ("app/given", &FirstValue::Given(arn.clone()))
    );
    let FirstValue::Object(_, object, key) = &account.value else {
        panic!("{:?}", account.value)
    };
    assert_eq!((&object["user"], key.as_str()), (&json!("ada"), "password"));
    assert_eq!(empty.value, FirstValue::None);
}

#[test]
fn each_bad_secret_has_its_message() {
    let secret = |properties: &str| {
        resources(&format!(
            "  S: {{ Type: AWS::SecretsManager::Secret, Properties: {properties} }}\n"
        ))
    };
    let generated = |properties: &str| secret(&format!("{{ GenerateSecretString: {properties} }}"));
    check_problems([
        (secret("{ Type: other }"), "S: Type: is not supported"),
        (
            secret("{ SecretString: a, GenerateSecretString: {} }"),
            "S: GenerateSecretString: there is a SecretString too; leave one of them out",
        ),
        (
            generated("{ Length: 5 }"),
            "S: GenerateSecretString.Length: is not supported",
        ),
        (
            generated("{ PasswordLength: 5000 }"),
            "S: GenerateSecretString.PasswordLength: 5000 is not a whole number from 1 to 4096",
        ),
        (
            generated("{ PasswordLength: 2 }"),
            "S: GenerateSecretString.PasswordLength: Password length is too short based on the required types.",
        ),
        (
            generated("{ SecretStringTemplate: '{}' }"),
            "S: GenerateSecretString.GenerateStringKey: is missing; SecretStringTemplate needs it",
        ),
        (
            generated("{ GenerateStringKey: a }"),
            "S: GenerateSecretString.SecretStringTemplate: is missing; GenerateStringKey needs it",
        ),
    ]);
    let problems = read_text(&generated("{ SecretStringTemplate: '[]', GenerateStringKey: a }")).unwrap_err();
    assert!(problems[0].starts_with("S: GenerateSecretString.SecretStringTemplate: it is not a JSON object: "));
}

#[test]
fn a_mapping_is_an_event_or_a_resource_of_its_own() {
    let rest = "  Jobs: { Type: AWS::SQS::Queue }
  Ordered: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }
  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties:
      Runtime: provided.al2023
      Timeout: 20
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            BatchSize: 100
            MaximumBatchingWindowInSeconds: 15
            ScalingConfig: { MaximumConcurrency: 7 }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Ordered.Arn
      FunctionName: !GetAtt Work.Arn
      FunctionResponseTypes: [ReportBatchItemFailures]
      Enabled: false
";
    let mappings = read_text(&resources(rest)).unwrap().mappings;
    let jobs = model::Mapping {
        logical_id: "WorkJobs".to_owned(),
        queue: "local-Jobs".to_owned(),
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:local-Jobs".to_owned(),
        is_fifo: false,
        function: "Work".to_owned(),
        batch_size: 100,
        window_s: 15,
        // The window and the function's timeout, 35 s, are longer than the queue's 30 s.
        visibility_override_s: Some(65),
        maximum_concurrency: Some(7),
        reports_failures: false,
        enabled: true,
    };
    let ordered = model::Mapping {
        logical_id: "Mapping".to_owned(),
        queue: "local-Ordered.fifo".to_owned(),
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:local-Ordered.fifo".to_owned(),
        is_fifo: true,
        batch_size: 10,
        window_s: 0,
        visibility_override_s: None,
        maximum_concurrency: None,
        reports_failures: true,
        enabled: false,
        ..jobs.clone()
    };
    assert_eq!(mappings, [jobs, ordered]);
}

#[test]
fn each_bad_queue_and_mapping_has_its_message() {
    let queue = |properties: &str| resources(&format!("  Q: {{ Type: AWS::SQS::Queue, Properties: {properties} }}"));
    let event = |queue: &str, properties: &str| {
        let event = format!("{{ Type: SQS, Properties: {{ Queue: !GetAtt Q.Arn, {properties} }} }}");
        let function = FUNCTION.replace("Handler: bootstrap", &format!("Timeout: 20, Events: {{ E: {event} }}"));
        resources(&format!(
            "{function}  Q: {{ Type: AWS::SQS::Queue, Properties: {queue} }}"
        ))
    };
    check_problems([
        (
            queue("{ QueueName: q, FifoQueue: true }"),
            "Q: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
        ),
        (
            queue("{ VisibilityTimeout: 50000 }"),
            "Q: Invalid value 50000 for the parameter VisibilityTimeout: it must be from 0 to 43200.",
        ),
        (queue("{ Colour: blue }"), "Q: Colour: is not supported"),
        (
            queue("{ RedrivePolicy: { deadLetterTargetArn: arn, maxReceiveCount: 1 } }"),
            "Q: RedrivePolicy: there is no queue arn in this template",
        ),
        (
            event("{ FifoQueue: true }", "BatchSize: 11"),
            "Work: Events.E.Properties.BatchSize: at most 10 messages of a FIFO queue are a batch",
        ),
        (
            event("{ FifoQueue: true }", "MaximumBatchingWindowInSeconds: 1"),
            "Work: Events.E.Properties.MaximumBatchingWindowInSeconds: FIFO queues have no batching window",
        ),
        (
            event("{}", "BatchSize: 11"),
            "Work: Events.E.Properties.MaximumBatchingWindowInSeconds: must be at least 1 where BatchSize is greater than 10",
        ),
        (
            event("{ VisibilityTimeout: 19 }", "BatchSize: 1"),
            "Work: Events.E.Properties.Queue: the visibility timeout of Q, 19 seconds, is less than the timeout of Work, 20 seconds",
        ),
        (
            event("{}", "FilterCriteria: {}"),
            "Work: Events.E.Properties.FilterCriteria: is not supported",
        ),
        (
            event("{}", "ScalingConfig: { MaximumConcurrency: 1 }"),
            "Work: Events.E.Properties.ScalingConfig.MaximumConcurrency: 1 is not a whole number from 2 to 1000",
        ),
        (
            event("{}", "FunctionResponseTypes: [Other]"),
            "Work: Events.E.Properties.FunctionResponseTypes: Other is not supported; ReportBatchItemFailures is",
        ),
    ]);
}

/// Each text, and the one problem that it has.
fn check_problems<T: AsRef<str>>(cases: impl IntoIterator<Item = (T, &'static str)>) {
    for (text, problem) in cases {
        let text = text.as_ref();
        assert_eq!(read_text(text), Err(vec![problem.to_owned()]), "{text}");
    }
}

#[test]
fn each_bad_section_has_its_message() {
    check_problems([
        ("Resources: {}", "Resources: there are none"),
        ("Resources: { A: {} }", "A: Type is missing"),
        ("Resources: [a]", "Resources: is a list, not a map"),
        (
            "{Rules: {}, Resources: {A: {Type: AWS::IAM::Role}}}",
            "Rules: the local stack knows no such section",
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

#[test]
fn each_bad_table_and_websocket_api_has_its_message() {
    let socket = |rest: &str| resources(&format!("{FUNCTION}{SOCKET}{rest}"));
    let route = |properties: &str| {
        socket(&format!(
            "  R:\n    Type: AWS::ApiGatewayV2::Route\n    Properties: {{ ApiId: !Ref Socket, {properties} }}\n"
        ))
    };
    check_problems([
        (
            resources("  T: { Type: AWS::DynamoDB::Table, Properties: { KeySchema: [] } }"),
            "T: AttributeDefinitions: is missing",
        ),
        (
            socket("  Second: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: !Ref Socket, StageName: b } }"),
            "Socket: it has more than one AWS::ApiGatewayV2::Stage; one is supported",
        ),
        (
            resources("  S: { Type: AWS::ApiGatewayV2::Stage, Properties: { ApiId: other, StageName: b } }"),
            "S: ApiId: does not refer to an AWS::ApiGatewayV2::Api of this template",
        ),
        (
            route("RouteKey: $default, Target: nowhere"),
            "R: Target: nowhere does not refer to an AWS::ApiGatewayV2::Integration",
        ),
        (
            route("RouteKey: $default, AuthorizationType: AWS_IAM, Target: !Sub 'integrations/${Lambda}'"),
            "R: AuthorizationType: AWS_IAM is not supported; NONE or CUSTOM is",
        ),
        (
            route("RouteKey: $default, AuthorizationType: CUSTOM, Target: !Sub 'integrations/${Lambda}'"),
            "R: AuthorizationType: only $connect can have an authorizer",
        ),
    ]);
}

#[test]
fn an_unknown_parameter_is_named_with_those_that_exist() {
    let options = Options {
        parameters: BTreeMap::from([("Stag".to_owned(), "x".to_owned())]),
        ..Options::default()
    };
    let text = "{Parameters: {Stage: {Type: String, Default: a}}, Resources: {A: {Type: AWS::IAM::Role}}}";
    assert_eq!(
        read_with(text, &options),
        Err(vec![
            "parameter Stag: the template has no such parameter; it has Stage".to_owned()
        ])
    );
}

#[test]
fn what_refers_to_a_bad_parameter_has_no_problem_of_its_own() {
    let text = "
Transform: AWS::Serverless-2016-10-31
Parameters: { Size: { Type: Number, Default: many } }
Globals: { Function: { Runtime: provided.al2023, MemorySize: !Ref Size } }
Resources:
  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties: { FunctionName: !Sub 'work-${Size}' }
";
    check_problems([(text, "parameter Size: \"many\" is not a number")]);
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Path::new("/nowhere/template.yaml"), &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the template /nowhere/template.yaml");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_template_with_a_hole_in_it_never_panics(line in 0_usize..400, junk in "[ -~]{0,20}") {
        let ours = include_str!("../../../template.yaml");
        let replaced: Vec<&str> =
            ours.lines().enumerate().map(|(index, text)| if index == line { junk.as_str() } else { text }).collect();
        if let Ok(document) = yaml::parse(&replaced.join("\n")) {
            let _ = read(&document, Path::new("."), &Options::default());
        }
    }
}

#[test]
fn a_stage_says_how_much_its_routes_take() {
    let settings =
        "{ $connect: { ThrottlingRateLimit: 5, ThrottlingBurstLimit: 2 }, quiet: { ThrottlingRateLimit: 7 } }";
    let text = SOCKET.replace(
        "StageName: dev }",
        &format!("StageName: dev, DefaultRouteSettings: {{ ThrottlingRateLimit: 9, ThrottlingBurstLimit: '3' }}, RouteSettings: {settings} }}\n    DependsOn: [Connect, Quiet]"),
    );
    let route = |id: &str, key: &str| {
        format!(
            "  {id}:\n    Type: AWS::ApiGatewayV2::Route\n    Properties: {{ ApiId: !Ref Socket, RouteKey: {key}, Target: !Sub 'integrations/${{Lambda}}' }}\n"
        )
    };
    let routes = [
        route("Connect", "$connect"),
        route("Quiet", "quiet"),
        route("Rest", "$default"),
    ]
    .concat();
    let stack = read_text(&resources(&[FUNCTION, &text, &routes].concat())).unwrap();
    let rate = |key: &str| {
        stack.websocket_apis[0].routes[key]
            .rate
            .map(|rate| (rate.per_second, rate.burst))
    };
    assert_eq!(rate("$connect"), Some((5, 2)));
    assert_eq!(
        rate("quiet"),
        Some((7, 5_000)),
        "what is left out is the account's, not the default"
    );
    assert_eq!(rate("$default"), Some((9, 3)));
}

#[test]
fn settings_of_a_route_that_is_not_there_are_refused() {
    let text = SOCKET.replace(
        "StageName: dev }",
        "StageName: dev, RouteSettings: { join: { ThrottlingRateLimit: many }, $default: { ThrottlingRateLimit: 1 } } }",
    );
    let rest = "  Rest:
    Type: AWS::ApiGatewayV2::Route
    Properties: { ApiId: !Ref Socket, RouteKey: $default, Target: !Sub 'integrations/${Lambda}' }
  Web:
    Type: AWS::Serverless::HttpApi
    Properties: { RouteSettings: { GET /none: { ThrottlingRateLimit: 1 } } }
";
    assert_eq!(
        read_text(&resources(&[FUNCTION, &text, rest].concat())).unwrap_err(),
        [
            "Stage: RouteSettings.join.ThrottlingRateLimit: many is not a whole number from 0 to 4294967295",
            "Stage: RouteSettings: $default is not there when the stage is made; add Rest to its DependsOn",
            "Stage: RouteSettings: there is no route join",
            "Web: RouteSettings: there is no route GET /none",
        ]
    );
}

#[test]
fn an_http_api_may_say_that_it_asks_for_nothing_and_nothing_else() {
    let web = |auth: &str| {
        let api = format!("  Web: {{ Type: AWS::Serverless::HttpApi, Properties: {{ Auth: {auth} }} }}\n");
        read_text(&resources(&[FUNCTION, &api].concat()))
    };
    assert!(web("{ EnableIamAuthorizer: false }").is_ok());
    assert_eq!(
        web("{ EnableIamAuthorizer: true, DefaultAuthorizer: AWS_IAM }").unwrap_err(),
        [
            "Web: Auth.DefaultAuthorizer: is not supported",
            "Web: Auth.EnableIamAuthorizer: true is not supported; false is",
        ]
    );
}

#[test]
fn an_http_api_says_how_much_its_routes_take() {
    let text = resources(
        "  Web:
    Type: AWS::Serverless::HttpApi
    Properties:
      DefaultRouteSettings: { ThrottlingRateLimit: 9, ThrottlingBurstLimit: 3 }
      RouteSettings: { POST /login: { ThrottlingRateLimit: 2, ThrottlingBurstLimit: 1 } }
  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties:
      Runtime: provided.al2023
      LoggingConfig: { LogFormat: JSON, LogGroup: elsewhere }
      Events:
        Login: { Type: HttpApi, Properties: { ApiId: !Ref Web, Method: post, Path: /login } }
        Me: { Type: HttpApi, Properties: { ApiId: !Ref Web, Method: get, Path: /me } }
",
    );
    let stack = read_text(&text).unwrap();
    let rates: Vec<_> = stack.http_apis[0]
        .routes
        .iter()
        .map(|route| (route.key(), route.rate.map(|rate| (rate.per_second, rate.burst))))
        .collect();
    assert_eq!(
        rates,
        [
            ("POST /login".to_owned(), Some((2, 1))),
            ("GET /me".to_owned(), Some((9, 3)))
        ]
    );
    assert!(stack.functions["Work"].logs_json);
}

#[test]
fn resources_that_have_no_effect_here_are_resolved_for_whoever_asks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("template.yaml");
    let role = |statement: &str| {
        resources(&format!(
            "  Users: {{ Type: AWS::Serverless::SimpleTable }}\n  Role:\n    Type: AWS::IAM::Role\n    Properties: {{ Statement: [{statement}] }}\n"
        ))
    };
    std::fs::write(&path, role("!GetAtt Users.Arn, !Ref AWS::NoValue")).unwrap();
    let found = resolved(&path, &Options::default()).unwrap();
    assert_eq!(found["Role"].type_name, "AWS::IAM::Role");
    assert_eq!(
        found["Role"].properties,
        json!({"Statement": ["arn:aws:dynamodb:us-east-1:000000000000:table/local-Users"]})
    );
    std::fs::write(&path, role("!Ref Nobody")).unwrap();
    let problem = resolved(&path, &Options::default()).unwrap_err().to_string();
    assert!(problem.contains("Role: ") && problem.contains("Nobody"), "{problem}");
}
