//! Passwords: which ones are accepted, and how they are stored: Argon2id with the parameters that
//! OWASP recommends (19 MiB, two passes), hashed off the event loop.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use std::collections::HashSet;
use wigwag_protocol::limits::{PASSWORD_MAX_BYTES, PASSWORD_MIN_CHARS};

/// The hash that is checked if a phone number has no account, so that the answer takes as long as
/// if it had one. Nobody has its password; a test checks that its parameters are those of [`hash`].
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$GA7V5dHkgN1XHo5hlIT8bA$hcPnKPBdqRnDbZHnULDkF4TsE9SFKTRd1c4LOeHF1lM";

/// The most common passwords that are long enough otherwise.
const COMMON: &[&str] = &[
    "12345678",
    "123456789",
    "1234567890",
    "password",
    "password1",
    "password123",
    "passw0rd",
    "qwertyui",
    "qwerty123",
    "qwertyuiop",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "abcd1234",
    "abc12345",
    "11111111",
    "00000000",
    "88888888",
    "12341234",
    "87654321",
    "trustno1",
    "letmein1",
    "welcome1",
    "admin123",
    "changeme",
    "whatever",
    "starwars",
    "computer",
    "michelle",
    "jennifer",
    "dragon123",
];

/// Distinct characters that a password must have.
const DISTINCT: usize = 4;

/// Whether a password is accepted for an account with this phone number.
pub(crate) fn is_strong(password: &str, phone_number: &str) -> bool {
    let distinct: HashSet<char> = password.chars().collect();
    let lower = password.to_lowercase();
    password.chars().count() >= PASSWORD_MIN_CHARS
        && password.len() <= PASSWORD_MAX_BYTES
        && distinct.len() >= DISTINCT
        && !COMMON.contains(&lower.as_str())
        && password.trim_start_matches('+') != phone_number.trim_start_matches('+')
}

/// Hashes a password as a PHC string. `None` if that fails.
pub(crate) async fn hash(password: String) -> Option<String> {
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default()
            .hash_password(password.as_bytes())
            .ok()
            .map(|hash| hash.to_string())
    });
    hashed.await.ok().flatten()
}

/// Whether a password belongs to a hash. Takes as long if there is no hash.
pub(crate) async fn verify(password: String, hash: Option<String>) -> bool {
    let checked = tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let matches = matches(&password, hash.as_deref().unwrap_or(NOBODY));
        known && matches
    });
    checked.await.unwrap_or(false)
}

fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused() {
        for weak in [
            "",
            "short",
            "password",
            "PassWord",
            "aaaaaaaaaa",
            "abababab",
            "+8613800000000",
            "8613800000000",
        ] {
            assert!(!is_strong(weak, "+8613800000000"), "{weak}");
        }
        assert!(!is_strong(&"abcde".repeat(30), "+8613800000000"));
        assert!(is_strong("correct horse", "+8613800000000"));
        assert!(is_strong("密码密码一二三四", "+8613800000000"));
    }

    #[tokio::test]
    async fn a_password_belongs_to_its_own_hash_only() {
        let hash = hash("correct horse".to_owned()).await;
        assert!(verify("correct horse".to_owned(), hash.clone()).await);
        assert!(!verify("battery staple".to_owned(), hash).await);
        assert!(!verify("correct horse".to_owned(), None).await);
    }

    #[tokio::test]
    async fn an_unknown_number_costs_the_same_hash_as_a_known_one() {
        let known = hash("correct horse".to_owned()).await.unwrap();
        let cost = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(NOBODY), cost(&known));
        assert!(PasswordHash::new(NOBODY).is_ok_and(|hash| hash.hash.is_some()));
    }
}
