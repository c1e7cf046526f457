//! WebSocket APIs and their stages.

use super::*;

#[test]
fn a_websocket_api_is_assembled_from_its_parts() {
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
fn a_stage_sets_the_rates_of_its_routes() {
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
fn settings_of_a_route_that_does_not_exist_are_refused() {
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
            "Stage: RouteSettings: $default does not exist yet when the stage is created; add Rest to its DependsOn",
            "Stage: RouteSettings: there is no route join",
            "Web: RouteSettings: there is no route GET /none",
        ]
    );
}
