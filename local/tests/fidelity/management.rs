//! The management API. Signatures are checked elsewhere.

use http::Method;
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use wigwag_local::gateway::{Limits, Rate};

use crate::harness::within;
use crate::test_server::{TestServer, closed, disconnect, handshake, text, text_at};

fn error_type(response: &http::Response<bytes::Bytes>) -> &str {
    response.headers()["x-amzn-ErrorType"].to_str().unwrap()
}

#[tokio::test]
async fn a_post_reaches_the_client_as_a_text_frame() {
    let mut server = TestServer::start().await;
    let (mut socket, id) = server.open_with_id().await;
    let escaped = id.replace('=', "%3D");
    for path in [
        format!("/prod/@connections/{id}"),
        format!("/prod/@connections/{escaped}"),
        format!("/prod/%40connections/{escaped}"),
        format!("/@connections/{escaped}"),
    ] {
        let response = server.manage(Method::POST, &path, path.clone()).await;
        assert_eq!((response.status().as_u16(), response.body().len()), (200, 0), "{path}");
        assert_eq!(text(&mut socket).await, path);
    }
}

#[tokio::test]
async fn a_get_returns_the_times_and_the_client() {
    let mut server = TestServer::start().await;
    let (_socket, id) = server.open_with_id().await;
    let response = server
        .manage(Method::GET, &format!("/prod/@connections/{id}"), "")
        .await;
    assert_eq!(response.status(), 200);
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(
        body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["connectedAt", "identity", "lastActiveAt"]
    );
    assert_eq!(
        body["identity"].to_string(),
        r#"{"sourceIp":"127.0.0.1","userAgent":null}"#
    );
    for member in ["connectedAt", "lastActiveAt"] {
        let at = text_at(&body, &format!("/{member}"));
        assert!(at.len() == 24 && at.ends_with('Z') && at.as_bytes()[19] == b'.', "{at}");
    }
}

#[tokio::test]
async fn a_delete_closes_the_socket_and_invokes_disconnect() {
    let mut server = TestServer::start().await;
    let (mut socket, id) = server.open_with_id().await;
    assert_eq!(server.post(&id, "you are being replaced").await.status(), 200);
    let response = server
        .manage(Method::DELETE, &format!("/prod/@connections/{id}"), "")
        .await;
    assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
    assert_eq!(server.post(&id, "too late").await.status(), 410);
    assert_eq!(text(&mut socket).await, "you are being replaced");
    assert_eq!(closed(&mut socket).await.code, CloseCode::Normal);
    assert_eq!(
        disconnect(&mut server.functions).await,
        (1000, "Connection Closed Normally".to_owned())
    );
}

#[tokio::test]
async fn a_closed_connection_is_410_without_a_body() {
    let mut server = TestServer::start().await;
    let (mut socket, id) = server.open_with_id().await;
    within(socket.close(None)).await.unwrap();
    disconnect(&mut server.functions).await;
    for method in [Method::POST, Method::GET, Method::DELETE] {
        for id in [id.as_str(), "TXzPWdnOjoECGjA="] {
            let response = server
                .manage(method.clone(), &format!("/prod/@connections/{id}"), "x")
                .await;
            assert_eq!((response.status().as_u16(), response.body().len()), (410, 0));
            assert_eq!(error_type(&response), "GoneException");
        }
    }
}

#[tokio::test]
async fn a_connection_of_another_stage_is_gone() {
    let mut server = TestServer::start().await;
    let (_socket, id) = server.open_with_id().await;
    assert_eq!(
        server
            .manage(Method::POST, &format!("/test/@connections/{id}"), "x")
            .await
            .status(),
        410
    );
}

#[tokio::test]
async fn a_malformed_id_is_a_bad_request() {
    let server = TestServer::start().await;
    let response = server.post("nonsense", "x").await;
    assert_eq!(
        (response.status().as_u16(), error_type(&response)),
        (400, "BadRequestException")
    );
    assert_eq!(response.body(), r#"{"message":"Invalid connectionId: nonsense"}"#);
}

#[tokio::test]
async fn a_push_over_32_kilobytes_is_too_large() {
    let mut server = TestServer::start().await;
    let (mut socket, id) = server.open_with_id().await;
    let response = server.post(&id, vec![b'x'; 32 * 1024 + 1]).await;
    assert_eq!(
        (response.status().as_u16(), error_type(&response)),
        (413, "PayloadTooLargeException")
    );
    assert_eq!(server.post(&id, vec![b'x'; 32 * 1024]).await.status(), 200);
    assert_eq!(text(&mut socket).await.len(), 32 * 1024);
}

#[tokio::test]
async fn a_push_that_is_not_utf_8_is_refused() {
    let mut server = TestServer::start().await;
    let (_socket, id) = server.open_with_id().await;
    let response = server.post(&id, vec![0xff, 0xfe]).await;
    assert_eq!(
        (response.status().as_u16(), error_type(&response)),
        (400, "BadRequestException")
    );
    assert!(String::from_utf8_lossy(response.body()).contains("UTF-8"));
}

#[tokio::test]
async fn a_push_over_the_rate_is_429() {
    let rate = Rate {
        per_second: 0,
        burst: 2,
    };
    let mut server = TestServer::limited(Limits {
        rate,
        ..Limits::default()
    })
    .await;
    let (_socket, id) = server.open_with_id().await;
    assert_eq!(server.post(&id, "the last token").await.status(), 200);
    let response = server.post(&id, "one too many").await;
    assert_eq!(
        (response.status().as_u16(), error_type(&response)),
        (429, "LimitExceededException")
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_its_buffer() {
    let rate = Rate {
        per_second: 1_000_000,
        burst: 1_000_000,
    };
    let mut server = TestServer::limited(Limits {
        rate,
        ..Limits::default()
    })
    .await;
    let (_, _unread) = server.raw(&handshake("/prod", "")).await;
    let id = text_at(&server.functions.event("Connect").await, "/requestContext/connectionId");
    let refused = async {
        loop {
            let response = server.post(&id, vec![b'x'; 32 * 1024]).await;
            if response.status() != 200 {
                return response;
            }
            tokio::task::yield_now().await;
        }
    };
    let response = within(refused).await;
    assert_eq!(
        (response.status().as_u16(), error_type(&response)),
        (429, "LimitExceededException")
    );
    assert!(String::from_utf8_lossy(response.body()).contains("buffer is full"));
    // Such a connection can still be closed.
    let response = server
        .manage(Method::DELETE, &format!("/prod/@connections/{id}"), "")
        .await;
    assert_eq!(response.status(), 204);
    assert_eq!(disconnect(&mut server.functions).await.0, 1000);
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let server = TestServer::start().await;
    let id = "TXzPWdnOjoECGjA=";
    assert_eq!(
        server
            .manage(Method::PUT, &format!("/prod/@connections/{id}"), "")
            .await
            .status(),
        405
    );
    for path in ["/", "/prod", "/prod/connections/x", "/a/b/@connections/x"] {
        assert_eq!(server.manage(Method::POST, path, "").await.status(), 403, "{path}");
    }
}
