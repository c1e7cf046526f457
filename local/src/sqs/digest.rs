//! The digests by which SDKs check messages, and by which FIFO queues recognise them.

use md5::{Digest, Md5};
use sha2::Sha256;

use super::message::Attribute;

/// The MD5 of a body, in hexadecimal.
pub(crate) fn md5_of_body(body: &str) -> String {
    hex(&Md5::digest(body))
}

/// The SHA-256 of the body, in hexadecimal: the id for content-based deduplication.
pub(super) fn digest_of_body(body: &str) -> String {
    hex(&Sha256::digest(body))
}

/// The MD5 of attributes, in hexadecimal; `None` if there are none. For each attribute in order of
/// names: name, type, a byte for the kind of value, and the value, each after its length.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
pub(crate) fn md5_of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>,
) -> Option<String> {
    let mut digest = Md5::new();
    let mut any = false;
    let part = |bytes: &[u8], digest: &mut Md5| {
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    for (name, attribute) in attributes {
        any = true;
        part(name.as_bytes(), &mut digest);
        part(attribute.data_type.as_bytes(), &mut digest);
        if attribute.is_binary() {
            digest.update([2]);
            part(&attribute.binary().unwrap_or_default(), &mut digest);
        } else {
            digest.update([1]);
            part(
                attribute.string_value.as_deref().unwrap_or_default().as_bytes(),
                &mut digest,
            );
        }
    }
    any.then(|| hex(&digest.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::sqs::Attributes;

    fn attribute(data_type: &str, value: &str) -> Attribute {
        let (string_value, binary_value) = if data_type.starts_with("Binary") {
            (None, Some(STANDARD.encode(value)))
        } else {
            (Some(value.to_owned()), None)
        };
        Attribute {
            data_type: data_type.to_owned(),
            string_value,
            binary_value,
        }
    }

    #[test]
    fn digests_match_those_of_sdks() {
        assert_eq!(md5_of_body("Hello"), "8b1a9953c4611296a827abf8c47804d7");
        // Computed independently, in Python.
        let attributes = Attributes::from([
            ("b".to_owned(), attribute("Binary", "\u{1}\u{2}")),
            ("a".to_owned(), attribute("Number.int", "42")),
            ("c".to_owned(), attribute("String", "text")),
        ]);
        assert_eq!(
            md5_of_attributes(&attributes).as_deref(),
            Some("aa98b0efad4e389eb3d9339520c7cb39")
        );
        assert_eq!(md5_of_attributes(&Attributes::new()), None);
    }
}
