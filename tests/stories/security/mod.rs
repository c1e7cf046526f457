//! Attacks that must fail, all in one table.
//!
//! A row has an attack, its outcome, and how it is tried. The outcome is a status, the name of a
//! code, or the texts that could be read. A comment names the story that tells a row in full.
//! `docs/operator/security.md` says what is defended, and what is not.

mod edges;
mod logins;
mod logs;
mod reading;
mod roles;
mod scene;
mod sending;
mod tokens;

use anyhow::{Context as _, Result};
use futures_util::future::BoxFuture;
use reqwest::Response;
use scene::Scene;
use wigwag_protocol::Code;
use wigwag_protocol::http::Failure;

/// An attack, the outcome that it must have, and how it is tried.
type Row<'a> = (&'static str, &'static str, BoxFuture<'a, Result<String>>);

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_fails() -> Result<()> {
    let scene = Scene::new().await?;
    let tables = [
        tokens::rows(&scene)?,
        reading::rows(&scene),
        sending::rows(&scene),
        edges::rows(&scene),
    ];
    all_fail(tables.into_iter().flatten().collect()).await?;
    scene.cluster.stop().await;
    Ok(())
}

/// Tries all attacks, and fails with all that had another outcome.
async fn all_fail(rows: Vec<Row<'_>>) -> Result<()> {
    let mut wrong = Vec::new();
    for (attack, wanted, tried) in rows {
        let outcome = tried.await.with_context(|| attack.to_owned())?;
        if outcome != wanted {
            wrong.push(format!("{attack}: {outcome} instead of {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

/// The name of a code.
fn name(code: i32) -> Result<String> {
    let code = Code::from_number(code).with_context(|| format!("code {code} is not documented"))?;
    Ok(code.name().to_owned())
}

/// The name of the code in an answer of the HTTP API.
async fn name_of(response: Response) -> Result<String> {
    if response.status().is_success() {
        return name(0);
    }
    let failure: Failure = response.json().await.context("read the failure")?;
    name(failure.code)
}
