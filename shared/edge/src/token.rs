//! Access tokens: JWTs signed with HMAC-SHA-256, bound to user, platform and device.
//!
//! The key is a secret of the deployment (see [`crate::keys`]). Each token's header has the id of
//! its key, which is derived from it, so that tokens of the previous key are known after a
//! rotation. No other algorithm is accepted, whatever a header says.

use crate::hs256;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use wigwag_domain::{DeviceKey, UserId};
use wigwag_protocol::http::PLATFORMS;
use wigwag_protocol::limits::{MAX_INTEGER, TOKEN_BYTES};

/// The claims of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The user it was given to.
    pub user: UserId,
    /// The device it was given to.
    pub device: DeviceKey,
    /// Kind of the device, 1 to 11.
    pub platform: u8,
    /// When it ends, in seconds since 1970.
    pub expires_at_s: i64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Its form, key, algorithm, signature or claims are not ours.
    #[error("the token is not valid")]
    Invalid,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
}

/// The claims as the token has them.
#[derive(Serialize, Deserialize)]
struct Body {
    iss: String,
    sub: String,
    dev: String,
    plt: u8,
    iat: i64,
    exp: i64,
    /// Our tokens have none. A token that has it is not valid before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

const ISSUER: &str = "wigwag";

/// Shortest key in bytes: as long as the hash, as RFC 7518 asks.
pub const KEY_BYTES: usize = 32;

/// Hexadecimal digits of a key's id.
const KEY_ID_CHARS: usize = 8;

struct Key {
    id: String,
    signs: EncodingKey,
    verifies: DecodingKey,
}

impl Key {
    fn new(secret: &str) -> Self {
        hs256::install();
        let digest = Sha256::new()
            .chain_update(b"wigwag key id")
            .chain_update(secret.as_bytes())
            .finalize();
        Self {
            id: format!(
                "{:08x}",
                u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
            ),
            signs: EncodingKey::from_secret(secret.as_bytes()),
            verifies: DecodingKey::from_secret(secret.as_bytes()),
        }
    }
}

/// The keys of a deployment.
pub struct TokenKeys {
    current: Key,
    previous: Option<Key>,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys")
            .field("current", &self.current.id)
            .finish_non_exhaustive()
    }
}

impl TokenKeys {
    /// Keys from their secrets; an empty `previous` means that there is none. `None` if one is
    /// shorter than [`KEY_BYTES`].
    pub fn new(current: &str, previous: &str) -> Option<Self> {
        let long_enough = |secret: &str| secret.len() >= KEY_BYTES;
        if !long_enough(current) || !(previous.is_empty() || long_enough(previous)) {
            return None;
        }
        let previous = (!previous.is_empty()).then(|| Key::new(previous));
        Some(Self {
            current: Key::new(current),
            previous,
        })
    }

    /// Signs a token.
    pub fn issue(&self, claims: &Claims, now_s: i64) -> Result<String, TokenError> {
        let header = Header {
            kid: Some(self.current.id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let body = Body {
            iss: ISSUER.to_owned(),
            sub: claims.user.to_string(),
            dev: claims.device.as_str().to_owned(),
            plt: claims.platform,
            iat: now_s,
            exp: claims.expires_at_s,
            nbf: None,
        };
        jsonwebtoken::encode(&header, &body, &self.current.signs).map_err(|_| TokenError::Invalid)
    }

    /// Checks a token. The signature comes first: nothing is told about a token that is not ours,
    /// not even that it expired.
    pub fn verify(&self, token: &str, now_s: i64) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let key = self.key(header.kid.as_deref()).ok_or(TokenError::Invalid)?;
        let body = jsonwebtoken::decode::<Body>(token, &key.verifies, &validation())
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let claims = Claims {
            user: body.sub.parse().map_err(|_| TokenError::Invalid)?,
            device: DeviceKey::from_key(&body.dev).ok_or(TokenError::Invalid)?,
            platform: body.plt,
            expires_at_s: body.exp,
        };
        if !(1..=MAX_INTEGER).contains(&claims.user.0) || !PLATFORMS.contains(&claims.platform) {
            return Err(TokenError::Invalid);
        }
        if body.nbf.is_some_and(|not_before_s| now_s < not_before_s) {
            return Err(TokenError::Invalid);
        }
        if now_s >= claims.expires_at_s {
            Err(TokenError::Expired)
        } else {
            Ok(claims)
        }
    }

    /// Whether one of the keys has this id.
    pub(crate) fn has(&self, key_id: &str) -> bool {
        self.key(Some(key_id)).is_some()
    }

    fn key(&self, id: Option<&str>) -> Option<&Key> {
        [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten()
            .find(|key| Some(key.id.as_str()) == id)
    }
}

/// The id of the key that a token names, before anything else is checked; `None` if no key of ours
/// can have it.
pub(crate) fn key_id(token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES {
        return None;
    }
    let id = jsonwebtoken::decode_header(token).ok()?.kid?;
    let is_one = id.len() == KEY_ID_CHARS && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_one.then_some(id)
}

/// One algorithm, our issuer. The expiry is checked against the caller's clock, not here.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::*;
    use sha2::Sha512;

    const OLD: &str = "old-old-old-old-old-old-old-old-old-";
    const NEW: &str = "new-new-new-new-new-new-new-new-new-";

    fn keys() -> TokenKeys {
        TokenKeys::new(NEW, OLD).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            user: UserId(7),
            device: DeviceKey::derive(1, "phone"),
            platform: 1,
            expires_at_s: 100,
        }
    }

