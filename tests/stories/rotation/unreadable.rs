//! Secrets Manager is away.
use super::{NO_SECRETS, me};
use anyhow::{Context as _, Result};
use wigwag_cluster::Cluster;
use wigwag_local::faults::FaultPlan;
use wigwag_protocol::http::Failure;
use wigwag_protocol::pb::LoginMsg;
use wigwag_protocol::{Code, Request};

/// No process has a key. Nobody is let in or refused for good, until Secrets Manager is back.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_or_refused_for_good_while_the_keys_cannot_be_read() -> Result<()> {
    let cluster = Cluster::with(|options| {
        options
            .parameters
            .insert("AllowLoginFrame".to_owned(), "true".to_owned());
        options.fault_plan = FaultPlan::parse(NO_SECRETS).expect("a plan");
    })
    .await?;
    cluster.crowd(1, 1).await?;
    let ada = cluster.member(1)?;
    // Its signature is wrong, which only a process that has the key can tell.
    let (header, _) = ada.token.split_once('.').context("a token has three parts")?;
    let forged = format!("{header}.e30.AAAA");
    for token in [&ada.token, &forged] {
        assert_eq!(cluster.dial().token(token).refused().await?, 500);
        let answer = cluster.send("GET", "/me", Some(token), None).await?;
        assert_eq!(answer.status(), 500);
        let failure: Failure = answer.json().await?;
        assert_eq!((failure.code, failure.retryable), (Code::INTERNAL.number(), true));
    }
    let mut unsigned = cluster.dial().connect().await?;
    let login = || {
        Request::Login(LoginMsg {
            token: ada.token.clone().into_bytes(),
        })
    };
    assert_eq!(unsigned.refused(login()).await?.0, Code::INTERNAL);
    cluster.stack.faults().pause();
    assert!(unsigned.ask(login()).await?.is_ok());
    me(&cluster, &ada).await?;
    cluster.device(&ada).await?.heartbeat().await?;
    assert_eq!(cluster.dial().token(&forged).refused().await?, 401);
    cluster.stop().await;
    Ok(())
}

/// Processes that have read the key continue to use it.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_is_used_while_secrets_manager_is_away() -> Result<()> {
    let mut cluster =
        Cluster::with(|options| options.fault_plan = FaultPlan::parse(NO_SECRETS).expect("a plan")).await?;
    cluster.stack.faults().pause();
    let ada = cluster.account("ada").await?;
    cluster.device(&ada).await?.leave().await?;
    cluster.stack.faults().resume();
    cluster.device(&ada).await?.heartbeat().await?;
    me(&cluster, &ada).await?;
    cluster.rotate().await?;
    let unknown = cluster.member_on(ada.user_id, &ada.device_id)?;
    assert_eq!(
        cluster.dial().token(&unknown.token).refused().await?,
        500,
        "the token may be valid"
    );
    cluster.stop().await;
    Ok(())
}
