//! Receipt handles: a receiver passes one to delete a message or to change its visibility.
//!
//! A handle names the queue, the message and the delivery, so that handles of earlier deliveries
//! can be recognised.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{SqsError, SqsErrorCode};
use super::message::Message;

/// The content of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Position of the message.
    pub position: u64,
    /// How often the message had been received, including this delivery.
    pub receives: u32,
    /// Id of the message.
    pub id: String,
}

impl Receipt {
    /// Describes the latest delivery of this message.
    pub(super) fn for_delivery(message: &Message) -> Self {
        Self {
            position: message.position,
            receives: message.delivery.receives,
            id: message.id.clone(),
        }
    }
}

/// The handle of the latest delivery of a message of this queue.
pub(super) fn encode(queue: &str, message: &Message) -> String {
    let Message {
        position, id, delivery, ..
    } = message;
    STANDARD.encode(format!("{queue} {position} {} {id}", delivery.receives))
}

/// Decodes a handle of this queue.
pub(super) fn decode(queue: &str, handle: &str) -> Result<Receipt, SqsError> {
    parse(queue, handle).ok_or_else(|| {
        let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        SqsError::new(SqsErrorCode::ReceiptHandleIsInvalid, message)
    })
}

fn parse(queue: &str, handle: &str) -> Option<Receipt> {
    let text = String::from_utf8(STANDARD.decode(handle).ok()?).ok()?;
    let [of, position, receives, id] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    (of == queue).then_some(())?;
    Some(Receipt {
        position: position.parse().ok()?,
        receives: receives.parse().ok()?,
        id: id.to_owned(),
    })
}
