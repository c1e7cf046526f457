//! The payload format 2.0: requests become events, and results become responses.
//!
//! An absent member is left out, not null.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::clock::Moment;
use super::connections::domain_name;
use super::event::query_pairs;
use super::http_route::RouteMatch;
use crate::lambda::{ACCOUNT_ID, ids};

/// One request to an HTTP API.
#[derive(Debug)]
pub(super) struct HttpCall<'a> {
    pub(super) parts: &'a http::request::Parts,
    pub(super) body: &'a Bytes,
    pub(super) source_ip: IpAddr,
    pub(super) request_id: &'a str,
}

/// The event of a request.
pub(super) fn request(matched: &RouteMatch<'_>, call: &HttpCall<'_>) -> Value {
    let parts = call.parts;
    let now = Moment::now();
    let mut event = Map::new();
    let mut put = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
    put("version", json!("2.0"));
    put("routeKey", json!(matched.route_key()));
    put("rawPath", json!(parts.uri.path()));
    put("rawQueryString", json!(parts.uri.query().unwrap_or_default()));
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        put("cookies", json!(cookies));
    }
    put("headers", headers(matched, call, now));
    let query = parts.uri.query().map(query_pairs).unwrap_or_default();
    if !query.is_empty() {
        put("queryStringParameters", joined(query));
    }
    put("requestContext", context(matched, call, now));
    if !matched.parameters.is_empty() {
        put("pathParameters", joined(matched.parameters.clone()));
    }
    let text = text_of(call);
    if !call.body.is_empty() {
        put(
            "body",
            text.map_or_else(|| json!(STANDARD.encode(call.body)), |text| json!(text)),
        );
    }
    put("isBase64Encoded", json!(!call.body.is_empty() && text.is_none()));
    Value::Object(event)
}

/// Turns the result into a response. Without a `statusCode` the result itself is the body, as JSON,
/// with 200.
///
/// `None` if the result is malformed.
pub(super) fn response(result: &Value) -> Option<Response<Bytes>> {
    let Some(status) = result.get("statusCode") else {
        let body = result.as_str().map_or_else(|| result.to_string(), str::to_owned);
        let mut response = Response::new(Bytes::from(body));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Some(response);
    };
    let number = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let status = StatusCode::from_u16(u16::try_from(number).ok()?)
        .ok()
        .filter(|status| !status.is_informational())?;
    let mut response = Response::new(body_of(result)?);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=utf-8"));
    for (name, value) in result.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let name = HeaderName::try_from(name).ok()?;
        // The server itself sets the headers that frame the body.
        if name != http::header::CONTENT_LENGTH && name != http::header::TRANSFER_ENCODING {
            headers.insert(name, HeaderValue::try_from(scalar(value)?).ok()?);
        }
    }
    for cookie in result.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        headers.append(SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
    }
    Some(response)
}

