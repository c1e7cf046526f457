//! Requests to the HTTP API.

use crate::{Account, Cluster};
use anyhow::{Context as _, Result, ensure};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wigwag_protocol::Code;
use wigwag_protocol::http::Failure;

impl Cluster {
    /// Sends a request as it is.
    pub async fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<String>) -> Result<Response> {
        let url = format!("{}{path}", self.stack.http_url);
        let mut request = self.http.request(method.parse()?, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        Ok(request.send().await?)
    }

    /// Posts JSON and reads JSON.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, token: Option<&str>, body: &impl Serialize) -> Result<T> {
        read(
            self.send("POST", path, token, Some(serde_json::to_string(body)?))
                .await?,
        )
        .await
    }

    /// Gets JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, token: Option<&str>) -> Result<T> {
        read(self.send("GET", path, token, None).await?).await
    }

    /// Posts JSON that must be refused; returns the status and the failure.
    pub async fn refused(&self, path: &str, token: Option<&str>, body: &str) -> Result<(StatusCode, Failure)> {
        let response = self.send("POST", path, token, Some(body.to_owned())).await?;
        Ok((response.status(), response.json().await.context("read the failure")?))
    }

    /// Posts JSON as a user; returns `OK`, or the code of the refusal.
    pub async fn outcome(&self, path: &str, who: &Account, body: &impl Serialize) -> Result<Code> {
        let body = serde_json::to_string(body)?;
        let response = self.send("POST", path, Some(&who.token), Some(body)).await?;
        if response.status().is_success() {
            return Ok(Code::OK);
        }
        let failure: Failure = response.json().await.context("read the failure")?;
        Code::from_number(failure.code).context("an unknown code")
    }
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T> {
    let status = response.status();
    let text = response.text().await?;
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text)?)
}
