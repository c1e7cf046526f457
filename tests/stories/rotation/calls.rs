//! How often the key is read, and by which functions.
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeSet;
use std::time::Instant;
use wigwag_cluster::Cluster;
use wigwag_protocol::Request;
use wigwag_protocol::pb::LoginMsg;

#[tokio::test(flavor = "multi_thread")]
async fn made_up_key_ids_make_few_calls() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    cluster.reset_meter().await?;
    let (_, rest) = ada.token.split_once('.').context("a token has three parts")?;
    let began = Instant::now();
    for number in 0..40 {
        let header = format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{number:08x}"}}"#);
        let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
        let status = cluster.dial().token(&forged).refused().await?;
        assert!([401, 500].contains(&status), "{status}");
    }
    let calls = cluster.meter().await?.aws_total(|row| row.service == "secretsmanager");
    // A process looks at most once in five seconds, and makes two calls each time.
    let looks = began.elapsed().as_secs() / 5 + 1;
    assert!((2..=2 * looks).contains(&calls.requests), "{} calls", calls.requests);
    cluster.stop().await;
    Ok(())
}

/// Without LOGIN frames, the function `default` does not need the key.
#[tokio::test(flavor = "multi_thread")]
async fn only_functions_that_need_the_key_read_it() -> Result<()> {
    let readers = async |allow_login_frame: &str, login: bool| -> Result<BTreeSet<String>> {
        let cluster = Cluster::with(|options| {
            let allow = allow_login_frame.to_owned();
            options.parameters.insert("AllowLoginFrame".to_owned(), allow);
        })
        .await?;
        let ada = cluster.account("ada").await?;
        cluster.device(&ada).await?.heartbeat().await?;
        if login {
            let token = ada.token.into_bytes();
            let mut device = cluster.dial().connect().await?;
            device.ask(Request::Login(LoginMsg { token })).await?;
        }
        let rows = cluster.meter().await?.aws.into_iter();
        let readers = rows.filter(|row| row.service == "secretsmanager" && row.caller != "external");
        let readers = readers.map(|row| row.caller).collect();
        cluster.stop().await;
        Ok(readers)
    };
    let (api, authorizer, default) = ("ApiFunction", "AuthorizerFunction", "DefaultFunction");
    let named = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(readers("false", false).await?, named(&[api, authorizer]));
    assert_eq!(readers("true", false).await?, named(&[api, authorizer]));
    assert_eq!(readers("true", true).await?, named(&[api, authorizer, default]));
    Ok(())
}
