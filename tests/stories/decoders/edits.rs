//! Small changes of inputs.

use proptest::prelude::*;
use proptest::sample::Index;

/// A small change of an input.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, Index),
    /// A piece of the input itself, again.
    Repeat(Index, Index),
    /// The end of another input.
    Splice(Index, Index, Index),
}

/// Text that decoders often fail on, or any bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let troublesome = [
        "\"",
        "{",
        "}",
        "[",
        "]",
        "\\u0000",
        "\\ud800",
        "-1",
        "1e999",
        "9007199254740993",
        "18446744073709551616",
        "null",
        "~",
        "!",
        ".",
        "=",
        "\n",
        "&a ",
        "*a ",
        "é",
        "\u{202e}",
    ];
    prop_oneof![
        proptest::sample::select(troublesome.map(|text| text.as_bytes().to_vec()).to_vec()),
        proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

pub(super) fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (at(), b' '..=b'~').prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (at(), piece()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (at(), at()).prop_map(|(from, to)| Edit::Delete(from, to)),
        (at(), at()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        (at(), at(), at()).prop_map(|(at, other, from)| Edit::Splice(at, other, from)),
    ]
}

impl Edit {
    pub(super) fn make(&self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let span = |from: &Index, to: &Index, len: usize| {
            let (one, other) = (from.index(len + 1), to.index(len + 1));
            one.min(other)..one.max(other)
        };
        match self {
            Self::Replace(at, byte) if !input.is_empty() => *at.get_mut(input) = *byte,
            Self::Replace(_, byte) => input.push(*byte),
            Self::Insert(at, piece) => {
                let at = at.index(input.len() + 1);
                input.splice(at..at, piece.iter().copied());
            }
            Self::Delete(from, to) => {
                input.drain(span(from, to, input.len()));
            }
            Self::Repeat(from, to) => {
                let span = span(from, to, input.len());
                let again = input[span.clone()].to_vec();
                input.splice(span.start..span.start, again);
            }
            Self::Splice(at, other, from) => {
                let other = other.get(corpus);
                input.truncate(at.index(input.len() + 1));
                input.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
}
