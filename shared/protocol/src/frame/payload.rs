//! The messages that frames carry: requests of devices, and payloads from the server.

use crate::pb::{
    AckMsg, CmdType, HeartbeatMsg, KickMsg, LoginMsg, PullInputMsg, PullOutputMsg, PushMsg, RoomMsg, SignalMsg,
    SyncInputMsg, SyncOutputMsg, UpMsg,
};
use prost::Message as _;
use serde::Serialize;
use serde_json::Value;

/// Makes an enum of the messages that frames carry, with both codecs. The `CmdType` of a frame
/// tells which message it carries.
macro_rules! messages {
    ($(#[$attribute:meta])* $name:ident { $($cmd:ident => $variant:ident($message:ty)),+ $(,)? } and { $($empty:ident)? }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "the .proto file documents every message")]
        pub enum $name {
            $($empty,)?
            $($variant($message)),+
        }

        impl $name {
            /// `None` if no message belongs to this type.
            pub(super) fn from_protobuf(cmd: CmdType, data: &[u8]) -> Option<Result<Self, prost::DecodeError>> {
                match cmd {
                    $(CmdType::$cmd => Some(<$message>::decode(data).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// `None` if no message belongs to this type.
            pub(super) fn from_json(cmd: CmdType, data: Value) -> Option<Result<Self, serde_json::Error>> {
                match cmd {
                    $(CmdType::$cmd => Some(serde_json::from_value::<$message>(data).map(Self::$variant)),)+
                    _ => None,
                }
            }

            pub(super) fn to_protobuf(&self) -> Vec<u8> {
                match self {
                    $(Self::$empty => Vec::new(),)?
                    $(Self::$variant(data) => data.encode_to_vec()),+
                }
            }

            pub(super) fn to_json(&self) -> Value {
                match self {
                    $(Self::$empty => Value::Null,)?
                    $(Self::$variant(data) => to_value(data)),+
                }
            }
        }
    };
}

messages! {
    /// The request of a device.
    Request {
        Login => Login(LoginMsg),
        Heartbeat => Heartbeat(HeartbeatMsg),
        Message => Message(UpMsg),
        Ack => Ack(AckMsg),
        Sync => Sync(SyncInputMsg),
        Pull => Pull(PullInputMsg),
        Signal => Signal(SignalMsg),
        EnterRoom => EnterRoom(RoomMsg),
        LeaveRoom => LeaveRoom(RoomMsg),
    } and {}
}

impl Request {
    /// The type that the request has on the wire.
    pub fn cmd(&self) -> CmdType {
        match self {
            Self::Login(_) => CmdType::Login,
            Self::Heartbeat(_) => CmdType::Heartbeat,
            Self::Message(_) => CmdType::Message,
            Self::Ack(_) => CmdType::Ack,
            Self::Sync(_) => CmdType::Sync,
            Self::Pull(_) => CmdType::Pull,
            Self::Signal(_) => CmdType::Signal,
            Self::EnterRoom(_) => CmdType::EnterRoom,
            Self::LeaveRoom(_) => CmdType::LeaveRoom,
        }
    }
}

messages! {
    /// The message that an `OutputFrame` carries. Its type tells which one.
    Payload {
        Heartbeat => Heartbeat(HeartbeatMsg),
        Message => Push(PushMsg),
        Ack => Ack(AckMsg),
        Sync => Sync(SyncOutputMsg),
        Pull => Pull(PullOutputMsg),
        Kick => Kick(KickMsg),
        Signal => Signal(SignalMsg),
        EnterRoom => EnterRoom(RoomMsg),
        LeaveRoom => LeaveRoom(RoomMsg),
    } and { None }
}

fn to_value(data: &impl Serialize) -> Value {
    serde_json::to_value(data).expect("our messages have string keys and finite numbers only")
}
