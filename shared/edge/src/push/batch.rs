//! Push batches: the contents for a device, and the frames that they take.

use super::{Push, Target};
use aws_sdk_apigatewaymanagement::primitives::Blob;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use wigwag_protocol::limits::PAGE_BYTES;
use wigwag_protocol::pb::{CmdType, Message, SignalMsg};
use wigwag_protocol::{Encoding, OutputFrame, Payload};

/// A content that is pushed. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Content {
    /// A message.
    Message {
        /// Its seq in the user's inbox; 0 if no inbox has it.
        seq: u64,
        /// The message, whatever its `seq`.
        message: Arc<Message>,
    },
    /// A signal.
    Signal(Arc<SignalMsg>),
}

impl Content {
    fn to_output(&self) -> OutputFrame {
        match self {
            Self::Message { seq, message } => OutputFrame::push(Message {
                seq: *seq,
                ..message.as_ref().clone()
            }),
            Self::Signal(signal) => OutputFrame::new(CmdType::Signal, 0, Payload::Signal(signal.as_ref().clone())),
        }
    }

    /// Equal for the same seq of the same message. Equal messages in different places count as
    /// different.
    fn identity(&self) -> (u64, usize) {
        match self {
            Self::Message { seq, message } => (*seq, Arc::as_ptr(message).addr()),
            Self::Signal(signal) => (0, Arc::as_ptr(signal).addr()),
        }
    }
}

/// The contents for one or more devices. The frames are made when the first device is reached, and
/// dropped with the last.
#[derive(Debug)]
pub(super) struct PushBatch {
    contents: Vec<Content>,
    json: OnceLock<Vec<Blob>>,
    protobuf: OnceLock<Vec<Blob>>,
}

impl PushBatch {
    fn new(contents: Vec<Content>) -> Self {
        Self {
            contents,
            json: OnceLock::new(),
            protobuf: OnceLock::new(),
        }
    }

    /// The frames, in order.
    pub(super) fn frames(&self, encoding: Encoding) -> &[Blob] {
        let frames = match encoding {
            Encoding::Json => &self.json,
            Encoding::Protobuf => &self.protobuf,
        };
        frames.get_or_init(|| {
            let outputs: Vec<_> = self.contents.iter().map(Content::to_output).collect();
            frames_of(&outputs, encoding).into_iter().map(Blob::new).collect()
        })
    }
}

/// Lets targets with the same contents share a batch.
pub(super) fn share(pushes: Vec<Push>) -> Vec<(Target, Arc<PushBatch>)> {
    let mut batches: HashMap<Vec<(u64, usize)>, Arc<PushBatch>> = HashMap::new();
    let mut shared = |contents: Vec<Content>| {
        let identity = contents.iter().map(Content::identity).collect();
        let batch = batches
            .entry(identity)
            .or_insert_with(|| Arc::new(PushBatch::new(contents)));
        Arc::clone(batch)
    };
    let shared = pushes.into_iter().map(|push| (push.target, shared(push.contents)));
    shared.collect()
}

/// As few frames of at most [`PAGE_BYTES`] as these outputs take, in their order. A larger output
/// has a frame of its own.
fn frames_of(outputs: &[OutputFrame], encoding: Encoding) -> Vec<String> {
    // A single output takes a little more than one among others, for the batch around it.
    let alone: Vec<String> = outputs
        .iter()
        .map(|output| OutputFrame::encode_batch(std::slice::from_ref(output), encoding))
        .collect();
    let mut frames = Vec::new();
    let mut from = 0;
    while from < outputs.len() {
        let mut bytes = 0;
        let fitting = alone[from..].iter().take_while(|frame| {
            bytes += frame.len();
            bytes <= PAGE_BYTES
        });
        let count = fitting.count().max(1);
        frames.push(match count {
            1 => alone[from].clone(),
            _ => OutputFrame::encode_batch(&outputs[from..from + count], encoding),
        });
        from += count;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use wigwag_domain::connection::Connection;
    use wigwag_domain::{DeviceKey, UserId};
    use wigwag_protocol::limits::{CONTENT_BYTES, FRAME_BYTES};

    const ENCODINGS: [Encoding; 2] = [Encoding::Json, Encoding::Protobuf];

    fn outputs(count: u64, bytes: usize) -> Vec<OutputFrame> {
        let message = |seq| Message {
            seq,
            content: vec![0xff; bytes],
            ..Message::default()
        };
        (1..=count).map(|seq| OutputFrame::push(message(seq))).collect()
    }

    #[test]
    fn contents_that_fit_a_frame_share_one() {
        for encoding in ENCODINGS {
            let outputs = outputs(10, 500);
            let frames = frames_of(&outputs, encoding);
            assert_eq!(frames, [OutputFrame::encode_batch(&outputs, encoding)], "{encoding:?}");
        }
    }

    #[test]
    fn contents_are_split_in_order_and_no_frame_is_too_long() {
        for encoding in ENCODINGS {
            for (count, bytes, most) in [(10, CONTENT_BYTES, 10), (20, 4000, 5), (100, 200, 2)] {
                let outputs = outputs(count, bytes);
                let frames = frames_of(&outputs, encoding);
                assert!(frames.len() <= most, "{encoding:?}: {} frames", frames.len());
                assert!(frames.iter().all(|frame| frame.len() <= FRAME_BYTES), "{encoding:?}");
                let read = frames.iter().map(|frame| OutputFrame::decode_batch(frame).unwrap());
                assert_eq!(read.flatten().collect::<Vec<_>>(), outputs, "{encoding:?}");
            }
        }
    }

    #[test]
    fn nothing_takes_no_frame() {
        assert!(frames_of(&[], Encoding::Json).is_empty());
    }

    #[test]
    fn targets_of_the_same_contents_share_their_frames() {
        let message = Arc::new(Message::default());
        let push = |seq| Push {
            target: Target {
                user: UserId(1),
                device: DeviceKey::derive(1, "phone"),
                connection: Connection {
                    id: "c".to_owned(),
                    platform: 1,
                    protobuf: true,
                    connected_at_ms: 0,
                },
                room: None,
            },
            contents: vec![Content::Message {
                seq,
                message: Arc::clone(&message),
            }],
        };
        let shared = share(vec![push(0), push(0), push(1)]);
        assert!(Arc::ptr_eq(&shared[0].1, &shared[1].1));
        assert!(!Arc::ptr_eq(&shared[0].1, &shared[2].1));
    }
}
