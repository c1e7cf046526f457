//! Sending what the sender may not send, or as another user.
use super::scene::Scene;
use super::{Row, name};
use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use serde_json::json;
use wigwag_cluster::Account;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_edge::Claims;
use wigwag_protocol::pb::{GroupChange, Message, MessageType, SessionType, SignalMsg, SignalType, UpMsg};
use wigwag_protocol::{Payload, Request};

pub(super) fn rows(scene: &Scene) -> Vec<Row<'_>> {
    use SessionType::{Group, Room, Single};
    let Scene {
        ada,
        bob,
        carl,
        eve,
        group,
        super_group,
        ..
    } = scene;
    let from_eve = |request| scene.frame(eve, request).boxed();
    let as_ada = |message: &mut Message| message.sender_id = 1;
    vec![
        (
            "a message as another",
            "SENDER_MISMATCH",
            from_eve(changed(Single, bob.user_id, 1, 1, "x", as_ada)),
        ),
        ("a message to a group as one of its members", "SENDER_MISMATCH", {
            from_eve(changed(Group, *group, 1, 1, "x", as_ada))
        }),
        (
            "a signal as another",
            "SENDER_MISMATCH",
            from_eve(signal(Single, bob.user_id, ada.user_id)),
        ),
        (
            "to a group that the sender was never in",
            "GROUP_NOT_FOUND",
            from_eve(text_to(Group, *group, 1, 1, "x")),
        ),
        (
            "to a super group that the sender was never in",
            "GROUP_NOT_FOUND",
            from_eve(text_to(Group, *super_group, 1, 1, "x")),
        ),
        (
            "to a group that the sender has left",
            "NOT_A_MEMBER",
            scene.frame(carl, text_to(Group, *group, 1, 1, "x")).boxed(),
        ),
        ("to a super group that the sender has left", "NOT_A_MEMBER", {
            scene.frame(carl, text_to(Group, *super_group, 1, 1, "x")).boxed()
        }),
        (
            "to a room that the sender is not in",
            "NOT_IN_ROOM",
            from_eve(text_to(Room, 7, 1, 1, "x")),
        ),
        (
            "a signal to a room that the sender is not in",
            "NOT_IN_ROOM",
            from_eve(signal(Room, 7, 0)),
        ),
        ("a change of a group, made by hand", "INVALID_FIELD", {
            let forged = |message: &mut Message| message.message_type = MessageType::GroupChange.into();
            scene.frame(bob, changed(Group, *group, 1, 1, "x", forged)).boxed()
        }),
        (
            "to a user who has blocked the sender",
            "BLOCKED",
            blocked(scene, text_to(Single, bob.user_id, 1, 1, "x")).boxed(),
        ),
        (
            "a signal to a user who has blocked the sender",
            "BLOCKED",
            blocked(scene, signal(Single, bob.user_id, 0)).boxed(),
        ),
        (
            "adding a user who has blocked the owner to a group",
            "BLOCKED",
            bring_in(scene).boxed(),
        ),
        (
            "a message with all fields set that only the server sets",
            "4 ok 0 true false",
            set_by_the_server(scene).boxed(),
        ),
        (
            "the next client_id of another user's device",
            "CLIENT_ID_AHEAD 1",
            numbering(scene, eve, bob.user_id).boxed(),
        ),
        (
            "the next client_id of another device of the user",
            "CLIENT_ID_AHEAD 1",
            numbering(scene, ada, bob.user_id).boxed(),
        ),
        // None of the attempts above has reached bob, except the last message under eve's own name.
        (
            "bob's inbox after all these attempts",
            "for bob alone one two three ok",
            scene.inbox(bob).boxed(),
        ),
        (
            "the group after all these attempts",
            "one two three",
            scene.pull(bob, Group, *group, false).boxed(),
        ),
    ]
}