    fn encoded(bytes: impl AsRef<[u8]>) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }

    fn forged(header: &str, body: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", encoded(header), encoded(body))
    }

    #[test]
    fn a_token_holds_its_claims_until_it_expires() {
        let token = keys().issue(&claims(), 10).unwrap();
        assert_eq!(keys().verify(&token, 99), Ok(claims()));
        assert_eq!(keys().verify(&token, 100), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_of_the_previous_key_is_accepted_and_one_of_an_unknown_key_is_not() {
        let old = TokenKeys::new(OLD, "").unwrap().issue(&claims(), 10).unwrap();
        assert_eq!(keys().verify(&old, 50), Ok(claims()));
        let foreign = TokenKeys::new("some-other-key-some-other-key-some-", "")
            .unwrap()
            .issue(&claims(), 10)
            .unwrap();
        assert_eq!(keys().verify(&foreign, 50), Err(TokenError::Invalid));
        assert_eq!(
            TokenKeys::new(NEW, "").unwrap().verify(&old, 50),
            Err(TokenError::Invalid)
        );
    }

    #[test]
    fn a_token_with_another_algorithm_or_another_kid_is_refused() {
        let body = r#"{"iss":"wigwag","sub":"7","dev":"AAAAAA","plt":1,"iat":1,"exp":100}"#;
        let kid = Key::new(NEW).id;
        for header in [
            format!(r#"{{"alg":"none","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"HS512","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#),
            r#"{"alg":"HS256"}"#.to_owned(),
            r#"{"alg":"HS256","kid":"../../etc"}"#.to_owned(),
        ] {
            for signature in ["", "AAAA"] {
                assert_eq!(
                    keys().verify(&forged(&header, body, signature), 50),
                    Err(TokenError::Invalid),
                    "{header}"
                );
            }
        }
        let header = format!(r#"{{"alg":"HS512","kid":"{kid}"}}"#);
        let signed = forged(&header, body, "");
        let signature = Hmac::<Sha512>::new_from_slice(NEW.as_bytes())
            .unwrap()
            .chain_update(signed.trim_end_matches('.'))
            .finalize()
            .into_bytes();
        let stronger = signed + &encoded(signature);
        assert_eq!(keys().verify(&stronger, 50), Err(TokenError::Invalid));
    }

    #[test]
    fn a_signed_token_with_claims_that_are_not_ours_is_refused() {
        let key = Key::new(NEW);
        let header = Header {
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        for body in [
            r#"{"iss":"other","sub":"7","dev":"AAAAAA","plt":1,"iat":1,"exp":100}"#,
            r#"{"iss":"wigwag","sub":"0","dev":"AAAAAA","plt":1,"iat":1,"exp":100}"#,
            r#"{"iss":"wigwag","sub":"x","dev":"AAAAAA","plt":1,"iat":1,"exp":100}"#,
            r#"{"iss":"wigwag","sub":"7","dev":"A","plt":1,"iat":1,"exp":100}"#,
            r#"{"iss":"wigwag","sub":"7","dev":"AAAAAA","plt":99,"iat":1,"exp":100}"#,
            r#"{"iss":"wigwag","sub":"7","dev":"AAAAAA","plt":1,"iat":1,"exp":100,"nbf":60}"#,
            r#"{"iss":"wigwag","sub":"7"}"#,
        ] {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let token = jsonwebtoken::encode(&header, &body, &key.signs).unwrap();
            assert_eq!(keys().verify(&token, 50), Err(TokenError::Invalid), "{body}");
        }
    }

    #[test]
    fn a_token_names_a_key_of_ours_or_none() {
        let token = keys().issue(&claims(), 10).unwrap();
        assert_eq!(key_id(&token), Some(Key::new(NEW).id));
        for kid in ["", "../../etc", "ABCDEF01", "0123456", "012345678", "0123456g"] {
            assert_eq!(
                key_id(&forged(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#), "{}", "")),
                None,
                "{kid}"
            );
        }
        assert_eq!(key_id(&forged(r#"{"alg":"HS256"}"#, "{}", "")), None);
        assert_eq!(key_id(&format!("{token}{}", "A".repeat(TOKEN_BYTES))), None);
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(TokenKeys::new("short", "").is_none());
        assert!(TokenKeys::new(NEW, "short").is_none());
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_no_token(text in ".{0,200}") {
            prop_assert_eq!(keys().verify(&text, 50), Err(TokenError::Invalid));
        }

        #[test]
        fn a_token_with_any_character_changed_is_refused(at in 0_usize..150, to in "[A-Za-z0-9_-]") {
            let token = keys().issue(&claims(), 10).unwrap();
            let at = at % token.len();
            let mut altered = token.clone();
            altered.replace_range(at..=at, &to);
            // The last character of the signature has unused bits; jsonwebtoken compares the
            // decoded bytes.
            prop_assume!(altered != token && at + 1 < token.len());
            prop_assert_eq!(keys().verify(&altered, 50), Err(TokenError::Invalid));
        }
    }
}
