//! HTTP APIs and their stages.

use super::*;

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
fn an_http_api_may_say_that_it_has_no_authorizer_and_nothing_else() {
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
fn an_http_api_sets_the_rates_of_its_routes() {
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
