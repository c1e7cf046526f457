//! Frames that cannot be read, and frames that API Gateway does not accept.
use anyhow::Result;
use tokio_tungstenite::tungstenite::Message as Frame;
use wigwag_cluster::Cluster;
use wigwag_protocol::{Code, limits};

/// All bad frames are sent one after the other on one connection. The connection stays open, and
/// the message that follows arrives.
#[tokio::test(flavor = "multi_thread")]
async fn every_bad_frame_is_refused_with_its_code_and_nothing_is_lost() -> Result<()> {
    let cluster = Cluster::start().await?;
    let (ada, bob) = (cluster.account("ada").await?, cluster.account("bob").await?);
    let mut a = cluster.json_device(&ada).await?;
    for (frame, code) in [
        ("", Code::UNKNOWN_COMMAND),
        ("not base64!", Code::MALFORMED_FRAME),
        ("aGVsbG8gd29ybGQ=", Code::MALFORMED_FRAME),
        ("{", Code::MALFORMED_FRAME),
        ("{\"type\":\"SYNC\",\"data\":[]}", Code::MALFORMED_FRAME),
        ("{\"type\":\"DANCE\"}", Code::UNKNOWN_COMMAND),
        ("{\"type\":77}", Code::UNKNOWN_COMMAND),
        ("{\"type\":\"KICK\"}", Code::UNKNOWN_COMMAND),
        ("CGM=", Code::UNKNOWN_COMMAND),
    ] {
        let output = a.ask_raw(frame).await?;
        assert_eq!((output.code, output.retryable), (code.number(), false), "{frame}");
        assert!(!output.code_msg.is_empty());
    }
    for (frame, field) in [
        (r#"{"type":"ENTER_ROOM","data":{"room_id":0}}"#, "room_id"),
        (r#"{"type":"ACK","data":{"type":"ACK_TYPE_PUSH","seq":0}}"#, "seq"),
        (
            r#"{"type":"PULL","data":{"session_type":"SESSION_TYPE_GROUP"}}"#,
            "target_id",
        ),
        (r#"{"type":"MESSAGE","data":{"client_id":1}}"#, "msg"),
    ] {
        let output = a.ask_raw(frame).await?;
        assert_eq!(output.code, Code::INVALID_FIELD.number(), "{frame}");
        assert!(output.code_msg.ends_with(&format!(": {field}")), "{}", output.code_msg);
    }
    let deep = format!("{}1{}", "{\"data\":".repeat(2000), "}".repeat(2000));
    assert_eq!(a.ask_raw(&deep).await?.code, Code::MALFORMED_FRAME.number());
    a.tell(bob.user_id, 1, "still works").await?;
    assert_eq!(cluster.device(&bob).await?.sync(0, 0).await?.messages.len(), 1);
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_frames_and_frames_over_32_kb_close_the_socket_as_on_aws() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let mut a = cluster.device(&ada).await?;
    a.send_raw(Frame::binary(vec![1, 2, 3])).await?;
    assert_eq!(a.closed().await?.map(|close| u16::from(close.code)), Some(1003));
    let mut a = cluster.device(&ada).await?;
    a.send_raw(Frame::text("x".repeat(limits::FRAME_BYTES + 1))).await?;
    assert_eq!(a.closed().await?.map(|close| u16::from(close.code)), Some(1009));
    let mut a = cluster.device(&ada).await?;
    assert_eq!(
        a.ask_raw(&"x".repeat(limits::FRAME_BYTES)).await?.code,
        Code::MALFORMED_FRAME.number()
    );
    cluster.stop().await;
    Ok(())
}
