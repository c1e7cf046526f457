//! The fields of a request, checked one by one, so that a refusal can name the one that is wrong.

use wigwag_protocol::Code;
use wigwag_protocol::limits::MAX_INTEGER;

/// Why a request is refused before anything is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The code for the client.
    pub(crate) code: Code,
    /// The field that it is about, if any.
    pub(crate) field: Option<&'static str>,
}

impl From<Code> for Wrong {
    fn from(code: Code) -> Self {
        Self { code, field: None }
    }
}

impl Wrong {
    /// `INVALID_FIELD`, with the field's name.
    pub(crate) fn field(name: &'static str) -> Self {
        Self {
            code: Code::INVALID_FIELD,
            field: Some(name),
        }
    }
}

/// An id.
pub(crate) fn id(name: &'static str, value: u64) -> Result<u64, Wrong> {
    if value == 0 {
        return Err(Wrong::field(name));
    }
    number(name, value)
}

/// Any number that JSON clients can keep.
pub(crate) fn number(name: &'static str, value: u64) -> Result<u64, Wrong> {
    match value {
        0..=MAX_INTEGER => Ok(value),
        _ => Err(Wrong::field(name)),
    }
}
