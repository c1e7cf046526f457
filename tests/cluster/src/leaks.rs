//! Finds secrets in texts: as they are, as lists of bytes, in hexadecimal, and in base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The secrets that a text contains, in any shape.
pub fn leaks<'a>(text: &str, secrets: &'a [String]) -> Vec<&'a str> {
    let is_in = |secret: &&String| shapes(secret).iter().any(|shape| text.contains(shape.as_str()));
    secrets.iter().filter(is_in).map(String::as_str).collect()
}

/// A secret as it is, as `Debug` shows bytes, in hexadecimal, and within base64 at each offset.
fn shapes(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let listed = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let hexadecimal = nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect();
    let mut shapes = vec![secret.to_owned(), listed, hexadecimal];
    for before in 0..3 {
        let padded = [vec![0; before], secret.as_bytes().to_vec()].concat();
        let whole = padded.len() / 3 * 4;
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            // The first characters depend on the bytes before the secret.
            shapes.push(encoded[(before * 4).div_ceil(3)..whole].to_owned());
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_any_shape_and_at_any_offset() {
        const SECRET: &str = "Recognisable-Content-0815";
        let secrets = [SECRET.to_owned()];
        for before in ["", "a", "ab", "abc", "abcd"] {
            let said = format!("{before}{SECRET}{before}");
            assert_eq!(leaks(&format!("x{said}y"), &secrets), [SECRET]);
            assert_eq!(leaks(&STANDARD_NO_PAD.encode(&said), &secrets), [SECRET], "{before}");
            assert!(leaks(&STANDARD_NO_PAD.encode(before), &secrets).is_empty());
            assert_eq!(leaks(&format!("B({:?})", said.as_bytes()), &secrets), [SECRET]);
        }
    }
}
