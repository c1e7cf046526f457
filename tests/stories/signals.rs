//! Signals: pushed to users who are online now, and stored nowhere.
use anyhow::{Result, bail};
use serde_json::{Value, json};
use wigwag_cluster::{Cluster, Device};
use wigwag_protocol::pb::{AckType, SessionType, SignalMsg, SignalType};
use wigwag_protocol::{Code, Payload, Request};

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_who_is_online_sees_that_a_user_is_typing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.json_device(&bob).await?);
    let ack = a.signal(typing(SessionType::Single, bob.user_id)).await?;
    assert_eq!((ack.r#type(), ack.seq), (AckType::Relayed, 0));
    let seen = signalled(&mut b).await?;
    assert_eq!((seen.sender_id, seen.signal_type()), (ada.user_id, SignalType::Typing));
    let call = SignalMsg {
        signal_type: SignalType::Realtime.into(),
        content: b"\xff a call".to_vec(),
        ..typing(SessionType::Single, ada.user_id)
    };
    b.signal(call.clone()).await?;
    assert_eq!(signalled(&mut a).await?.content, call.content);
    b.leave().await?;
    a.signal(typing(SessionType::Single, bob.user_id)).await?;
    let mut b = cluster.device(&bob).await?;
    assert!(b.catch_up(0).await?.is_empty(), "a signal was stored");
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn users_in_a_room_see_that_a_user_is_typing() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let (mut a, mut b) = (cluster.device(&ada).await?, cluster.device(&bob).await?);
    a.enter(7).await?;
    b.enter(7).await?;
    let ack = a.signal(typing(SessionType::Room, 7)).await?;
    assert_eq!(ack.r#type(), AckType::Relayed);
    let seen = signalled(&mut b).await?;
    assert_eq!((seen.sender_id, seen.receiver_id), (ada.user_id, 7));
    let call = SignalMsg {
        signal_type: SignalType::Realtime.into(),
        content: b"a call".to_vec(),
        ..typing(SessionType::Room, 7)
    };
    anyhow::ensure!(written(&cluster).await? >= 4.0, "the meter does not count writes");
    cluster.reset_meter().await?;
    b.signal(call).await?;
    assert_eq!(signalled(&mut a).await?.content, b"a call");
    cluster.settled().await?;
    assert!(written(&cluster).await? < 0.1, "a signal was stored");
    for device in [&mut a, &mut b] {
        assert!(device.catch_up(0).await?.is_empty(), "a signal is in an inbox");
    }
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_is_not_allowed_is_refused() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.device(&ada).await?;
    let block = json!({ "user_id": ada.user_id });
    let _: Value = cluster.post("/block/add", Some(&bob.token), &block).await?;
    let with_content = SignalMsg {
        content: b"x".to_vec(),
        ..typing(SessionType::Single, bob.user_id)
    };
    for (signal, code) in [
        (typing(SessionType::Single, bob.user_id), Code::BLOCKED),
        (typing(SessionType::Single, 4321), Code::USER_NOT_FOUND),
        (typing(SessionType::Single, ada.user_id), Code::SEND_TO_SELF),
        (typing(SessionType::Room, 7), Code::NOT_IN_ROOM),
        (typing(SessionType::Group, 7), Code::SESSION_TYPE_UNSUPPORTED),
        (with_content, Code::INVALID_FIELD),
    ] {
        assert_eq!(a.refused(Request::Signal(signal.clone())).await?.0, code, "{signal:?}");
    }
    cluster.stop().await;
    Ok(())
}

fn typing(kind: SessionType, receiver_id: u64) -> SignalMsg {
    SignalMsg {
        session_type: kind.into(),
        receiver_id,
        signal_type: SignalType::Typing.into(),
        ..SignalMsg::default()
    }
}

async fn signalled(device: &mut Device) -> Result<SignalMsg> {
    match device.next_push().await?.payload {
        Payload::Signal(signal) => Ok(signal),
        other => bail!("not a signal: {other:?}"),
    }
}

/// Write units of all tables.
async fn written(cluster: &Cluster) -> Result<f64> {
    Ok(cluster.meter().await?.aws_total(|_| true).write_units)
}
