//! How connections end: limits, close codes, and the event of `$disconnect`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use wigwag_local::gateway::{GatewayFaults, Limits};

use crate::harness::within;
use crate::test_server::{
    SHORT, Setup, Socket, TestServer, answer, closed, disconnect, handshake, send, settled, text, text_at,
};

const FRAME: usize = 32 * 1024;

/// A text message in frames of these lengths.
async fn send_fragments(socket: &mut Socket, lengths: &[usize]) {
    for (index, length) in lengths.iter().enumerate() {
        let opcode = OpCode::Data(if index == 0 { Data::Text } else { Data::Continue });
        let frame = Frame::message(vec![b'x'; *length], opcode, index + 1 == lengths.len());
        within(socket.send(Message::Frame(frame))).await.unwrap();
    }
}

#[tokio::test]
async fn a_binary_frame_closes_with_1003() {
    let mut server = TestServer::start().await;
    let mut socket = server.open().await;
    within(socket.send(Message::binary(vec![1, 2, 3]))).await.unwrap();
    assert_eq!(closed(&mut socket).await.code, CloseCode::Unsupported);
    assert_eq!(disconnect(&mut server.functions).await.0, 1003);
}

#[tokio::test]
async fn a_frame_of_32_kilobytes_passes_and_one_byte_more_closes_with_1009() {
    let mut server = TestServer::start().await;
    let mut socket = server.open().await;
    send_fragments(&mut socket, &[FRAME]).await;
    assert_eq!(text_at(&server.functions.event("Default").await, "/body").len(), FRAME);
    text(&mut socket).await;
    send_fragments(&mut socket, &[FRAME + 1]).await;
    assert_eq!(closed(&mut socket).await.code, CloseCode::Size);
    assert_eq!(disconnect(&mut server.functions).await.0, 1009);
}

#[tokio::test]
async fn a_client_still_reads_1009_when_its_frame_was_far_too_large() {
    let server = TestServer::start().await;
    let mut socket = server.open().await;
    // Sending may break off when the gateway closes the socket, but the close frame must arrive.
    let _ = within(socket.send(Message::text("x".repeat(20 * FRAME)))).await;
    assert_eq!(closed(&mut socket).await.code, CloseCode::Size);
}

#[tokio::test]
async fn a_message_of_128_kilobytes_in_frames_passes_and_one_byte_more_closes_with_1009() {
    let mut server = TestServer::start().await;
    let mut socket = server.open().await;
    send_fragments(&mut socket, &[FRAME; 4]).await;
    assert_eq!(
        text_at(&server.functions.event("Default").await, "/body").len(),
        4 * FRAME
    );
    text(&mut socket).await;
    send_fragments(&mut socket, &[FRAME, FRAME, FRAME, FRAME, 1]).await;
    assert_eq!(closed(&mut socket).await.code, CloseCode::Size);
}

#[tokio::test]
async fn a_ping_is_answered() {
    let server = TestServer::start().await;
    let mut socket = server.open().await;
    within(socket.send(Message::Ping("are you there".into())))
        .await
        .unwrap();
    match within(socket.next()).await {
        Some(Ok(Message::Pong(data))) => assert_eq!(data, "are you there"),
        other => panic!("not a pong: {other:?}"),
    }
}

#[tokio::test]
async fn an_idle_connection_goes_away_with_1001_and_pings_do_not_help() {
    let mut server = TestServer::limited(Limits {
        idle: SHORT,
        ..Limits::default()
    })
    .await;
    let mut socket = server.open().await;
    let frame = loop {
        // One ping is always on its way. If pings counted as activity, this would never end.
        let _ = within(socket.send(Message::Ping(Vec::new().into()))).await;
        match within(socket.next()).await {
            Some(Ok(Message::Pong(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => break frame,
            other => panic!("not expected: {other:?}"),
        }
    };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Away, "Going away"));
    assert_eq!(disconnect(&mut server.functions).await, (1001, "Going away".to_owned()));
}

#[tokio::test]
async fn messages_keep_a_connection_from_being_idle_but_not_from_its_lifetime() {
    let limits = Limits {
        idle: Duration::from_mins(10),
        lifetime: SHORT,
        ..Limits::default()
    };
    let mut server = TestServer::limited(limits).await;
    let mut socket = server.open().await;
    let frame = loop {
        let _ = within(socket.send(Message::text(answer("busy").to_string()))).await;
        match within(socket.next()).await {
            Some(Ok(Message::Text(_))) => {}
            Some(Ok(Message::Close(Some(frame)))) => break frame,
            other => panic!("not expected: {other:?}"),
        }
    };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Away, "Going away"));
    assert_eq!(disconnect(&mut server.functions).await, (1001, "Going away".to_owned()));
}

#[tokio::test]
async fn a_close_without_a_code_is_1005_and_the_event_is_as_on_aws() {
    let mut server = TestServer::start().await;
    let mut socket = server.open().await;
    within(socket.close(None)).await.unwrap();
    insta::assert_snapshot!(settled(server.functions.event("Disconnect").await));
}

#[tokio::test]
async fn disconnect_gets_the_clients_code_and_reason() {
    let mut server = TestServer::start().await;
    for (code, reason, told) in [
        (CloseCode::Library(4001), "bye", (4001, "bye".to_owned())),
        (CloseCode::Normal, "", (1000, "Connection Closed Normally".to_owned())),
        (CloseCode::Away, "", (1001, String::new())),
    ] {
        let mut socket = server.open().await;
        within(socket.close(Some(CloseFrame {
            code,
            reason: reason.into(),
        })))
        .await
        .unwrap();
        assert_eq!(disconnect(&mut server.functions).await, told);
        // The gateway echoes the close frame and hangs up.
        while let Some(Ok(_)) = within(socket.next()).await {}
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_1006() {
    let mut server = TestServer::start().await;
    let socket = server.open().await;
    drop(socket);
    assert_eq!(
        disconnect(&mut server.functions).await,
        (1006, "Connection Closed Abnormally".to_owned())
    );
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1007() {
    let server = TestServer::start().await;
    let (_, mut stream) = server.raw(&handshake("/prod", "")).await;
    // FIN and text, masked with zeros, two bytes that are not UTF-8.
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]).await.unwrap();
    let mut head = [0; 4];
    within(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!((head[0], u16::from_be_bytes([head[2], head[3]])), (0x88, 1007));
}

#[tokio::test]
async fn stopping_closes_with_1001() {
    let server = TestServer::start().await;
    let mut socket = server.open().await;
    let stopping = tokio::spawn(server.gateway.stop());
    assert_eq!(closed(&mut socket).await.code, CloseCode::Away);
    while let Some(Ok(_)) = within(socket.next()).await {}
    within(stopping).await.unwrap();
}

#[tokio::test]
async fn disconnects_are_lost_on_request() {
    let faults = GatewayFaults {
        drop_disconnect: 1.0,
        ..GatewayFaults::default()
    };
    let mut server = TestServer::set_up(Setup {
        faults,
        ..Setup::default()
    })
    .await;
    let (socket, id) = server.open_with_id().await;
    drop(socket);
    let gone = async {
        while server.post(&id, "anyone?").await.status() != 410 {
            tokio::task::yield_now().await;
        }
    };
    within(gone).await;
    let mut socket = server.open().await;
    send(&mut socket, answer("later")).await;
    text(&mut socket).await;
    while let Ok(line) = server.functions.lines.try_recv() {
        assert_ne!(line.function, "Disconnect");
    }
}
