//! HTTP clients for the AWS SDK that hold requests up, or fail them.

use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// A client that holds up requests whose body contains `text`, until there are permits for them.
pub fn holding_up(text: String, permits: Arc<Semaphore>) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(HoldsUp {
            connector: wigwag_https::client().http_connector(settings, components),
            text: text.clone(),
            permits: permits.clone(),
        })
    })
}

#[derive(Debug)]
struct HoldsUp {
    connector: SharedHttpConnector,
    text: String,
    permits: Arc<Semaphore>,
}

impl HttpConnector for HoldsUp {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let is_held_up = body.contains(&self.text);
        let (connector, permits) = (self.connector.clone(), self.permits.clone());
        HttpConnectorFuture::new(async move {
            if is_held_up {
                let _permit = permits.acquire().await;
                return connector.call(request).await;
            }
            connector.call(request).await
        })
    }
}

/// A client that sends the first request only, and fails the others once that has been answered.
/// `requests` counts all of them.
pub fn only_the_first(requests: Arc<AtomicUsize>) -> SharedHttpClient {
    let is_answered = Arc::new(Semaphore::new(0));
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(OnlyTheFirst {
            connector: wigwag_https::client().http_connector(settings, components),
            requests: requests.clone(),
            is_answered: is_answered.clone(),
        })
    })
}

#[derive(Debug)]
struct OnlyTheFirst {
    connector: SharedHttpConnector,
    requests: Arc<AtomicUsize>,
    is_answered: Arc<Semaphore>,
}

impl HttpConnector for OnlyTheFirst {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_first = self.requests.fetch_add(1, Ordering::SeqCst) == 0;
        let (connector, is_answered) = (self.connector.clone(), self.is_answered.clone());
        HttpConnectorFuture::new(async move {
            if is_first {
                let answer = connector.call(request).await;
                is_answered.add_permits(1);
                return answer;
            }
            let _answered = is_answered.acquire().await;
            Err(ConnectorError::user("the network is down".into()))
        })
    }
}
