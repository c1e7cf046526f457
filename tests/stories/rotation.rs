//! The key of the tokens is rotated, or cannot be read.

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use wigwag_cluster::{Account, Dial, PASSWORD, World};
use wigwag_local::faults::Plan;
use wigwag_protocol::http::{Failure, LoggedIn, Login, Me, PLATFORM_LINUX};
use wigwag_protocol::pb::LoginMsg;
use wigwag_protocol::{Code, Request};

/// How long a process may put off a look at the keys, and more: it never takes so long unless the story fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Log-ins at once: more than there are processes that have read the old key.
const AT_ONCE: usize = 4;

/// Secrets Manager does not answer.
const NO_SECRETS: &str = "[secretsmanager.all]\nfail_before = 1";

/// The id of the key that a token is signed with.
fn key_id(token: &str) -> Result<String> {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default())?;
    let header: Value = serde_json::from_slice(&header)?;
    Ok(header["kid"].as_str().context("a token names its key")?.to_owned())
}

fn dial(world: &World, token: &str) -> Dial {
    Dial::new(&world.stack.websocket_url).token(token)
}

async fn me(world: &World, who: &Account) -> Result<Me> {
    world.get("/me", Some(&who.token)).await
}

/// Logs in several times at once until a process has signed that started after the rotation, and connects with every token that
/// there was, of the old key or of the new one. Answers with one of the new key.
async fn log_in_until_signed_with(world: &World, who: &Account, key: &str) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let tokens = log_in_at_once(world, who).await?;
        for token in &tokens {
            dial(world, token).connect().await?.heartbeat().await?;
        }
        let is_new = |token: &String| key_id(token).is_ok_and(|id| id == key);
        if let Some(token) = tokens.into_iter().find(is_new) {
            return Ok(token);
        }
        ensure!(Instant::now() < until, "no process signs with the new key");
    }
}

/// Several log-ins at once take several processes, of which some start now.
async fn log_in_at_once(world: &World, who: &Account) -> Result<Vec<String>> {
    try_join_all((0..AT_ONCE).map(|number| async move {
        let login = Login {
            phone_number: who.phone_number.clone(),
            password: PASSWORD.to_owned(),
            platform: PLATFORM_LINUX,
            device_id: format!("device {number}"),
        };
        let logged_in: LoggedIn = world.post("/login", None, &login).await?;
        Ok(logged_in.token)
    }))
    .await
}

