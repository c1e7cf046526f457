//! HMAC-SHA-256 for `jsonwebtoken`: the only algorithm that it has here.
//!
//! The `hmac` and `sha2` crates below also sign the requests of the SDK, so a token costs a
//! function no further library (docs/adr/0017). A token of any other algorithm is refused, whatever
//! else is checked.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use sha2::Sha256;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(), // for sets of public keys, which are not used
};

/// Installs the algorithm in `jsonwebtoken`. To be called before the first token; may be called
/// again.
pub(crate) fn install() {
    // Refused if it was installed before.
    let _ = PROVIDER.install_default();
}

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> Result<Box<Self>, Error> {
        if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        let hmac = Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Box::new(Self(hmac)))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as jsonwebtoken calls it")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Ok(Hs256::new(*algorithm, key.family(), key.as_bytes())?)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as jsonwebtoken calls it")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    Ok(Hs256::new(*algorithm, key.family(), key.try_get_as_bytes()?)?)
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// Compares all of the 32 bytes, in a time that does not depend on them.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let hmac = self.0.clone().chain_update(message);
        hmac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.1: the key, what is signed, and its signature.
    const KEY: &str = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const SIGNED: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn decoded(text: &str) -> Vec<u8> {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn the_example_of_the_standard_is_signed_and_accepted() {
        let (key, signature) = (decoded(KEY), decoded(SIGNATURE));
        let signer = signer(&Algorithm::HS256, &EncodingKey::from_secret(&key)).unwrap();
        assert_eq!(signer.try_sign(SIGNED.as_bytes()).unwrap(), signature);
        let verifier = verifier(&Algorithm::HS256, &DecodingKey::from_secret(&key)).unwrap();
        assert!(verifier.verify(SIGNED.as_bytes(), &signature).is_ok());
    }

    #[test]
    fn a_signature_that_is_cut_or_longer_or_differs_in_any_bit_is_refused() {
        let (key, signature) = (decoded(KEY), decoded(SIGNATURE));
        let verifier = verifier(&Algorithm::HS256, &DecodingKey::from_secret(&key)).unwrap();
        let refused = |signature: &[u8]| verifier.verify(SIGNED.as_bytes(), &signature.to_vec()).is_err();
        for length in 0..signature.len() {
            assert!(refused(&signature[..length]), "{length} bytes");
        }
        assert!(refused(&[signature.as_slice(), &[0]].concat()));
        for bit in 0..signature.len() * 8 {
            let mut other = signature.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(refused(&other), "bit {bit}");
        }
    }

    #[test]
    fn no_other_algorithm_or_kind_of_key_is_accepted() {
        let (signs, verifies) = (EncodingKey::from_secret(&[7; 64]), DecodingKey::from_secret(&[7; 64]));
        for algorithm in [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::EdDSA] {
            assert!(signer(&algorithm, &signs).is_err(), "{algorithm:?}");
            assert!(verifier(&algorithm, &verifies).is_err(), "{algorithm:?}");
        }
        assert!(signer(&Algorithm::HS256, &EncodingKey::from_rsa_der(&[7; 64])).is_err());
        assert!(verifier(&Algorithm::HS256, &DecodingKey::from_rsa_der(&[7; 64])).is_err());
    }
}
