//! Tables.

use super::*;

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
