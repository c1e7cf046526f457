//! Tokens taken apart, changed, and signed again.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// A header and claims, to be changed and signed again.
#[derive(Debug, Clone)]
pub struct Forgery {
    /// The header.
    pub header: Value,
    claims: Value,
}

impl Forgery {
    /// Takes a real token apart.
    pub fn from_token(token: &str) -> Result<Self> {
        let mut parts = token.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part)?;
            anyhow::Ok(serde_json::from_slice(&bytes)?)
        });
        let mut next = || parts.next().context("a token has three parts")?;
        let (header, claims) = (next()?, next()?);
        Ok(Self { header, claims })
    }

    /// The id of the key that the header names.
    pub fn key_id(&self) -> Result<&str> {
        self.header["kid"].as_str().context("a token names its key")
    }

    /// Sets a field of the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    /// Header and claims, without a signature.
    pub fn unsigned(&self) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}", encode(&self.header), encode(&self.claims))
    }

    /// Signed by this algorithm with this key, no matter what the header says.
    pub fn signed_as<M: Mac + KeyInit>(&self, key: &str) -> Result<String> {
        let unsigned = self.unsigned();
        let signature = <M as KeyInit>::new_from_slice(key.as_bytes())?
            .chain_update(&unsigned)
            .finalize();
        Ok(format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature.into_bytes())))
    }

    /// Signed by HS256 with this key.
    pub fn signed(&self, key: &str) -> Result<String> {
        self.signed_as::<Hmac<Sha256>>(key)
    }
}

/// The id of the key that a token is signed with.
pub fn key_id(token: &str) -> Result<String> {
    Ok(Forgery::from_token(token)?.key_id()?.to_owned())
}

/// A token that names no key and has a guessed signature.
pub fn without_key_id(user: u64) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = encode(r#"{"typ":"JWT","alg":"HS256"}"#.to_owned());
    let body = encode(format!(
        r#"{{"iss":"wigwag","sub":"{user}","dev":"AAAAAA","plt":7,"iat":0,"exp":{}}}"#,
        1_u64 << 40
    ));
    format!("{header}.{body}.{}", encode("k".repeat(32)))
}
