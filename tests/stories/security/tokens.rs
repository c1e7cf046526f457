//! Tokens that were not given to whoever shows them. Each is shown in the three places that take one.

use super::{Row, Scene};
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use wigwag_cluster::{Account, Dial};
use wigwag_protocol::Request;
use wigwag_protocol::pb::LoginMsg;

/// What comes of a token that is not valid: in the query, in the subprotocols, as a bearer.
const REFUSED: &str = "401 401 TOKEN_INVALID";

/// A header and claims, to be changed and signed anew.
#[derive(Clone)]
struct Forgery {
    header: Value,
    claims: Value,
}

impl Forgery {
    /// Of a real token.
    fn of(token: &str) -> Result<Self> {
        let mut parts = token.split('.').map(|part| {
            let bytes = URL_SAFE_NO_PAD.decode(part)?;
            anyhow::Ok(serde_json::from_slice(&bytes)?)
        });
        let mut next = || parts.next().context("a token has three parts")?;
        let (header, claims) = (next()?, next()?);
        Ok(Self { header, claims })
    }

    fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    fn unsigned(&self) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}", encode(&self.header), encode(&self.claims))
    }

    /// Signed with this key, whatever the header says.
    fn signed_as<M: Mac + KeyInit>(&self, key: &str) -> Result<String> {
        let unsigned = self.unsigned();
        let signature = <M as KeyInit>::new_from_slice(key.as_bytes())?
            .chain_update(&unsigned)
            .finalize();
        Ok(format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature.into_bytes())))
    }

    fn signed(&self, key: &str) -> Result<String> {
        self.signed_as::<Hmac<Sha256>>(key)
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows(scene: &Scene) -> Result<Vec<Row<'_>>> {
    let (token, key) = (scene.eve.token.as_str(), scene.key.as_str());
    let real = || Forgery::of(token);
    let signature = token.rsplit_once('.').context("a token has three parts")?.1;
    let header = token.split_once('.').context("a token has three parts")?.0;
    let kid = real()?.header["kid"]
        .as_str()
        .context("a token names its key")?
        .to_owned();
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
        ("another key, which the header brings along", REFUSED, {
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
        ("alg HS512, signed so", REFUSED, {
            as_ada()?.header("alg", "HS512").signed_as::<Hmac<Sha512>>(key)?
        }),
        (
            "alg HS256, signed with HS512",
            REFUSED,
            as_ada()?.signed_as::<Hmac<Sha512>>(key)?,
        ),
        (
            "the previous key, named as the current one",
            REFUSED,
            as_ada()?.signed(&scene.previous_key)?,
        ),
        (
            "no key named",
            REFUSED,
            as_ada()?.header("kid", Value::Null).signed(key)?,
        ),
        (
            "a path for a key",
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
            "for no platform that there is",
            REFUSED,
            real()?.claim("plt", 99).signed(key)?,
        ),
        (
            "expired",
            "401 401 TOKEN_EXPIRED",
            real()?.claim("exp", 1_700_000_000).signed(key)?,
        ),
        (
            "not valid before some day to come",
            REFUSED,
            real()?.claim("nbf", 1_u64 << 40).signed(key)?,
        ),
        (
            "without an end",
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
        ("twice in one", REFUSED, format!("{token}.{of_ada}")),
        (
            "longer than any of ours",
            REFUSED,
            real()?.claim("pad", "x".repeat(2048)).signed(key)?,
        ),
    ];
    let show = |(attack, must, token)| -> Row<'_> { (attack, must, everywhere(scene, token).boxed()) };
    let mut rows: Vec<Row<'_>> = shown.into_iter().map(show).collect();
    rows.extend(good_ones(scene));
    Ok(rows)
}

/// Shows a token in the query, in the subprotocols, and as a bearer.
async fn everywhere(scene: &Scene, token: String) -> Result<String> {
    let dial = || Dial::new(&scene.world.stack.websocket_url);
    let query = dial().token(&token).refused().await?;
    let offered = format!("wigwag.json.v1, wigwag.token.{token}");
    let subprotocol = dial().subprotocols(&offered).refused().await?;
    let bearer = scene.http("GET", "/me", Some(&token), None).await?;
    Ok(format!("{query} {subprotocol} {bearer}"))
}

/// Good tokens, where they do not belong.
fn good_ones(scene: &Scene) -> Vec<Row<'_>> {
    let Scene { world, ada, eve, .. } = scene;
    let dial = |who: &Account| Dial::new(&world.stack.websocket_url).token(&who.token);
    let status = |dial: Dial| async move { Ok(dial.refused().await?.to_string()) }.boxed();
    let nobody = |method, path| scene.http(method, path, None, Some("{}".to_owned())).boxed();
    vec![
        (
            "none, at $connect",
            "401",
            status(Dial::new(&world.stack.websocket_url)),
        ),
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
            status(
                Dial::new(&world.stack.websocket_url)
                    .token("a.b.c")
                    .subprotocols(&offered),
            )
        }),
        // login_frame::where_it_is_allowed_a_connection_signs_in_with_a_frame
        (
            "another's, in a LOGIN frame on one's own connection",
            "ALREADY_SIGNED_IN",
            {
                let token = ada.token.as_bytes().to_vec();
                scene.frame(eve, Request::Login(LoginMsg { token })).boxed()
            },
        ),
    ]
}
