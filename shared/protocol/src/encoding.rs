//! The two encodings, and how a connection chooses one.

use crate::pb::Message;
use prost::Message as _;

/// How frames are written on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// JSON text with nested objects. The default, so that frames can be typed into tools like
    /// `wscat`.
    #[default]
    Json,
    /// Protobuf in base64 text: API Gateway closes sockets that send binary.
    Protobuf,
}

/// Subprotocol of the protobuf encoding.
pub const SUBPROTOCOL_PROTOBUF: &str = "wigwag.pb.v1";

/// Subprotocol of the JSON encoding.
pub const SUBPROTOCOL_JSON: &str = "wigwag.json.v1";

/// Prefix of a subprotocol that carries the token, for clients that can put it neither into the URL
/// nor into a header. It is offered next to the subprotocol of the encoding.
pub const SUBPROTOCOL_TOKEN_PREFIX: &str = "wigwag.token.";

/// What a client offered in `Sec-WebSocket-Protocol`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer<'a> {
    /// The first encoding in the list.
    pub encoding: Option<Encoding>,
    /// The first token in the list.
    pub token: Option<&'a str>,
}

impl<'a> Offer<'a> {
    /// Reads the value of a `Sec-WebSocket-Protocol` header: names separated by commas. Unknown
    /// names are ignored.
    pub fn parse(header: &'a str) -> Self {
        let mut offer = Self::default();
        for name in header.split(',').map(str::trim) {
            if let Some(token) = name.strip_prefix(SUBPROTOCOL_TOKEN_PREFIX) {
                offer.token.get_or_insert(token);
            } else if let Some(encoding) = Encoding::from_subprotocol(name) {
                offer.encoding.get_or_insert(encoding);
            }
        }
        offer
    }
}

impl Encoding {
    /// Its name in `Sec-WebSocket-Protocol`.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => SUBPROTOCOL_JSON,
            Self::Protobuf => SUBPROTOCOL_PROTOBUF,
        }
    }

    /// The encoding with this name.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        match name {
            SUBPROTOCOL_JSON => Some(Self::Json),
            SUBPROTOCOL_PROTOBUF => Some(Self::Protobuf),
            _ => None,
        }
    }

    /// The encoding of a frame. JSON starts with `{`, which base64 never does.
    pub fn of_frame(text: &str) -> Self {
        if text.trim_start().starts_with('{') {
            Self::Json
        } else {
            Self::Protobuf
        }
    }

    /// The most bytes that a message takes in a frame. The sum over a page must stay within
    /// [`PAGE_BYTES`](crate::limits::PAGE_BYTES).
    pub fn frame_bytes(self, message: &Message) -> usize {
        match self {
            Self::Json => serde_json::to_string(message).map_or(usize::MAX, |json| json.len() + 1),
            // Tag and length of the field take up to 4 bytes. Base64 makes 4 bytes of 3.
            Self::Protobuf => (message.encoded_len() + 4) * 4 / 3 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_names_the_encoding_and_the_token_in_any_order() {
        let offer = Offer::parse("wigwag.token.a.b-c_d , chat,wigwag.pb.v1, wigwag.json.v1");
        assert_eq!(offer.token, Some("a.b-c_d"));
        assert_eq!(offer.encoding, Some(Encoding::Protobuf));
        assert!(Offer::parse("") == Offer::default());
    }

    #[test]
    fn every_encoding_is_found_by_its_name() {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            assert_eq!(Encoding::from_subprotocol(encoding.subprotocol()), Some(encoding));
        }
    }
}
