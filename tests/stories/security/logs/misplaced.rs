//! Secrets where they do not belong.
use super::everything_said::{Answers, text};
use super::{CONTENT, PASSWORD, PHONES};
use anyhow::Result;
use serde_json::{Value, json};
use wigwag_cluster::Device;
use wigwag_protocol::pb::SessionType;
use wigwag_protocol::{Encoding, InputFrame};

/// Sends bodies and frames that are cut off, or have the secret in the wrong field. A refusal might
/// quote them.
pub(super) async fn misplace(said: &mut Answers, token: &str, device: &mut Device) -> Result<()> {
    for body in [
        format!("{{\"phone_number\":\"+{}\",\"password\":\"{PASSWORD}", PHONES[0]),
        format!("{{\"phone_number\":\"+{}\",\"password\":[\"{PASSWORD}\"]}}", PHONES[0]),
        format!("\"{PASSWORD}\""),
        json!({ "phone_number": PASSWORD, "password": PASSWORD, "nickname": PASSWORD }).to_string(),
        json!({ "phone_number": PHONES[0], "password": PASSWORD, "platform": PASSWORD, "device_id": "d" }).to_string(),
        json!({ "phone_number": PHONES[0], "password": PASSWORD, "platform": 99, "device_id": PASSWORD.repeat(9) })
            .to_string(),
    ] {
        for path in ["/login", "/register"] {
            said.text("POST", path, None, Some(body.clone())).await?;
        }
    }
    let altered = format!("{token}x");
    said.http("GET", "/me", Some(&altered), Value::Null).await?;
    said.http(
        "GET",
        &format!("/me?token={token}&password={PASSWORD}"),
        None,
        Value::Null,
    )
    .await?;
    said.http("GET", &format!("/user/{CONTENT}"), Some(token), Value::Null)
        .await?;
    said.http(
        "GET",
        &format!("/friend/list?after={CONTENT}"),
        Some(token),
        Value::Null,
    )
    .await?;
    let role = json!({ "group_id": 1, "user_id": 2, "role": CONTENT });
    said.http("POST", "/group/role", Some(token), role).await?;
    for frame in [
        CONTENT.to_owned(),
        format!("{{\"type\":\"{CONTENT}\"}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":\"{CONTENT}\"}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":\"{CONTENT}\"}}}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"client_id\":\"{CONTENT}\"}}}}"),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":{{\"session_type\":\"{CONTENT}\"}}}}}}"),
        format!(
            "{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":{{\"content\":\"{CONTENT}\",\"content_base64\":\"{CONTENT}\"}}}}}}"
        ),
        format!("{{\"type\":\"MESSAGE\",\"data\":{{\"msg\":{{\"content\":\"{CONTENT}"),
        format!("{{\"type\":\"LOGIN\",\"data\":{{\"token\":[\"{token}\"]}}}}"),
        InputFrame {
            request_id: 0,
            request: text(SessionType::Single, 0, 1, 1),
        }
        .encode(Encoding::Protobuf),
    ] {
        said.raw(device, frame).await?;
    }
    Ok(())
}
