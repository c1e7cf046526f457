//! The source of a connection's token.

use crate::error::BoxError;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// Which token is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRequest {
    /// The current token.
    Current,
    /// A new token, because the current one was refused. Log in again.
    Fresh,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Temporarily. The client tries again with backoff.
    #[error("no token at the moment: {0}")]
    Unavailable(#[source] BoxError),
    /// For good. The client stops.
    #[error("no token: {0}")]
    Refused(#[source] BoxError),
}

type Provide = dyn Fn(TokenRequest) -> BoxFuture<'static, Result<String, TokenError>> + Send + Sync;

/// A token, or a way to get one. `Debug` never shows it.
#[derive(Clone)]
pub struct TokenSource(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<str>),
    Provider(Arc<Provide>),
}

impl TokenSource {
    /// Always uses this token. If the server refuses it, the client stops.
    pub fn fixed(token: impl AsRef<str>) -> Self {
        Self(Source::Fixed(token.as_ref().into()))
    }

    /// Calls `provide` before every connection, and once more with [`TokenRequest::Fresh`] if the
    /// server refused the token.
    pub fn provider<F, Fut>(provide: F) -> Self
    where
        F: Fn(TokenRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        Self(Source::Provider(Arc::new(move |request| Box::pin(provide(request)))))
    }

    /// Returns the token to sign in with. `None` if a fresh one is wanted and the source has only
    /// the old one.
    pub(crate) async fn get(&self, request: TokenRequest) -> Result<Option<String>, TokenError> {
        match (&self.0, request) {
            (Source::Fixed(token), TokenRequest::Current) => Ok(Some(token.to_string())),
            (Source::Fixed(_), TokenRequest::Fresh) => Ok(None),
            (Source::Provider(provide), request) => provide(request).await.map(Some),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::Fixed(_) => "TokenSource::Fixed(***)",
            Source::Provider(_) => "TokenSource::Provider",
        })
    }
}
