//! Messages: routes, answers, error frames, and the lack of order among them.

use serde_json::json;
use tempfile::TempDir;
use wigwag_local::gateway::{GatewayFaults, Limits, Rate};

use crate::harness::{eventually, within};
use crate::test_server::{Setup, TestServer, answer, api, send, settled, text, text_at};

#[tokio::test]
async fn the_body_of_a_route_with_a_response_is_sent_back() {
    let server = TestServer::start().await;
    let mut socket = server.open().await;
    send(&mut socket, answer("hello")).await;
    assert_eq!(text(&mut socket).await, "hello");
    send(
        &mut socket,
        json!({"answer": {"statusCode": 500, "body": "still sent"}}),
    )
    .await;
    assert_eq!(text(&mut socket).await, "still sent");
    send(
        &mut socket,
        json!({"answer": {"statusCode": 200, "body": "aGk=", "isBase64Encoded": true}}),
    )
    .await;
    assert_eq!(text(&mut socket).await, "hi");
}

#[tokio::test]
async fn without_a_route_response_or_a_body_nothing_is_sent_back() {
    let mut server = TestServer::start().await;
    let mut socket = server.open().await;
    let quiet = json!({"action": "quiet", "answer": {"statusCode": 200, "body": "dropped"}});
    for silent in [
        quiet,
        json!({"answer": {"statusCode": 401}}),
        json!({"answer": "no response at all"}),
    ] {
        send(&mut socket, silent).await;
        server.functions.event("Default").await;
        eventually("it has answered", || {
            server.functions.lambda.idle_processes("Default") == 1
        })
        .await;
    }
    send(&mut socket, answer("heard")).await;
    assert_eq!(text(&mut socket).await, "heard");
}

#[tokio::test]
async fn the_message_event_is_as_on_aws() {
    let mut server = TestServer::start().await;
    let mut socket = server.open().await;
    send(&mut socket, json!({"action": "quiet", "n": 1})).await;
    insta::assert_snapshot!(settled(server.functions.event("Default").await));
}