/// What comes of a token in the end: a process that looked for another key just now says that it does not know yet.
async fn verdict(world: &World, token: &str) -> Result<u16> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match dial(world, token).refused().await? {
            500 => tokio::time::sleep(Duration::from_millis(100)).await,
            status => return Ok(status),
        }
    }
    bail!("no verdict")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_disturbs_nobody_and_a_second_one_ends_the_tokens_of_the_first_key() -> Result<()> {
    let mut world = World::start().await?;
    let ada = world.account("ada").await?;
    let mut open = world.device(&ada).await?;
    let old = key_id(&ada.token)?;

    world.rotate().await?;
    let new = key_id(&world.member(ada.user_id)?.token)?;
    ensure!(old != new, "the key is a new one");
    open.heartbeat().await?;
    me(&world, &ada).await.context("a token of the old key still counts")?;
    world.device(&ada).await?.heartbeat().await?;
    let of_new = log_in_until_signed_with(&world, &ada, &new).await?;

    world.rotate().await?;
    let newest = world.member_on(ada.user_id, &ada.device_id)?;
    let until = Instant::now() + PATIENCE;
    while let Err(error) = world.device(&newest).await {
        ensure!(Instant::now() < until, "{error:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(verdict(&world, &ada.token).await?, 401, "two keys ago");
    dial(&world, &of_new).connect().await?;
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_new_key_opens_a_connection_at_once_where_the_old_key_is_known() -> Result<()> {
    let mut world = World::start().await?;
    let ada = world.account("ada").await?;
    world.device(&ada).await?.leave().await?;
    me(&world, &ada).await?;
    world.rotate().await?;
    let again = world.member_on(ada.user_id, &ada.device_id)?;
    world.device(&again).await?.heartbeat().await?;
    me(&world, &again).await?;
    world.stop().await;
    Ok(())
}

/// Key ids that nobody has do not make a call each.
#[tokio::test(flavor = "multi_thread")]
async fn made_up_key_ids_make_few_calls() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    world.reset_meter().await?;
    let (_, rest) = ada.token.split_once('.').context("a token has three parts")?;
    let began = Instant::now();
    for number in 0..40 {
        let header = format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{number:08x}"}}"#);
        let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
        let status = dial(&world, &forged).refused().await?;
        assert!([401, 500].contains(&status), "{status}");
    }
    let calls = world.meter().await?.aws_total(|row| row.service == "secretsmanager");
    // Two for each look, and one look in five seconds.
    let looks = began.elapsed().as_secs() / 5 + 1;
    assert!((2..=2 * looks).contains(&calls.requests), "{} calls", calls.requests);
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_outlives_the_stack_with_its_data() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let start = || World::with(|options| options.data_dir = Some(directory.path().join("data")));
    let world = start().await?;
    let ada = world.account("ada").await?;
    world.stop().await;
    let mut world = start().await?;
    world.device(&ada).await?.leave().await?;
    world.rotate().await?;
    let new = key_id(&world.member(ada.user_id)?.token)?;
    world.stop().await;
    let world = start().await?;
    let again = world.another_device(&ada, "another").await?;
    assert_eq!(key_id(&again.token)?, new);
    world.device(&ada).await?.heartbeat().await?;
    world.stop().await;
    Ok(())
}

/// No process has a key: none is let in, none is sent away, and all is well when Secrets Manager is back.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_keys_cannot_be_read_nobody_is_let_in_and_nobody_is_sent_away() -> Result<()> {
    let world = World::with(|options| {
        options
            .parameters
            .insert("AllowLoginFrame".to_owned(), "true".to_owned());
        options.fault_plan = Plan::parse(NO_SECRETS).expect("a plan");
    })
    .await?;
    world.crowd(1, 1).await?;
    let ada = world.member(1)?;
    // What follows the header is signed; what comes of this one can be told with the key alone.
    let (header, _) = ada.token.split_once('.').context("a token has three parts")?;
    let forged = format!("{header}.e30.AAAA");
    for token in [&ada.token, &forged] {
        assert_eq!(dial(&world, token).refused().await?, 500);
        let answer = world.send("GET", "/me", Some(token), None).await?;
        assert_eq!(answer.status(), 500);
        let failure: Failure = answer.json().await?;
        assert_eq!((failure.code, failure.retryable), (Code::INTERNAL.number(), true));
    }
    let mut unsigned = Dial::new(&world.stack.websocket_url).connect().await?;
    let login = || {
        Request::Login(LoginMsg {
            token: ada.token.clone().into_bytes(),
        })
    };
    assert_eq!(unsigned.refused(login()).await?.0, Code::INTERNAL);
    world.stack.faults().pause();
    assert!(unsigned.ask(login()).await?.is_ok());
    me(&world, &ada).await?;
    world.device(&ada).await?.heartbeat().await?;
    assert_eq!(dial(&world, &forged).refused().await?, 401);
    world.stop().await;
    Ok(())
}

/// Processes that have read the key go on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_is_used_while_secrets_manager_is_away() -> Result<()> {
    let mut world = World::with(|options| options.fault_plan = Plan::parse(NO_SECRETS).expect("a plan")).await?;
    world.stack.faults().pause();
    let ada = world.account("ada").await?;
    world.device(&ada).await?.leave().await?;
    world.stack.faults().resume();
    world.device(&ada).await?.heartbeat().await?;
    me(&world, &ada).await?;
    world.rotate().await?;
    let unknown = world.member_on(ada.user_id, &ada.device_id)?;
    assert_eq!(dial(&world, &unknown.token).refused().await?, 500, "it may be good");
    world.stop().await;
    Ok(())
}

/// Without LOGIN frames, `default` has no use for the key.
#[tokio::test(flavor = "multi_thread")]
async fn only_who_needs_the_key_reads_it() -> Result<()> {
    let readers = async |allow_login_frame: &str, login: bool| -> Result<BTreeSet<String>> {
        let world = World::with(|options| {
            let allow = allow_login_frame.to_owned();
            options.parameters.insert("AllowLoginFrame".to_owned(), allow);
        })
        .await?;
        let ada = world.account("ada").await?;
        world.device(&ada).await?.heartbeat().await?;
        if login {
            let token = ada.token.into_bytes();
            let mut device = Dial::new(&world.stack.websocket_url).connect().await?;
            device.ask(Request::Login(LoginMsg { token })).await?;
        }
        let rows = world.meter().await?.aws.into_iter();
        let readers = rows.filter(|row| row.service == "secretsmanager" && row.caller != "external");
        let readers = readers.map(|row| row.caller).collect();
        world.stop().await;
        Ok(readers)
    };
    let (api, authorizer, default) = ("ApiFunction", "AuthorizerFunction", "DefaultFunction");
    let named = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(readers("false", false).await?, named(&[api, authorizer]));
    assert_eq!(readers("true", false).await?, named(&[api, authorizer]));
    assert_eq!(readers("true", true).await?, named(&[api, authorizer, default]));
    Ok(())
}
