//! HTTP APIs: the payload format 2.0, routes and responses.
//!
//! Sources:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::case::cases;
use crate::expect::{equal, is, no_nulls};
use crate::target::Target;

cases![
    the_event_is_of_format_2_0,
    headers_and_parameters_that_come_twice_are_joined,
    cookies_are_not_among_the_headers,
    absent_members_are_left_out,
    a_path_parameter_is_named,
    a_greedy_path_parameter_takes_the_rest,
    a_text_body_is_text,
    another_body_is_base64,
    a_response_is_sent_as_the_function_says,
    a_base64_response_is_decoded,
    a_result_without_a_status_is_the_body,
    a_failing_function_is_500,
    a_request_without_a_route_is_404,
];

/// The event of this request. The function answers with it.
async fn event(request: reqwest::RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    ensure!(answer.status() == 200, "{}", answer.status());
    let text = answer.text().await?;
    serde_json::from_str(&text).with_context(|| format!("not an event: {text}"))
}

async fn the_event_is_of_format_2_0(target: &Target) -> Result<()> {
    let request = target
        .http(Method::GET, "/echo?a=1&b=x%20y")
        .header("User-Agent", "probe/1");
    let event = event(request).await?;
    is(&event, "/version", "2.0")?;
    is(&event, "/routeKey", "ANY /echo")?;
    is(&event, "/rawPath", "/echo")?;
    is(&event, "/rawQueryString", "a=1&b=x%20y")?;
    is(&event, "/queryStringParameters", json!({"a": "1", "b": "x y"}))?;
    is(&event, "/isBase64Encoded", false)?;
    let context = &event["requestContext"];
    is(context, "/http/method", "GET")?;
    is(context, "/http/path", "/echo")?;
    is(context, "/http/protocol", "HTTP/1.1")?;
    is(context, "/http/userAgent", "probe/1")?;
    is(context, "/routeKey", "ANY /echo")?;
    is(context, "/stage", "$default")?;
    for member in ["accountId", "apiId", "domainName", "domainPrefix", "requestId", "time"] {
        ensure!(context[member].is_string(), "no {member}: {context}");
    }
    ensure!(context["http"]["sourceIp"].is_string(), "no sourceIp: {context}");
    ensure!(context["timeEpoch"].is_u64(), "no timeEpoch: {context}");
    Ok(())
}

async fn headers_and_parameters_that_come_twice_are_joined(target: &Target) -> Result<()> {
    let request = target.http(Method::GET, "/echo?x=1&y=2&x=3");
    let event = event(request.header("X-Custom", "a").header("X-Custom", "b")).await?;
    is(&event, "/queryStringParameters", json!({"x": "1,3", "y": "2"}))?;
    is(&event, "/headers/x-custom", "a,b")
}

async fn cookies_are_not_among_the_headers(target: &Target) -> Result<()> {
    let event = event(target.http(Method::GET, "/echo").header("Cookie", "one=1; two=2")).await?;
    is(&event, "/cookies", json!(["one=1", "two=2"]))?;
    ensure!(
        event["headers"].get("cookie").is_none(),
        "also among the headers: {}",
        event["headers"]
    );
    Ok(())
}

async fn absent_members_are_left_out(target: &Target) -> Result<()> {
    let event = event(target.http(Method::GET, "/echo")).await?;
    for member in [
        "cookies",
        "queryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ] {
        ensure!(event.get(member).is_none(), "{member} is {}", event[member]);
    }
    is(&event, "/rawQueryString", "")?;
    no_nulls(&event)
}

async fn a_path_parameter_is_named(target: &Target) -> Result<()> {
    let event = event(target.http(Method::GET, "/user/7")).await?;
    is(&event, "/routeKey", "GET /user/{user_id}")?;
    is(&event, "/rawPath", "/user/7")?;
    is(&event, "/pathParameters", json!({"user_id": "7"}))
}