#[tokio::test]
async fn each_message_has_its_own_ids_and_those_of_its_connection() {
    let mut server = TestServer::start().await;
    let (mut socket, id) = server.open_with_id().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        send(&mut socket, json!({})).await;
        let event = server.functions.event("Default").await;
        assert_eq!(text_at(&event, "/requestContext/connectionId"), id);
        for member in ["requestId", "messageId"] {
            let id = text_at(&event, &format!("/requestContext/{member}"));
            assert!(id.len() == 16 && id.ends_with('='), "{id}");
            seen.push(id);
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn a_message_that_selects_no_route_takes_the_default_route() {
    let mut server = TestServer::start().await;
    let mut socket = server.open().await;
    for (body, key) in [
        ("not JSON", "$default"),
        (r#"{"action":"other"}"#, "$default"),
        (r#"{"action":"quiet"}"#, "quiet"),
    ] {
        within(futures_util::SinkExt::send(&mut socket, body.into()))
            .await
            .unwrap();
        let event = server.functions.event("Default").await;
        assert_eq!(text_at(&event, "/requestContext/routeKey"), key);
        assert_eq!(text_at(&event, "/body"), body);
    }
}

#[tokio::test]
async fn a_failing_function_is_an_internal_server_error_frame_and_the_socket_stays_open() {
    let mut server = TestServer::start().await;
    let (mut socket, id) = server.open_with_id().await;
    let orders = [
        json!({"fail": "no"}),
        json!({"panic": "no"}),
        json!({"exit": 1}),
        json!({"action": "quiet", "fail": "no"}),
    ];
    for order in orders {
        send(&mut socket, order).await;
        let event = server.functions.event("Default").await;
        let request = text_at(&event, "/requestContext/requestId");
        let expected =
            format!(r#"{{"message": "Internal server error", "connectionId":"{id}", "requestId":"{request}"}}"#);
        assert_eq!(text(&mut socket).await, expected);
    }
    send(&mut socket, answer("still here")).await;
    assert_eq!(text(&mut socket).await, "still here");
}

#[tokio::test]
async fn a_slow_integration_gets_an_internal_server_error_frame() {
    let mut api = api();
    api.routes.get_mut("$default").unwrap().timeout_ms = 300;
    let server = TestServer::with_api(api).await;
    let mut socket = server.open().await;
    send(&mut socket, json!({"hang": true})).await;
    assert!(
        text(&mut socket)
            .await
            .starts_with(r#"{"message": "Internal server error", "#)
    );
}

#[tokio::test]
async fn without_a_default_route_a_message_that_selects_none_is_forbidden() {
    let mut api = api();
    api.routes.remove("$default");
    let mut server = TestServer::with_api(api).await;
    let (mut socket, id) = server.open_with_id().await;
    send(&mut socket, json!({"action": "nothing"})).await;
    let frame = text(&mut socket).await;
    let start = format!(r#"{{"message": "Forbidden", "connectionId":"{id}", "requestId":""#);
    assert!(frame.starts_with(&start) && frame.ends_with(r#"="}"#), "{frame}");
}

#[tokio::test]
async fn messages_of_one_connection_run_at_the_same_time() {
    let directory = TempDir::new().unwrap();
    let gate = directory.path().join("go");
    let server = TestServer::start().await;
    let mut socket = server.open().await;
    send(&mut socket, json!({"wait_for": gate, "answer": {"body": "first"}})).await;
    send(&mut socket, answer("second")).await;
    assert_eq!(text(&mut socket).await, "second");
    std::fs::write(&gate, "").unwrap();
    assert_eq!(text(&mut socket).await, "first");
}

#[tokio::test]
async fn a_message_over_the_rate_gets_an_error_frame() {
    let rate = Rate {
        per_second: 0,
        burst: 2,
    };
    let server = TestServer::limited(Limits {
        rate,
        ..Limits::default()
    })
    .await;
    let mut socket = server.open().await;
    send(&mut socket, answer("the last token")).await;
    assert_eq!(text(&mut socket).await, "the last token");
    send(&mut socket, answer("one too many")).await;
    assert!(
        text(&mut socket)
            .await
            .starts_with(r#"{"message": "Too Many Requests", "connectionId":""#)
    );
}

#[tokio::test]
async fn each_route_has_its_own_rate() {
    let mut api = api();
    api.routes.get_mut("quiet").unwrap().rate = Some(Rate {
        per_second: 0,
        burst: 1,
    });
    let mut server = TestServer::with_api(api).await;
    let mut socket = server.open().await;
    send(&mut socket, json!({"action": "quiet"})).await;
    server.functions.event("Default").await;
    send(&mut socket, json!({"action": "quiet"})).await;
    let refused = r#"{"message": "Too Many Requests", "connectionId":""#;
    assert!(text(&mut socket).await.starts_with(refused));
    send(&mut socket, answer("another route")).await;
    assert_eq!(text(&mut socket).await, "another route");
}

#[tokio::test]
async fn messages_overtake_each_other_on_request() {
    let faults = GatewayFaults {
        seed: 1,
        delay_frame: std::time::Duration::from_millis(400),
        ..GatewayFaults::default()
    };
    let server = TestServer::set_up(Setup {
        faults,
        ..Setup::default()
    })
    .await;
    let mut socket = server.open().await;
    for n in 0..8 {
        send(&mut socket, answer(&n.to_string())).await;
    }
    let mut order = Vec::new();
    for _ in 0..8 {
        order.push(text(&mut socket).await.to_string());
    }
    assert!(!order.is_sorted(), "{order:?}");
    order.sort();
    assert_eq!(order, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn a_function_that_times_out_is_an_internal_server_error_frame() {
    let server = TestServer::set_up(Setup {
        timeout_s: 1,
        ..Setup::default()
    })
    .await;
    let mut socket = server.open().await;
    send(&mut socket, json!({"hang": true})).await;
    assert!(
        text(&mut socket)
            .await
            .starts_with(r#"{"message": "Internal server error", "#)
    );
    send(&mut socket, answer("a new process")).await;
    assert_eq!(text(&mut socket).await, "a new process");
}
