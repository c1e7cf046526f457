//! Why a message gets no acknowledgement.

use wigwag_domain::head::InboxHead;
use wigwag_domain::numbering::{NumberCheck, Numbering};
use wigwag_domain::outgoing::Outgoing;
use wigwag_protocol::Code;
use wigwag_store::StoreError;
use wigwag_store::inboxes::no_inbox;

/// Why a message is not accepted. This attempt stored nothing of it, and its number can still be
/// used. (Another attempt at the same message may have been accepted at the same time: if a block
/// and a send meet, either order is right.)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused: {code}")]
pub struct Refusal {
    /// The reason.
    pub code: Code,
    /// The number that would be accepted next, if the number is the reason.
    pub expected: Option<u64>,
    /// The session of the device's numbering, if the session is the reason.
    pub session: Option<u64>,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self {
            code,
            expected: None,
            session: None,
        }
    }
}

/// Why there is no acknowledgement.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The message is not accepted.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something failed on the way. A repeat may finish the message.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a message whose number is taken is to be finished, if it is that message again; else why it
/// is refused.
pub(crate) fn repeated(out: &Outgoing<'_>, sender: &InboxHead) -> Result<Numbering, SendError> {
    let refusal = match out.check_number(sender) {
        NumberCheck::Repeat(numbering) => return Ok(numbering),
        // The number is not taken after all: the claim and the head contradict each other.
        NumberCheck::Next => return Err(no_inbox().into()),
        NumberCheck::Reused => Code::CLIENT_ID_REUSED.into(),
        NumberCheck::Ahead { expected } => Refusal {
            code: Code::CLIENT_ID_AHEAD,
            expected: Some(expected),
            session: Some(out.draft.key.session),
        },
        NumberCheck::Passed => Code::CLIENT_ID_PASSED.into(),
        NumberCheck::SessionPassed { stored } => Refusal {
            code: Code::SESSION_PASSED,
            expected: None,
            session: Some(stored),
        },
    };
    Err(refusal.into())
}

/// The numbering that a claim wrote.
pub(crate) fn claimed(out: &Outgoing<'_>, sender: &InboxHead) -> Result<Numbering, StoreError> {
    let slot = sender.devices.get(&out.draft.key.device);
    slot.and_then(|slot| slot.numbering.clone()).ok_or_else(no_inbox)
}
