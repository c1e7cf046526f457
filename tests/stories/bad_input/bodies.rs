//! Bodies of HTTP requests.
use anyhow::Result;
use serde_json::Value;
use wigwag_cluster::Cluster;
use wigwag_protocol::Code;

/// API Gateway passes text on as it is and everything else as base64, depending on the content
/// type. `curl -d` sends the content type of a form.
#[tokio::test]
async fn a_body_is_read_as_json_with_any_content_type() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let client = reqwest::Client::new();
    let create = |body: &'static str| {
        let request = client.post(format!("{}/group/create", cluster.stack.http_url));
        let form = request.header("content-type", "application/x-www-form-urlencoded");
        form.bearer_auth(&ada.token).body(body).send()
    };
    let made = create(r#"{"name":"club"}"#).await?;
    assert_eq!(made.status(), 201);
    let refused = create("name=club").await?;
    assert_eq!(refused.status(), 400);
    let failure: Value = refused.json().await?;
    assert_eq!(failure["code"], Code::MALFORMED_FRAME.number());
    cluster.stop().await;
    Ok(())
}
