//! Access tokens.

use super::{NOW_MS, text};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_edge::{Claims, TokenError, TokenKeys};
use wigwag_protocol::http::PLATFORMS;
use wigwag_protocol::limits::{MAX_INTEGER, TOKEN_BYTES};

const CURRENT: &str = "the key that tokens are signed with";

const PREVIOUS: &str = "the key that they were signed with before";

/// Keys that a forger may know or guess.
const GUESSES: [&str; 3] = ["", "wigwag", "12345678"];

pub(super) fn keys() -> TokenKeys {
    TokenKeys::new(CURRENT, PREVIOUS).expect("the keys are long enough")
}

/// A valid token, and its claims.
pub(super) static GOOD: LazyLock<(String, Claims)> = LazyLock::new(|| {
    let claims = Claims {
        user: UserId(7),
        device: DeviceKey::derive(1, "phone"),
        platform: 1,
        expires_at_s: NOW_MS / 1000 + 60,
    };
    (keys().issue(&claims, NOW_MS / 1000).expect("a token"), claims)
});

/// A token, or two lines with a header and claims, which this signs with nothing, with guessed keys
/// and with the right key. An accepted token is signed with the right key, names a user and a
/// platform, and has not expired.
pub fn token(data: &[u8]) {
    let Some(text) = text(data) else { return };
    judge(&text.replace('~', &GOOD.0));
    if let Some((header, claims)) = text.split_once('\n') {
        let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encode(header), encode(claims));
        judge(&format!("{signed}."));
        for guess in GUESSES {
            assert_eq!(verify(&sign(&signed, guess)), Err(TokenError::Invalid), "{text}");
        }
        judge(&sign(&signed, CURRENT));
        judge(&sign(&signed, PREVIOUS));
    }
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    keys().verify(token, NOW_MS / 1000)
}

fn judge(token: &str) {
    let Ok(claims) = verify(token) else { return };
    let (signed, _) = token.rsplit_once('.').expect("a token has three parts");
    let is_ours = [CURRENT, PREVIOUS].iter().any(|key| sign(signed, key) == token);
    assert!(is_ours, "accepted, but not signed with our key: {token}");
    assert!(token.len() <= TOKEN_BYTES);
    assert!(
        (1..=MAX_INTEGER).contains(&claims.user.0) && PLATFORMS.contains(&claims.platform),
        "{claims:?}"
    );
    assert!(claims.expires_at_s > NOW_MS / 1000, "{claims:?}");
    let header = URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap_or_default());
    let header: serde_json::Value = serde_json::from_slice(&header.expect("base64")).expect("JSON");
    assert_eq!(header["alg"], "HS256", "accepted under another algorithm: {token}");
}

/// HMAC-SHA-256 as in RFC 2104, so that signatures are not checked by the code that made them. Our
/// keys are shorter than a block.
fn sign(signed: &str, key: &str) -> String {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        for (index, byte) in key.bytes().enumerate() {
            block[index] ^= byte;
        }
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(signed).finalize();
    let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(outer))
}
