//! HTTP APIs: payload format 2.0, routes, responses.

use std::net::SocketAddr;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wigwag_local::gateway::http::{self, BODY_LIMIT_BYTES, HttpOptions, HttpServer};
use wigwag_local::gateway::{Rate, Throttle};
use wigwag_local::meter::Meter;
use wigwag_local::template::model::{HttpApi, HttpRoute};

use crate::harness::{Functions, function, within};
use crate::test_server::SHORT;

struct Api {
    functions: Functions,
    server: HttpServer,
    address: SocketAddr,
}

impl Api {
    async fn start() -> Self {
        Self::with(HttpOptions::default()).await
    }

    async fn with(options: HttpOptions) -> Self {
        let routes = [
            ("ANY", "/echo"),
            ("GET", "/user/{user_id}"),
            ("ANY", "/files/{proxy+}"),
            ("GET", "/rare"),
        ];
        let routes = routes.map(|(method, path)| HttpRoute {
            method: method.to_owned(),
            path: path.to_owned(),
            function: "Api".to_owned(),
            rate: (path == "/rare").then_some(Rate {
                per_second: 0,
                burst: 1,
            }),
        });
        let api = HttpApi {
            logical_id: "HttpApi".to_owned(),
            api_id: "zyxwvutsrq".to_owned(),
            stage: "$default".to_owned(),
            routes: routes.into(),
        };
        let functions = Functions::start([function("Api")]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lambda = functions.lambda.clone();
        let server = http::serve_with(listener, vec![api], lambda, Meter::default(), options);
        Self {
            functions,
            server,
            address,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http().request(method, format!("http://{}{path}", self.address))
    }

    /// Makes the function answer a POST with this result.
    async fn answer(&self, result: Value) -> (StatusCode, String) {
        let order = json!({ "answer": result }).to_string();
        let response = within(self.request(Method::POST, "/echo").body(order).send())
            .await
            .unwrap();
        (response.status(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn the_event_is_of_format_2_0() {
    let mut api = Api::start().await;
    let request = api
        .request(Method::GET, "/user/a%20b?x=1&y=2&x=3%204")
        .header("Cookie", "one=1; two=2")
        .header("X-Custom", "a")
        .header("X-Custom", "b")
        .header("User-Agent", "test/1")
        .header("Accept", "*/*")
        .header("X-Amzn-Trace-Id", "trace");
    assert_eq!(within(request.send()).await.unwrap().status(), 200);
    let mut event = api.functions.event("Api").await;
    let context = &mut event["requestContext"];
    for member in ["requestId", "time", "timeEpoch"] {
        assert!(!context[member].is_null());
        context[member] = json!(member);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&event).unwrap());
}

#[tokio::test]
async fn a_text_body_is_text_and_another_is_base64() {
    let mut api = Api::start().await;
    let cases: [(&str, &[u8], &str, bool); 4] = [
        ("application/json", b"{\"a\":1}", "{\"a\":1}", false),
        ("text/plain", b"hi", "hi", false),
        ("application/octet-stream", b"hi", "aGk=", true),
        ("application/json", &[0xff], "/w==", true),
    ];
    for (content_type, body, expected, encoded) in cases {
        let request = api
            .request(Method::PUT, "/files/a/b")
            .header("Content-Type", content_type)
            .body(body.to_vec());
        within(request.send()).await.unwrap();
        let event = api.functions.event("Api").await;
        assert_eq!(
            (&event["body"], &event["isBase64Encoded"]),
            (&json!(expected), &json!(encoded))
        );
        assert_eq!(event["pathParameters"], json!({"proxy": "a/b"}));
        assert_eq!(event["routeKey"], "ANY /files/{proxy+}");
    }
}

#[tokio::test]
async fn a_response_is_sent_as_the_function_says() {
    let api = Api::start().await;
    let told =
        json!({"statusCode": 418, "headers": {"X-Tea": "pot"}, "cookies": ["a=1", "b=2"], "body": "short and stout"});
    let order = json!({ "answer": told }).to_string();
    let response = within(api.request(Method::POST, "/echo").body(order).send())
        .await
        .unwrap();
    assert_eq!(response.status(), 418);
    assert_eq!(response.headers()["x-tea"], "pot");
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert!(response.headers().contains_key("apigw-requestid"));
    assert_eq!(response.text().await.unwrap(), "short and stout");
}

#[tokio::test]
async fn a_result_without_a_status_is_itself_the_body() {
    let api = Api::start().await;
    assert_eq!(
        api.answer(json!({"n": 1})).await,
        (StatusCode::OK, r#"{"n":1}"#.to_owned())
    );
    assert_eq!(api.answer(json!("hello")).await, (StatusCode::OK, "hello".to_owned()));
}

#[tokio::test]
async fn a_failing_function_or_a_malformed_response_is_500() {
    let api = Api::start().await;
    let expected = (
        StatusCode::INTERNAL_SERVER_ERROR,
        r#"{"message":"Internal Server Error"}"#.to_owned(),
    );
    assert_eq!(api.answer(json!({"statusCode": "many"})).await, expected);
    for order in [json!({"fail": "no"}), json!({"exit": 1})] {
        let response = within(api.request(Method::POST, "/echo").body(order.to_string()).send())
            .await
            .unwrap();
        assert_eq!((response.status(), response.text().await.unwrap()), expected);
    }
}

#[tokio::test]
async fn a_request_without_a_route_is_404() {
    let api = Api::start().await;
    for (method, path) in [
        (Method::GET, "/"),
        (Method::POST, "/user/7"),
        (Method::GET, "/user/7/more"),
        (Method::GET, "/files/"),
    ] {
        let response = within(api.request(method, path).send()).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.text().await.unwrap().as_str()),
            (404, r#"{"message":"Not Found"}"#)
        );
    }
}

#[tokio::test]
async fn a_body_over_ten_megabytes_is_413() {
    let api = Api::start().await;
    let request = api
        .request(Method::POST, "/echo")
        .body(vec![b'x'; BODY_LIMIT_BYTES + 1]);
    assert_eq!(within(request.send()).await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_request_over_the_rate_is_429() {
    let throttle = Throttle::new(Rate {
        per_second: 0,
        burst: 1,
    });
    let api = Api::with(HttpOptions {
        throttle,
        ..HttpOptions::default()
    })
    .await;
    assert_eq!(
        within(api.request(Method::GET, "/echo").send()).await.unwrap().status(),
        200
    );
    let response = within(api.request(Method::GET, "/echo").send()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.text().await.unwrap().as_str()),
        (429, r#"{"message":"Too Many Requests"}"#)
    );
}

#[tokio::test]
async fn a_request_over_the_rate_of_its_route_is_429_and_others_pass() {
    let api = Api::start().await;
    let get = async |path| within(api.request(Method::GET, path).send()).await.unwrap();
    assert_eq!(get("/rare").await.status(), 200);
    let response = get("/rare").await;
    assert_eq!(
        (response.status().as_u16(), response.text().await.unwrap().as_str()),
        (429, r#"{"message":"Too Many Requests"}"#)
    );
    assert_eq!(get("/echo").await.status(), 200);
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_503() {
    let api = Api::with(HttpOptions {
        integration: SHORT,
        ..HttpOptions::default()
    })
    .await;
    let request = api
        .request(Method::POST, "/echo")
        .body(json!({"hang": true}).to_string());
    let response = within(request.send()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.text().await.unwrap(), r#"{"message":"Service Unavailable"}"#);
}

#[tokio::test]
async fn stopping_ends_requests_under_way() {
    let mut api = Api::start().await;
    let request = api
        .request(Method::POST, "/echo")
        .body(json!({"hang": true}).to_string());
    let waiting = tokio::spawn(request.send());
    api.functions.event("Api").await;
    within(api.server.stop()).await;
    assert!(within(waiting).await.unwrap().is_err());
}

/// An HTTP client. reqwest needs a cryptography provider, even for plain HTTP.
fn http() -> reqwest::Client {
    // This fails if another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
