//! Signature Version 4, without verification: a request must have a complete signature, but its
//! value is not checked.
//!
//! The stack's credentials are not secret, so a verified signature would prove nothing. But a
//! client that forgets to sign, or signs for another service, must fail here as it does on AWS.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The signer and the service of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    /// The access key id of the signer.
    pub(super) access_key_id: String,
    /// The service it is signed for, for example `dynamodb`.
    pub(super) service: String,
}

/// Why a request does not count as signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unsigned {
    /// It has no signature.
    Missing,
    /// Its signature is incomplete; with the message that AWS gives.
    Incomplete(String),
}

/// Reads the signature from the `Authorization` header or the query of a presigned URL.
pub(super) fn read(headers: &HeaderMap, query: Option<&str>) -> Result<Signed, Unsigned> {
    let authorization = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    match authorization.and_then(|value| value.strip_prefix(ALGORITHM)) {
        Some(fields) => {
            let dated = headers.contains_key("x-amz-date") || headers.contains_key(http::header::DATE);
            from_header(fields, dated)
        }
        None => from_query(query.unwrap_or_default()),
    }
}

fn from_header(fields: &str, dated: bool) -> Result<Signed, Unsigned> {
    let fields: BTreeMap<&str, &str> = fields
        .split([',', ' '])
        .filter_map(|field| field.trim().split_once('='))
        .collect();
    let field = |name: &str| {
        let missing = || Unsigned::Incomplete(format!("Authorization header requires '{name}' parameter."));
        fields
            .get(name)
            .copied()
            .filter(|value| !value.is_empty())
            .ok_or_else(missing)
    };
    if !dated {
        let text = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.";
        return Err(Unsigned::Incomplete(text.to_owned()));
    }
    signed(field("Credential")?, field("SignedHeaders")?, field("Signature")?)
}

fn from_query(query: &str) -> Result<Signed, Unsigned> {
    let fields: BTreeMap<&str, Cow<'_, str>> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name, percent_decode_str(value).decode_utf8_lossy()))
        .collect();
    if fields
        .get("X-Amz-Algorithm")
        .is_none_or(|algorithm| algorithm != ALGORITHM)
    {
        return Err(Unsigned::Missing);
    }
    let field = |name: &str| {
        let missing = || Unsigned::Incomplete(format!("AWS query-string parameters must include '{name}'."));
        fields.get(name).filter(|value| !value.is_empty()).ok_or_else(missing)
    };
    field("X-Amz-Date")?;
    signed(
        field("X-Amz-Credential")?,
        field("X-Amz-SignedHeaders")?,
        field("X-Amz-Signature")?,
    )
}

fn signed(credential: &str, signed_headers: &str, signature: &str) -> Result<Signed, Unsigned> {
    let incomplete = |text: String| Err(Unsigned::Incomplete(text));
    let [access_key_id, date, region, service, "aws4_request"] = credential.split('/').collect::<Vec<_>>()[..] else {
        return incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got '{credential}'"
        ));
    };
    if [access_key_id, region, service].contains(&"")
        || date.len() != 8
        || !date.bytes().all(|byte| byte.is_ascii_digit())
    {
        return incomplete(format!(
            "Credential '{credential}' is not keyid/date/region/service/aws4_request"
        ));
    }
    if !signed_headers.split(';').any(|name| name == "host") {
        return incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.".to_owned());
    }
    if signature.len() != 64 || !signature.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return incomplete("Signature is not 64 hexadecimal characters".to_owned());
    }
    Ok(Signed {
        access_key_id: access_key_id.to_owned(),
        service: service.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(authorization: &str) -> Result<Signed, Unsigned> {
        let headers = [("authorization", authorization), ("x-amz-date", "20261121T000000Z")];
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        read(&headers.collect(), None)
    }

    fn expected() -> Signed {
        Signed {
            access_key_id: "LOCALWork".to_owned(),
            service: "dynamodb".to_owned(),
        }
    }

    fn message(result: Result<Signed, Unsigned>) -> String {
        match result {
            Err(Unsigned::Incomplete(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_complete_header_counts_as_signed() {
        let signature = "a".repeat(64);
        let credential = "LOCALWork/20261121/us-east-1/dynamodb/aws4_request";
        for separator in [", ", ",", " "] {
            let text = format!(
                "{ALGORITHM} Credential={credential}{separator}SignedHeaders=host;x-amz-date{separator}Signature={signature}"
            );
            assert_eq!(header(&text), Ok(expected()));
        }
    }

    #[test]
    fn a_presigned_query_counts_as_signed() {
        let query = format!(
            "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=LOCALWork%2F20261121%2Fus-east-1%2Fdynamodb%2Faws4_request\
             &X-Amz-Date=20261121T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
            "0".repeat(64)
        );
        assert_eq!(read(&HeaderMap::new(), Some(&query)), Ok(expected()));
    }

    #[test]
    fn a_missing_signature_and_an_incomplete_one_are_different_errors() {
        assert_eq!(read(&HeaderMap::new(), Some("a=b")), Err(Unsigned::Missing));
        assert_eq!(header("Bearer token"), Err(Unsigned::Missing));
        assert_eq!(
            message(header(ALGORITHM)),
            "Authorization header requires 'Credential' parameter."
        );
        let credential = "Credential=A/20261121/r/s/aws4_request";
        assert_eq!(
            message(header(&format!("{ALGORITHM} {credential}, SignedHeaders=host"))),
            "Authorization header requires 'Signature' parameter."
        );
        assert_eq!(
            message(header(&format!(
                "{ALGORITHM} {credential}, SignedHeaders=host, Signature=zz"
            ))),
            "Signature is not 64 hexadecimal characters"
        );
        assert!(
            message(header(&format!(
                "{ALGORITHM} Credential=A/B, SignedHeaders=host, Signature={}",
                "0".repeat(64)
            )))
            .contains("5 slash-delimited elements")
        );
    }
}