async fn a_greedy_path_parameter_takes_the_rest(target: &Target) -> Result<()> {
    let event = event(target.http(Method::PUT, "/files/a/b.txt").body("x")).await?;
    is(&event, "/routeKey", "ANY /files/{proxy+}")?;
    is(&event, "/pathParameters", json!({"proxy": "a/b.txt"}))
}

async fn a_text_body_is_text(target: &Target) -> Result<()> {
    for content_type in ["application/json", "text/plain"] {
        let request = target.http(Method::POST, "/echo").header("Content-Type", content_type);
        let event = event(request.body(r#"{"a":"ä"}"#)).await?;
        is(&event, "/body", r#"{"a":"ä"}"#)?;
        is(&event, "/isBase64Encoded", false)?;
    }
    Ok(())
}

async fn another_body_is_base64(target: &Target) -> Result<()> {
    let request = target
        .http(Method::POST, "/echo")
        .header("Content-Type", "application/octet-stream");
    let event = event(request.body(vec![0_u8, 0xff])).await?;
    is(&event, "/body", "AP8=")?;
    is(&event, "/isBase64Encoded", true)
}

/// The response to a request whose function returns this result.
async fn response(target: &Target, result: &Value) -> Result<Response> {
    let order = json!({ "answer": result }).to_string();
    let request = target
        .http(Method::POST, "/echo")
        .header("Content-Type", "application/json");
    Ok(request.body(order).send().await?)
}

async fn a_response_is_sent_as_the_function_says(target: &Target) -> Result<()> {
    let result = json!({
        "statusCode": 418, "headers": {"X-Tea": "pot"}, "cookies": ["a=1", "b=2; HttpOnly"], "body": "short and stout",
    });
    let response = response(target, &result).await?;
    equal(response.status().as_u16(), 418)?;
    equal(
        response.headers().get("x-tea").and_then(|value| value.to_str().ok()),
        Some("pot"),
    )?;
    let cookies = response.headers().get_all("set-cookie").iter();
    let cookies: Vec<&str> = cookies.filter_map(|value| value.to_str().ok()).collect();
    equal(cookies, vec!["a=1", "b=2; HttpOnly"])?;
    equal(response.text().await?, "short and stout".to_owned())
}

async fn a_base64_response_is_decoded(target: &Target) -> Result<()> {
    let result = json!({"statusCode": 200, "body": "AP8=", "isBase64Encoded": true});
    equal(response(target, &result).await?.bytes().await?.to_vec(), vec![0, 0xff])
}

async fn a_result_without_a_status_is_the_body(target: &Target) -> Result<()> {
    for result in [json!({"n": 1}), json!("hello")] {
        let response = response(target, &result).await?;
        equal(response.status().as_u16(), 200)?;
        let content_type = response.headers().get("content-type");
        equal(
            content_type.and_then(|value| value.to_str().ok()),
            Some("application/json"),
        )?;
        let text = response.text().await?;
        // A string is the body itself.
        let body = if result.is_string() {
            Value::from(text)
        } else {
            serde_json::from_str(&text)?
        };
        equal(body, result)?;
    }
    Ok(())
}

async fn a_failing_function_is_500(target: &Target) -> Result<()> {
    for order in [json!({"fail": "no"}), json!({"exit": 1})] {
        let request = target
            .http(Method::POST, "/echo")
            .header("Content-Type", "application/json");
        let response = request.body(order.to_string()).send().await?;
        equal(response.status().as_u16(), 500)?;
        equal(
            response.text().await?,
            r#"{"message":"Internal Server Error"}"#.to_owned(),
        )?;
    }
    Ok(())
}

async fn a_request_without_a_route_is_404(target: &Target) -> Result<()> {
    for (method, path) in [
        (Method::GET, "/"),
        (Method::POST, "/user/7"),
        (Method::GET, "/user/7/more"),
    ] {
        let response = target.http(method, path).send().await?;
        ensure!(response.status() == 404, "{path}: {}", response.status());
        equal(response.text().await?, r#"{"message":"Not Found"}"#.to_owned())?;
    }
    Ok(())
}
