//! Requests that are refused before anything is done.
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::{Account, Cluster};
use wigwag_protocol::Code;

/// Path, token, body, and the status and code of the refusal.
type BadRequest<'a> = (&'static str, Option<&'a str>, String, u16, Code);

fn bad_requests(caller: &Account) -> Vec<BadRequest<'_>> {
    let register = |phone: &str, nickname: &str, password: &str| {
        json!({ "phone_number": phone, "nickname": nickname, "password": password }).to_string()
    };
    let login = |platform: u8, device: &str| {
        json!({ "phone_number": "+15550009999", "password": "x", "platform": platform, "device_id": device })
            .to_string()
    };
    let friend = |id: u64| json!({ "friend_id": id }).to_string();
    vec![
        (
            "/register",
            None,
            register("12", "n", "correct horse"),
            400,
            Code::PHONE_NUMBER_MALFORMED,
        ),
        (
            "/register",
            None,
            register("+1555abc0000", "n", "correct horse"),
            400,
            Code::PHONE_NUMBER_MALFORMED,
        ),
        (
            "/register",
            None,
            register("+15550009999", "", "correct horse"),
            400,
            Code::NICKNAME_INVALID,
        ),
        (
            "/register",
            None,
            register("+15550009999", "a\u{7}", "correct horse"),
            400,
            Code::NICKNAME_INVALID,
        ),
        (
            "/register",
            None,
            register("+15550009999", "n", "short"),
            400,
            Code::PASSWORD_WEAK,
        ),
        (
            "/register",
            None,
            register("+15550009999", "n", "password123"),
            400,
            Code::PASSWORD_WEAK,
        ),
        (
            "/register",
            None,
            register("+15550009999", "n", "15550009999"),
            400,
            Code::PASSWORD_WEAK,
        ),
        ("/register", None, "{}".to_owned(), 400, Code::MALFORMED_FRAME),
        ("/register", None, "not json".to_owned(), 400, Code::MALFORMED_FRAME),
        ("/register", None, String::new(), 400, Code::MALFORMED_FRAME),
        ("/register", None, "x".repeat(9000), 413, Code::BODY_TOO_LARGE),
        (
            "/register",
            None,
            format!("{}{}", "[".repeat(3000), "]".repeat(3000)),
            400,
            Code::MALFORMED_FRAME,
        ),
        ("/login", None, login(0, "d"), 400, Code::INVALID_FIELD),
        ("/login", None, login(7, ""), 400, Code::DEVICE_ID_INVALID),
        ("/login", None, login(7, &"d".repeat(65)), 400, Code::DEVICE_ID_INVALID),
        ("/friend/add", None, friend(5), 401, Code::NOT_SIGNED_IN),
        ("/friend/add", Some("nonsense"), friend(5), 401, Code::TOKEN_INVALID),
        (
            "/friend/add",
            Some(caller.token.as_str()),
            friend(5),
            404,
            Code::USER_NOT_FOUND,
        ),
        (
            "/friend/add",
            Some(caller.token.as_str()),
            friend(0),
            400,
            Code::INVALID_FIELD,
        ),
        (
            "/friend/add",
            Some(caller.token.as_str()),
            friend(caller.user_id),
            400,
            Code::RELATION_TO_SELF,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_request_is_refused_with_its_code_and_status() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let cases = bad_requests(&ada);
    for (path, token, body, status, code) in cases {
        let (got, failure) = cluster.refused(path, token, &body).await?;
        let shown = &body[..body.len().min(60)];
        assert_eq!(
            (got.as_u16(), failure.code, failure.retryable),
            (status, code.number(), false),
            "{path} {shown}"
        );
        assert!(failure.message.starts_with(code.name()));
    }
    assert_eq!(cluster.send("GET", "/nowhere", None, None).await?.status(), 404);
    let token = Some(ada.token.as_str());
    let bad_range = cluster
        .send("GET", "/history/5?begin_seq=3&end_seq=2", token, None)
        .await?;
    assert_eq!(bad_range.status(), 400);
    assert_eq!(
        cluster
            .send("GET", "/history/5?begin_seq=x", token, None)
            .await?
            .status(),
        400
    );
    cluster.stop().await;
    Ok(())
}
