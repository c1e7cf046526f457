//! Tokens that were not given to the user who shows them. Each is shown in the three places that
//! take a token.
use super::Row;
use super::scene::Scene;
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use hmac::Hmac;
use serde_json::{Value, json};
use sha2::Sha512;
use wigwag_cluster::tokens::{Forgery, key_id};
use wigwag_cluster::{Account, Dial};
use wigwag_protocol::Request;
use wigwag_protocol::pb::LoginMsg;

/// Outcomes of an invalid token in the query, in the subprotocols, and as a bearer token.
const REFUSED: &str = "401 401 TOKEN_INVALID";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(scene: &Scene) -> Result<Vec<Row<'_>>> {
    let (token, key) = (scene.eve.token.as_str(), scene.key.as_str());
    let real = || Forgery::from_token(token);
    let signature = token.rsplit_once('.').context("a token has three parts")?.1;
    let header = token.split_once('.').context("a token has three parts")?.0;
    let kid = key_id(token)?;
    let as_ada = || Ok::<_, anyhow::Error>(real()?.claim("sub", "1"));
    let keyless =
        |algorithm: &str| Ok::<_, anyhow::Error>(format!("{}.", as_ada()?.header("alg", algorithm).unsigned()));
    let of_ada = scene.ada.token.as_str();
    let guessed = "k".repeat(32);
    let shown: Vec<(&'static str, &'static str, String)> = vec![
        ("no signature, alg none", REFUSED, keyless("none")?),
        ("no signature, alg None", REFUSED, keyless("None")?),
        ("no signature, alg HS256", REFUSED, keyless("HS256")?),
        (
            "the signature of another token",
            REFUSED,
            format!("{}.{signature}", as_ada()?.unsigned()),
        ),
        ("signed with another key", REFUSED, as_ada()?.signed(&guessed)?),
        ("signed with an empty key", REFUSED, as_ada()?.signed("")?),
        ("signed with the id of the key", REFUSED, as_ada()?.signed(&kid)?),
        (
            "signed with the name of the issuer",
            REFUSED,
            as_ada()?.signed("wigwag")?,
        ),
        ("signed with another key that is in the header", REFUSED, {
            let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(&guessed) });
            as_ada()?
                .header("jwk", jwk)
                .header("jku", "http://127.0.0.1/keys")
                .signed(&guessed)?
        }),
        (
            "alg RS256, signed with the key's own bytes",
            REFUSED,
            as_ada()?.header("alg", "RS256").signed(key)?,
        ),
        ("alg HS512, signed with HS512", REFUSED, {
            as_ada()?.header("alg", "HS512").signed_as::<Hmac<Sha512>>(key)?
        }),
        (
            "alg HS256, signed with HS512",
            REFUSED,
            as_ada()?.signed_as::<Hmac<Sha512>>(key)?,
        ),
        (
            "signed with the previous key, named as the current one",
            REFUSED,
            as_ada()?.signed(&scene.previous_key)?,
        ),
        (
            "no key named",
            REFUSED,
            as_ada()?.header("kid", Value::Null).signed(key)?,
        ),
        (
            "a path as the id of the key",
            REFUSED,
            as_ada()?.header("kid", "../../dev/null").signed("")?,
        ),
        (
            "of another issuer",
            REFUSED,
            as_ada()?.claim("iss", "elsewhere").signed(key)?,
        ),
        ("for nobody", REFUSED, real()?.claim("sub", "0").signed(key)?),
        (
            "for an unknown platform",
            REFUSED,
            real()?.claim("plt", 99).signed(key)?,
        ),
        (
            "expired",
            "401 401 TOKEN_EXPIRED",
            real()?.claim("exp", 1_700_000_000).signed(key)?,
        ),
        (
            "not valid before a day in the future",
            REFUSED,
            real()?.claim("nbf", 1_u64 << 40).signed(key)?,
        ),
        (
            "without an expiry",
            REFUSED,
            real()?.claim("exp", Value::Null).signed(key)?,
        ),
        (
            "without its last character",
            REFUSED,
            token[..token.len() - 1].to_owned(),
        ),
        (
            "without its signature",
            REFUSED,
            token.trim_end_matches(signature).to_owned(),
        ),
        ("its header alone", REFUSED, header.to_owned()),
        ("two tokens joined", REFUSED, format!("{token}.{of_ada}")),
        (
            "longer than the limit",
            REFUSED,
            real()?.claim("pad", "x".repeat(2048)).signed(key)?,
        ),
    ];
    let show = |(attack, outcome, token)| -> Row<'_> { (attack, outcome, everywhere(scene, token).boxed()) };
    let mut rows: Vec<Row<'_>> = shown.into_iter().map(show).collect();
    rows.extend(good_ones(scene));
    Ok(rows)
}

/// Shows a token in the query, in the subprotocols, and as a bearer token.
async fn everywhere(scene: &Scene, token: String) -> Result<String> {
    let dial = || scene.cluster.dial();
    let query = dial().token(&token).refused().await?;
    let offered = format!("wigwag.json.v1, wigwag.token.{token}");
    let subprotocol = dial().subprotocols(&offered).refused().await?;
    let bearer = scene.http("GET", "/me", Some(&token), None).await?;
    Ok(format!("{query} {subprotocol} {bearer}"))
}

/// Valid tokens where they do not belong, and no token at all.
fn good_ones(scene: &Scene) -> Vec<Row<'_>> {
    let Scene { cluster, ada, eve, .. } = scene;
    let dial = |who: &Account| cluster.dial().token(&who.token);
    let status = |dial: Dial| async move { Ok(dial.refused().await?.to_string()) }.boxed();
    let nobody = |method, path| scene.http(method, path, None, Some("{}".to_owned())).boxed();
    vec![
        ("none, at $connect", "401", status(cluster.dial())),
        (
            "none, at the HTTP API",
            "NOT_SIGNED_IN",
            nobody("POST", "/group/create"),
        ),
        ("in the query of the HTTP API", "NOT_SIGNED_IN", {
            async { scene.http("GET", &format!("/me?token={}", eve.token), None, None).await }.boxed()
        }),
        ("from another platform", "403", status(dial(eve).query("platform", "1"))),
        (
            "from another device",
            "403",
            status(dial(eve).query("device_id", "another")),
        ),
        ("a bad one in the query, a good one in the subprotocols", "401", {
            let offered = format!("wigwag.json.v1, wigwag.token.{}", eve.token);
            status(cluster.dial().token("a.b.c").subprotocols(&offered))
        }),
        // See connecting::login_frame::a_connection_signs_in_with_a_frame_if_that_is_allowed.
        (
            "another user's, in a LOGIN frame on a signed-in connection",
            "ALREADY_SIGNED_IN",
            {
                let token = ada.token.as_bytes().to_vec();
                scene.frame(eve, Request::Login(LoginMsg { token })).boxed()
            },
        ),
    ]
}
