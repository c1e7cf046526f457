//! Functions at their most talkative never log a token, a password, a phone number or a content.

mod everything_said;
mod misplaced;

use anyhow::{Context as _, Result, bail};
use everything_said::{Answers, account, bad_tasks, copies_task, knock, log_in_in_vain, room_task, say_everything};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message as Frame;
use wigwag_cluster::leaks::leaks;
use wigwag_cluster::{Cluster, Dial, FunctionLog};
use wigwag_local::faults::FaultPlan;
use wigwag_messaging::TaskQueue as _;

const PASSWORD: &str = "Recognisable-Password-4711";

const CONTENT: &str = "Recognisable-Content-0815";

const PHONES: [&str; 2] = ["15550008472", "15550008473"];

/// A fault plan: every call of a function fails.
const EVERYTHING_FAILS: &str = "[dynamodb.all]\nfail_before = 1\n[sqs.all]\nfail_before = 1\n[secretsmanager.all]\nfail_before = 1\n[connections.all]\nfail_before = 1\n";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_or_answered() -> Result<()> {
    let (output, mut log) = FunctionLog::new();
    let cluster = Cluster::with(|options| {
        options.parameters.insert("LogLevel".to_owned(), "debug".to_owned());
        options.tuning.output = output;
        options.fault_plan = FaultPlan::parse(EVERYTHING_FAILS).expect("a plan");
    })
    .await?;
    cluster.stack.faults().pause();
    let mut said = Answers::of(cluster);
    let (ada, bob) = (
        account(&mut said, PHONES[0]).await?,
        account(&mut said, PHONES[1]).await?,
    );
    let create = json!({ "name": "group", "user_ids": [bob.user_id] });
    let group: Value = said.cluster.post("/group/create", Some(&ada.token), &create).await?;
    let group = group["group_id"].as_u64().context("a group has an id")?;
    let dial = |token: &str, names: &str| {
        Dial::new(&said.cluster.stack.websocket_url)
            .token(token)
            .subprotocols(names)
    };
    let mut a = dial(&ada.token, "wigwag.json.v1").connect().await?;
    let mut b = dial(&bob.token, "wigwag.pb.v1").connect().await?;
    a.enter(7).await?;
    b.enter(7).await?;
    say_everything(&mut said, &bob, &mut a, &ada.token, group, 1).await?;
    knock(&said.cluster, &ada.token).await?;
    bad_tasks(&said.cluster).await?;
    said.cluster.settled().await?;
    b.catch_up(0).await?;
    log.says("AuthorizerFunction", "refused a connection").await?;
    log.says("DefaultFunction", "refused a frame").await?;
    log.says("FanoutFunction", "a task goes to the dead-letter queue")
        .await?;
    // From here on every call fails.
    said.cluster.stack.faults().resume();
    say_everything(&mut said, &bob, &mut a, &ada.token, group, 2).await?;
    log_in_in_vain(&mut said).await?;
    dial_fails(&said.cluster, &bob.token).await?;
    let tasks = [copies_task(group), room_task()];
    said.cluster.fanout_queue()?.enqueue(&tasks).await?;
    a.send_raw(Frame::Close(None)).await?;
    for (function, words) in [
        ("DefaultFunction", "a request failed"),
        ("ApiFunction", "a request failed"),
        ("FanoutFunction", "a task failed"),
        ("ConnectFunction", ""),
        ("DisconnectFunction", ""),
    ] {
        log.says(function, words).await?;
    }
    let Answers {
        cluster,
        texts: answers,
    } = said;
    let key = cluster.token_key().await?;
    cluster.stop().await;
    let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    let mut secrets = vec![
        PASSWORD.to_owned(),
        CONTENT.to_owned(),
        key,
        signature(&ada.token),
        signature(&bob.token),
    ];
    secrets.extend(PHONES.map(str::to_owned));
    let texts = log.all().await.into_iter().chain(answers);
    let found: Vec<String> = texts.filter(|text| !leaks(text, &secrets).is_empty()).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// Opens a connection that must fail in the function `connect`.
async fn dial_fails(cluster: &Cluster, token: &str) -> Result<()> {
    match cluster.dial().token(token).refused().await? {
        status if status >= 500 => Ok(()),
        status => bail!("the handshake ended with status {status}"),
    }
}
