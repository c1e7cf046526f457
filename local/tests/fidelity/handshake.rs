//! The handshake: `$connect` and the authorizer decide before 101.

use serde_json::{Value, json};
use tempfile::TempDir;
use wigwag_local::gateway::{Limits, Rate};

use crate::harness::{eventually, within};
use crate::test_server::{
    TestServer, answer, api, authorized_api, disconnect, handshake, send, settled, text, text_at,
};

fn status(code: u16) -> Value {
    json!({"answer": {"statusCode": code, "body": "told"}})
}

#[tokio::test]
async fn the_upgrade_waits_for_connect_and_a_2xx_opens_it() {
    let server = TestServer::start().await;
    for code in [200, 201, 204] {
        assert!(server.try_open(&[("do", status(code))]).await.is_ok(), "{code}");
    }
}

#[tokio::test]
async fn any_other_status_of_connect_is_the_status_of_the_handshake() {
    let server = TestServer::start().await;
    for code in [301, 400, 401, 403, 500, 501] {
        assert_eq!(server.refusal(&[("do", status(code))]).await, code);
    }
}

#[tokio::test]
async fn a_failing_connect_is_502() {
    let server = TestServer::start().await;
    for order in [
        json!({"fail": "no"}),
        json!({"panic": "no"}),
        json!({"exit": 1}),
        json!({"answer": "no status"}),
    ] {
        assert_eq!(server.refusal(&[("do", order)]).await, 502);
    }
}