fn body_of(result: &Value) -> Option<Bytes> {
    let body = match result.get("body") {
        None | Some(Value::Null) => return Some(Bytes::new()),
        Some(Value::String(body)) => body.clone(),
        Some(other) => other.to_string(),
    };
    if result.get("isBase64Encoded") == Some(&Value::Bool(true)) {
        return STANDARD.decode(body).ok().map(Bytes::from);
    }
    Some(Bytes::from(body))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn context(matched: &RouteMatch<'_>, call: &HttpCall<'_>, now: Moment) -> Value {
    let api = matched.api;
    let mut http = Map::new();
    http.insert("method".to_owned(), json!(call.parts.method.as_str()));
    http.insert("path".to_owned(), json!(call.parts.uri.path()));
    http.insert("protocol".to_owned(), json!(format!("{:?}", call.parts.version)));
    http.insert("sourceIp".to_owned(), json!(call.source_ip));
    let user_agent = call
        .parts
        .headers
        .get("user-agent")
        .and_then(|value| value.to_str().ok());
    http.insert("userAgent".to_owned(), json!(user_agent.unwrap_or_default()));
    json!({
        "accountId": ACCOUNT_ID,
        "apiId": api.api_id,
        "domainName": domain_name(&api.api_id),
        "domainPrefix": api.api_id,
        "http": http,
        "requestId": call.request_id,
        "routeKey": matched.route_key(),
        "stage": api.stage,
        "time": now.common_log(),
        "timeEpoch": now.epoch_ms(),
    })
}

fn headers(matched: &RouteMatch<'_>, call: &HttpCall<'_>, now: Moment) -> Value {
    let own = ["connection", "x-forwarded-port", "x-forwarded-proto"];
    let kept = call
        .parts
        .headers
        .iter()
        .filter(|(name, _)| **name != COOKIE && !own.contains(&name.as_str()));
    let mut pairs: Vec<(String, String)> = kept
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .filter(|(name, _)| name != "host")
        .collect();
    pairs.push(("host".to_owned(), domain_name(&matched.api.api_id)));
    pairs.push(("x-forwarded-for".to_owned(), call.source_ip.to_string()));
    pairs.push(("x-forwarded-port".to_owned(), "443".to_owned()));
    pairs.push(("x-forwarded-proto".to_owned(), "https".to_owned()));
    if !call.parts.headers.contains_key("x-amzn-trace-id") {
        pairs.push(("x-amzn-trace-id".to_owned(), ids::trace_root(now.since_epoch())));
    }
    joined(pairs)
}

/// The pairs sorted by name. The values of one name are joined with commas.
fn joined(pairs: Vec<(String, String)>) -> Value {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        all.entry(name).or_default().push(value);
    }
    Value::Object(
        all.into_iter()
            .map(|(name, values)| (name, Value::String(values.join(","))))
            .collect(),
    )
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .collect()
}

/// The body as text, if it has a text type and is UTF-8.
fn text_of<'a>(call: &'a HttpCall<'_>) -> Option<&'a str> {
    let headers = &call.parts.headers;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_plain = content_type.is_none_or(is_text_type) && !headers.contains_key(CONTENT_ENCODING);
    std::str::from_utf8(call.body).ok().filter(|_| is_plain)
}

fn is_text_type(content_type: &str) -> bool {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let known = ["application/json", "application/javascript", "application/xml"];
    essence.starts_with("text/")
        || known.contains(&essence.as_str())
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_without_a_status_is_the_body_itself() {
        let sent = response(&json!({"a": 1})).unwrap();
        assert_eq!(
            (sent.status(), sent.body().as_ref()),
            (StatusCode::OK, br#"{"a":1}"#.as_slice())
        );
        assert_eq!(sent.headers()["content-type"], "application/json");
        assert_eq!(response(&json!("Hi")).unwrap().body(), "Hi");
    }

    #[test]
    fn a_result_with_a_status_is_sent_as_it_says() {
        let result = json!({
            "statusCode": 201,
            "headers": {"X-Count": 3, "content-type": "text/html"},
            "cookies": ["a=1", "b=2; HttpOnly"],
            "body": "aGk=",
            "isBase64Encoded": true,
        });
        let sent = response(&result).unwrap();
        assert_eq!(
            (sent.status(), sent.body().as_ref()),
            (StatusCode::CREATED, b"hi".as_slice())
        );
        assert_eq!(
            (&sent.headers()["x-count"], &sent.headers()["content-type"]),
            (&"3".parse().unwrap(), &"text/html".parse().unwrap())
        );
        assert_eq!(sent.headers().get_all(SET_COOKIE).iter().count(), 2);
    }

    #[test]
    fn a_result_that_cannot_be_sent_is_malformed() {
        let malformed = [
            json!({"statusCode": 7}),
            json!({"statusCode": "ok"}),
            json!({"statusCode": 101}),
            json!({"statusCode": 200, "headers": {"a b": "c"}}),
            json!({"statusCode": 200, "body": "%", "isBase64Encoded": true}),
        ];
        for result in malformed {
            assert!(response(&result).is_none(), "{result}");
        }
    }

    #[test]
    fn only_text_types_stay_text() {
        for text in [
            "application/json; charset=utf-8",
            "text/plain",
            "application/problem+json",
            "image/svg+xml",
        ] {
            assert!(is_text_type(text), "{text}");
        }
        for binary in [
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            "image/png",
            "",
        ] {
            assert!(!is_text_type(binary), "{binary}");
        }
    }
}
