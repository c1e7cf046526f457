//! The SDK against the real functions, on a gateway that is as unkind as AWS may be.

use anyhow::{Context as _, Result, bail};
use std::time::Duration;
use wigwag_client::{Client, ConnectOptions, Conversation, Encoding, Event, Events, SignIn, Start, TokenSource};
use wigwag_cluster::{Account, World};

fn options(world: &World, account: &Account) -> Result<ConnectOptions> {
    Ok(ConnectOptions::new(
        world.stack.websocket_url.parse()?,
        account.user_id,
        TokenSource::fixed(&account.token),
    ))
}

/// What a client hands on, until it has so many messages: seq, sender and text of each.
async fn received(events: &mut Events, count: usize) -> Result<Vec<(u64, u64, String)>> {
    let mut got = Vec::new();
    while got.len() < count {
        let event = tokio::time::timeout(Duration::from_mins(1), events.next())
            .await
            .context("wait for an event")?;
        match event.context("the events ended")? {
            Event::Message(message) => {
                let text = String::from_utf8_lossy(&message.content).into_owned();
                got.push((message.seq, message.sender_id, text));
            }
            Event::Stopped(reason) => bail!("stopped: {reason}"),
            _ => {}
        }
    }
    Ok(got)
}

fn from(sender: u64, got: &[(u64, u64, String)]) -> Vec<&str> {
    got.iter()
        .filter(|(_, by, _)| *by == sender)
        .map(|(_, _, text)| text.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_sign_in_works_in_either_encoding() -> Result<()> {
    let world = World::with(|options| {
        options
            .parameters
            .insert("AllowLoginFrame".to_owned(), "true".to_owned());
    })
    .await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut sent = 0;
    for sign_in in [SignIn::Query, SignIn::Subprotocol, SignIn::LoginFrame] {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let mut options = options(&world, &ada)?;
            (options.sign_in, options.encoding) = (sign_in, encoding);
            let (client, mut events) = Client::connect(options).await?;
            let receipt = client.send(bob.user_id, format!("{sign_in:?} {encoding:?}")).await?;
            sent += 1;
            assert_eq!(receipt.conversation_seq, sent as u64);
            assert_eq!(received(&mut events, sent).await?.len(), sent);
            client.close().await;
        }
    }
    world.stop().await;
    Ok(())
}

/// Sockets live for a second, frames overtake each other, every second `$disconnect` is lost. Both sides end with the same
/// list, each message once and in the order it was sent, and so does a device that comes only then.
#[tokio::test(flavor = "multi_thread")]
async fn cut_sockets_and_frames_out_of_order_cost_no_message() -> Result<()> {
    const MESSAGES: usize = 60;
    let world = World::with(|options| {
        options.limits.lifetime = Duration::from_secs(1);
        options.faults.seed = 7;
        options.faults.drop_disconnect = 0.5;
        options.faults.delay_frame = Duration::from_millis(20);
    })
    .await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let talk = async |from: &Account, to: &Account| -> Result<Vec<(u64, u64, String)>> {
        let (client, mut events) = Client::connect(options(&world, from)?).await?;
        let sending = async {
            for n in 0..MESSAGES {
                client.send(to.user_id, n.to_string()).await?;
            }
            anyhow::Ok(())
        };
        let (sent, got) = tokio::join!(sending, received(&mut events, 2 * MESSAGES));
        sent?;
        client.close().await;
        got
    };
    let (a, b) = tokio::join!(talk(&ada, &bob), talk(&bob, &ada));
    let late = world.another_device(&ada, "late").await?;
    let (client, mut events) = Client::connect(options(&world, &late)?).await?;
    let c = received(&mut events, 2 * MESSAGES).await?;
    client.close().await;
    let wanted: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    for got in [&a?, &b?, &c] {
        assert!(got.is_sorted_by(|one, next| one.0 < next.0), "each seq once, ascending");
        assert_eq!(from(ada.user_id, got), wanted);
        assert_eq!(from(bob.user_id, got), wanted);
    }
    world.stop().await;
    Ok(())
}

/// The functions' processes are killed under the clients again and again, in the middle of whatever they do. On Linux, where
/// `/proc` tells which processes those are.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn killed_functions_cost_no_message() -> Result<()> {
    const MESSAGES: usize = 25;
    let world = World::start().await?;
    let (ada, bob) = (world.account("ada").await?, world.account("bob").await?);
    let mut quick = options(&world, &ada)?;
    quick.timing.answer_timeout = Duration::from_secs(1);
    let (sender, _sent) = Client::connect(quick).await?;
    let (receiver, mut events) = Client::connect(options(&world, &bob)?).await?;
    let killer = tokio::spawn(crate::killing::kill_now_and_then(
        world.stack.aws_endpoint_url.clone(),
        "default",
    ));
    for n in 0..MESSAGES {
        sender.send(bob.user_id, n.to_string()).await?;
    }
    killer.abort();
    let got = received(&mut events, MESSAGES).await?;
    assert!(got.is_sorted_by(|one, next| one.0 < next.0));
    assert_eq!(
        from(ada.user_id, &got),
        (0..MESSAGES).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    let failed = world.meter().await?.functions["DefaultFunction"].errors;
    assert!(failed > 0, "no invocation was hit, so this showed nothing");
    sender.close().await;
    receiver.close().await;
    world.stop().await;
    Ok(())
}

/// What a client hands on of a super group, until it has so many texts: conversation seq, sender and text of each. `cursor` is
/// kept as the events tell.
async fn received_in_group(
    events: &mut Events,
    count: usize,
    cursor: &mut Option<u64>,
) -> Result<Vec<(u64, u64, String)>> {
    let mut got = Vec::new();
    while got.len() < count {
        let event = tokio::time::timeout(Duration::from_mins(1), events.next())
            .await
            .context("wait for an event")?;
        match event.context("the events ended")? {
            Event::GroupMessage(message) => {
                *cursor = Some(message.conversation_seq);
                if message.group_change.is_none() {
                    let text = String::from_utf8_lossy(&message.content).into_owned();
                    got.push((message.conversation_seq, message.sender_id, text));
                }
            }
            Event::GroupCursor { cursor: to, .. } => *cursor = Some(to),
            Event::Stopped(reason) => bail!("stopped: {reason}"),
            _ => {}
        }
    }
    Ok(got)
}

/// A super group's messages are in nobody's inbox. Sockets live for a second, frames overtake each other; two members talk, and a
/// third one comes and goes, and goes on from what it kept. All have all of it, in the same order, once.
#[tokio::test(flavor = "multi_thread")]
async fn cut_sockets_cost_no_message_of_a_super_group() -> Result<()> {
    const MESSAGES: usize = 30;
    let world = World::with(|options| {
        options.limits.lifetime = Duration::from_secs(1);
        options.faults.seed = 11;
        options.faults.drop_disconnect = 0.5;
        options.faults.delay_frame = Duration::from_millis(20);
    })
    .await?;
    let [ada, bob, eve] = world.accounts(["ada", "bob", "eve"]).await?;
    let group = world.super_group(&ada, &[&bob, &eve]).await?;
    let options = |account: &Account| -> Result<ConnectOptions> {
        let mut options = options(&world, account)?;
        options.http_url = Some(world.stack.http_url.parse()?);
        options.timing.super_group_spread = Duration::from_millis(200);
        options.timing.heartbeat = Duration::from_secs(2);
        options.timing.super_group_poll = Duration::from_secs(1);
        Ok(options)
    };
    let talk = async |from: &Account| -> Result<Vec<(u64, u64, String)>> {
        let (client, mut events) = Client::connect(options(from)?).await?;
        let sending = async {
            for n in 0..MESSAGES {
                let receipt = client.send(Conversation::Group(group), n.to_string()).await?;
                assert_eq!(receipt.seq, 0);
            }
            anyhow::Ok(())
        };
        let mut cursor = None;
        let (sent, got) = tokio::join!(sending, received_in_group(&mut events, 2 * MESSAGES, &mut cursor));
        sent?;
        client.close().await;
        got
    };
    let listen = async || -> Result<Vec<(u64, u64, String)>> {
        let (mut got, mut inbox, mut kept) = (Vec::new(), 0, None);
        for part in [MESSAGES / 2, MESSAGES / 2, MESSAGES] {
            let mut options = options(&eve)?;
            options.start = Start::After(inbox);
            options.super_groups = kept.map(|cursor| (group, cursor)).into_iter().collect();
            let (client, mut events) = Client::connect(options).await?;
            got.extend(received_in_group(&mut events, part, &mut kept).await?);
            // The change that brought the group was handed on before its messages.
            inbox = 1;
            client.close().await;
        }
        Ok(got)
    };
    let (a, b, e) = tokio::join!(talk(&ada), talk(&bob), listen());
    let (a, b, e) = (a?, b?, e?);
    let wanted: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    assert!(a.is_sorted_by(|one, next| one.0 < next.0), "each once, ascending");
    assert_eq!(
        (from(ada.user_id, &a), from(bob.user_id, &a)),
        (
            wanted.iter().map(String::as_str).collect(),
            wanted.iter().map(String::as_str).collect()
        )
    );
    assert_eq!((&a, &a), (&b, &e));
    world.stop().await;
    Ok(())
}