/// A text to a user, a group or a room.
pub(super) fn text_to(kind: SessionType, receiver_id: u64, client_id: u64, session: u64, text: &str) -> Request {
    changed(kind, receiver_id, client_id, session, text, |_| {})
}

fn changed(
    kind: SessionType,
    receiver_id: u64,
    client_id: u64,
    session: u64,
    text: &str,
    change: impl FnOnce(&mut Message),
) -> Request {
    let mut message = Message {
        session_type: kind.into(),
        receiver_id,
        message_type: MessageType::Text.into(),
        content: text.as_bytes().to_vec(),
        ..Message::default()
    };
    change(&mut message);
    Request::Message(UpMsg {
        msg: Some(message),
        client_id,
        session,
    })
}

fn signal(kind: SessionType, receiver_id: u64, sender_id: u64) -> Request {
    Request::Signal(SignalMsg {
        session_type: kind.into(),
        receiver_id,
        sender_id,
        signal_type: SignalType::Typing.into(),
        ..SignalMsg::default()
    })
}

/// Eve sends while bob has blocked her.
async fn blocked(scene: &Scene, request: Request) -> Result<String> {
    let block = json!({ "user_id": scene.eve.user_id });
    scene.post("/block/add", &scene.bob, block.clone()).await?;
    let outcome = scene.frame(&scene.eve, request).await?;
    scene.post("/block/remove", &scene.bob, block).await?;
    Ok(outcome)
}

/// Eve makes a group with ada, who has blocked her.
async fn bring_in(scene: &Scene) -> Result<String> {
    let block = json!({ "user_id": scene.eve.user_id });
    scene.post("/block/add", &scene.ada, block.clone()).await?;
    let create = json!({ "name": "trap", "user_ids": [scene.ada.user_id] });
    let outcome = scene.post("/group/create", &scene.eve, create).await?;
    scene.post("/block/remove", &scene.ada, block).await?;
    Ok(outcome)
}

/// Eve sends a message with seqs, a client id, a time and a change of a group, which only the
/// server sets. Returns the sender and the text that bob gets, the number of forged numbers,
/// whether the time is now, and whether the message changes a group.
async fn set_by_the_server(scene: &Scene) -> Result<String> {
    let forged = |message: &mut Message| {
        (message.seq, message.conversation_seq, message.send_time) = (999, 999, 1);
        (message.client_id, message.session) = (77, 77);
        message.group_change = Some(GroupChange {
            name: "forged".to_owned(),
            ..GroupChange::default()
        });
    };
    let request = changed(SessionType::Single, scene.bob.user_id, 1, 1, "ok", forged);
    scene.frame(&scene.eve, request).await?;
    let mut bob = scene.device(&scene.bob).await?;
    let got = bob.catch_up(0).await?.pop().context("bob has messages")?;
    let forged_numbers =
        u64::from(got.seq >= 999) + u64::from(got.conversation_seq >= 999) + u64::from(got.client_id == 77);
    let (text, is_now) = (String::from_utf8(got.content)?, got.send_time > 1);
    Ok(format!(
        "{} {text} {forged_numbers} {is_now} {}",
        got.sender_id,
        got.group_change.is_some()
    ))
}

/// A device of `who` that has never sent anything uses the client id that follows ada's.
async fn numbering(scene: &Scene, who: &Account, to_user: u64) -> Result<String> {
    let claims = Claims {
        user: UserId(who.user_id),
        device: DeviceKey::derive(1, "never seen"),
        platform: 1,
        expires_at_s: 1 << 40,
    };
    let other = Account {
        token: scene.cluster.keys.issue(&claims, 0)?,
        ..who.clone()
    };
    // Ada's device sent three messages in its session 3.
    let output = scene
        .ask(&other, text_to(SessionType::Single, to_user, 4, 3, "mine?"))
        .await?;
    match output.payload {
        Payload::Ack(ack) => Ok(format!("{} {}", name(output.code)?, ack.expected_client_id)),
        _ => name(output.code),
    }
}