#[tokio::test]
async fn a_plain_get_is_asked_to_upgrade() {
    let server = TestServer::start().await;
    let (head, _) = server.raw("GET /prod HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
}

#[tokio::test]
async fn an_unknown_stage_is_forbidden() {
    let server = TestServer::start().await;
    for path in ["/", "/test", "/prod/more"] {
        let (head, _) = server.raw(&handshake(path, "")).await;
        assert!(head.starts_with("HTTP/1.1 403 "), "{path}: {head}");
    }
}

#[tokio::test]
async fn a_connection_cannot_be_posted_to_before_connect_returned() {
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let mut server = TestServer::start().await;
    let order = json!({"wait_for": gate, "answer": {"statusCode": 200}});
    let url = [("do", order)];
    let address = server.address;
    let opening = tokio::spawn(async move {
        let order = percent_encoding::utf8_percent_encode(&url[0].1.to_string(), percent_encoding::NON_ALPHANUMERIC)
            .to_string();
        tokio_tungstenite::connect_async(format!("ws://{address}/prod?do={order}")).await
    });
    let id = text_at(&server.functions.event("Connect").await, "/requestContext/connectionId");
    assert_eq!(server.post(&id, "early").await.status(), 410);
    std::fs::write(&gate, "").unwrap();
    let (_socket, _) = within(opening).await.unwrap().unwrap();
    assert_eq!(server.post(&id, "in time").await.status(), 200);
}

#[tokio::test]
async fn the_function_chooses_the_subprotocol_among_those_offered() {
    let server = TestServer::start().await;
    let choose = |name: &str, protocol: &str| json!({"answer": {"statusCode": 200, "headers": {name: protocol}}});
    let offer = "Sec-WebSocket-Protocol: a.v1, b.v1\r\n";
    for (order, offer, chosen) in [
        (choose("Sec-WebSocket-Protocol", "b.v1"), offer, Some("b.v1")),
        (choose("sec-websocket-protocol", "a.v1"), offer, Some("a.v1")),
        (choose("Sec-WebSocket-Protocol", "c.v1"), offer, None),
        (choose("Sec-WebSocket-Protocol", "a.v1"), "", None),
        (json!({"answer": {"statusCode": 200}}), offer, None),
    ] {
        let (head, _) = server.raw_open(&[("do", order)], offer).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let head = head.to_ascii_lowercase();
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(line, chosen, "{head}");
        assert!(
            head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
            "{head}"
        );
    }
}

#[tokio::test]
async fn the_connect_event_is_as_on_aws() {
    let mut server = TestServer::start().await;
    let headers = "X-aPi: one\r\nx-api-two: 2\r\nX-aPi: three\r\nUser-Agent: probe/1\r\n";
    let request = handshake("/prod?a=1&b=x%20y+z&a=2", headers);
    let (head, _stream) = server.raw(&request).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    insta::assert_snapshot!(settled(server.functions.event("Connect").await));
}

#[tokio::test]
async fn without_query_and_user_agent_their_members_are_absent() {
    let mut server = TestServer::start().await;
    let (_, _stream) = server.raw(&handshake("/prod", "")).await;
    insta::assert_snapshot!(settled(server.functions.event("Connect").await));
}

#[tokio::test]
async fn a_refused_connection_gets_no_disconnect() {
    let mut server = TestServer::start().await;
    assert_eq!(server.refusal(&[("do", status(401))]).await, 401);
    server.functions.event("Connect").await;
    let (socket, id) = server.open_with_id().await;
    drop(socket);
    let event = server.functions.event("Disconnect").await;
    assert_eq!(text_at(&event, "/requestContext/connectionId"), id);
}

#[tokio::test]
async fn a_client_that_goes_away_during_connect_gets_its_disconnect() {
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let mut server = TestServer::start().await;
    let order = json!({"wait_for": gate}).to_string();
    let order = percent_encoding::utf8_percent_encode(&order, percent_encoding::NON_ALPHANUMERIC);
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let request = handshake(&format!("/prod?do={order}"), "");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .unwrap();
    server.functions.event("Connect").await;
    drop(stream);
    std::fs::write(&gate, "").unwrap();
    assert_eq!(
        disconnect(&mut server.functions).await,
        (1006, "Connection Closed Abnormally".to_owned())
    );
}

#[tokio::test]
async fn a_handshake_over_the_rate_is_429() {
    let rate = Rate {
        per_second: 0,
        burst: 1,
    };
    let server = TestServer::limited(Limits {
        rate,
        ..Limits::default()
    })
    .await;
    let _first = server.open().await;
    assert_eq!(server.refusal(&[]).await, 429);
}

#[tokio::test]
async fn a_handshake_over_the_rate_of_its_route_is_429_and_frames_pass() {
    let mut api = api();
    api.routes.get_mut("$connect").unwrap().rate = Some(Rate {
        per_second: 0,
        burst: 1,
    });
    let server = TestServer::with_api(api).await;
    let mut first = server.open().await;
    assert_eq!(server.refusal(&[]).await, 429);
    send(&mut first, answer("still here")).await;
    assert_eq!(text(&mut first).await, "still here");
}

#[tokio::test]
async fn a_missing_identity_source_is_401_and_the_authorizer_is_not_asked() {
    let api = authorized_api(&["route.request.querystring.token", "route.request.header.X-Key"]);
    let mut server = TestServer::with_api(api).await;
    for (query, headers) in [
        ("", ""),
        ("?token=t", ""),
        ("?token=&x=y", "X-Key: k\r\n"),
        ("", "X-Key: k\r\n"),
    ] {
        let (head, _) = server.raw(&handshake(&format!("/prod{query}"), headers)).await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{query} {headers}: {head}");
    }
    let (head, _stream) = server.raw(&handshake("/prod?token=second", "x-key: k\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let asked = server.functions.event("Authorizer").await;
    assert_eq!(text_at(&asked, "/queryStringParameters/token"), "second");
}

#[tokio::test]
async fn the_authorizers_answer_becomes_the_status_of_the_handshake() {
    let server = TestServer::with_api(authorized_api(&[])).await;
    let deny = json!({"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"});
    let deny =
        json!({"answer": {"principalId": "p", "policyDocument": {"Version": "2012-10-17", "Statement": [deny]}}});
    for (order, code) in [
        (json!({"fail": "Unauthorized"}), 401),
        (json!({"fail": "unauthorized"}), 500),
        (json!({"exit": 1}), 500),
        (deny, 403),
        (json!({"answer": {"principalId": "p"}}), 500),
        (json!({"answer": "allow"}), 500),
    ] {
        assert_eq!(server.refusal(&[("auth", order.clone())]).await, code, "{order}");
    }
}

#[tokio::test]
async fn the_authorizer_event_is_as_on_aws() {
    let mut server = TestServer::with_api(authorized_api(&[])).await;
    let (_, _stream) = server.raw(&handshake("/prod?token=t", "")).await;
    insta::assert_snapshot!(settled(server.functions.event("Authorizer").await));
}

#[tokio::test]
async fn the_authorizers_context_is_in_every_event_and_its_latency_only_in_connect() {
    let mut server = TestServer::with_api(authorized_api(&[])).await;
    let allow = json!({"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "arn:aws:execute-api:*/prod/*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [allow]});
    let context = json!({"user": "7", "level": 3, "admin": false});
    let order = json!({"answer": {"principalId": "u7", "policyDocument": policy, "context": context}});
    let mut socket = server.try_open(&[("auth", order)]).await.unwrap();
    let connect = server.functions.event("Connect").await;
    let mut said = connect["requestContext"]["authorizer"].clone();
    let latency = said.as_object_mut().unwrap().remove("integrationLatency");
    assert!(latency.is_some_and(|latency| latency.is_u64()));
    assert_eq!(
        said,
        json!({"principalId": "u7", "user": "7", "level": "3", "admin": "false"})
    );
    crate::test_server::send(&mut socket, json!({})).await;
    let message = server.functions.event("Default").await;
    assert_eq!(message["requestContext"]["authorizer"], said);
    drop(socket);
    let end = server.functions.event("Disconnect").await;
    assert_eq!(end["requestContext"]["authorizer"], said);
}

#[tokio::test]
async fn a_gateway_that_stops_does_not_wait_for_functions() {
    let mut server = TestServer::start().await;
    let order =
        percent_encoding::utf8_percent_encode(r#"{"hang":true}"#, percent_encoding::NON_ALPHANUMERIC).to_string();
    let url = format!("ws://{}/prod?do={order}", server.address);
    let opening = tokio::spawn(tokio_tungstenite::connect_async(url));
    server.functions.event("Connect").await;
    within(server.gateway.stop()).await;
    assert!(within(opening).await.unwrap().is_err());
    eventually("the port is free", || {
        std::net::TcpStream::connect(server.address).is_err()
    })
    .await;
}
