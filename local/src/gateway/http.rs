//! HTTP APIs with the payload format 2.0.
//!
//! A request is matched with a route and becomes an event; the function's result becomes the
//! response.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http_event::{self, HttpCall};
use super::http_route::RouteMatch;
use super::throttle::RouteThrottles;
use super::{Rate, Throttle, clock, http_route, reply};
use crate::lambda::{InvokeError, Lambda};
use crate::meter::Meter;
use crate::server::{self, Peer};
use crate::template::model::{HttpApi, HttpRoute};

/// Largest body of a request.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
pub const BODY_LIMIT_BYTES: usize = 10 * 1024 * 1024;

/// The rate limit that an HTTP API shares with others, and how long it waits for a function.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The token bucket of all requests. An account has only one, see [`super::Gateway::throttle`].
    pub throttle: Throttle,
    /// How long a function may take before the client gets 503.
    pub integration: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            throttle: Throttle::new(Rate::default()),
            integration: Duration::from_secs(30),
        }
    }
}

/// The HTTP APIs of a stack, behind one listener.
#[derive(Debug)]
pub struct HttpServer {
    address: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct HttpState {
    apis: Vec<HttpApi>,
    routes: RouteThrottles,
    lambda: Lambda,
    meter: Meter,
    options: HttpOptions,
}

/// Serves the APIs on the listener, with their own token bucket.
pub fn serve(listener: TcpListener, apis: Vec<HttpApi>, lambda: Lambda, meter: Meter) -> HttpServer {
    serve_with(listener, apis, lambda, meter, HttpOptions::default())
}

/// Like [`serve`], with these options.
pub fn serve_with(
    listener: TcpListener,
    apis: Vec<HttpApi>,
    lambda: Lambda,
    meter: Meter,
    options: HttpOptions,
) -> HttpServer {
    let address = listener.local_addr().ok();
    let routes = apis.iter().flat_map(|api| {
        let of_route = |route: &HttpRoute| (api.api_id.as_str(), route.key(), route.rate);
        api.routes.iter().map(of_route)
    });
    let shared = Arc::new(HttpState {
        routes: RouteThrottles::new(routes),
        apis,
        lambda,
        meter,
        options,
    });
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    server::serve(listener, stop.clone(), &tasks, move |request, peer| {
        answer(Arc::clone(&shared), request, peer)
    });
    HttpServer { address, stop, tasks }
}

impl HttpServer {
    /// The address that it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Ends all connections.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn answer(shared: Arc<HttpState>, request: Request<Incoming>, peer: Peer) -> Response<Full<Bytes>> {
    let request_id = clock::identifier();
    let mut response = integrate(&shared, request, &peer, &request_id)
        .await
        .unwrap_or_else(|refused| *refused);
    if let Ok(id) = http::HeaderValue::try_from(request_id) {
        response.headers_mut().insert("apigw-requestid", id);
    }
    reply::full(response)
}

async fn integrate(
    shared: &HttpState,
    request: Request<Incoming>,
    peer: &Peer,
    request_id: &str,
) -> Result<Response<Bytes>, Box<Response<Bytes>>> {
    let refuse = |status, text| Box::new(reply::message(status, text));
    let (parts, body) = request.into_parts();
    let body = match server::read_body(body, BODY_LIMIT_BYTES).await {
        Ok(Some(body)) => body,
        Ok(None) => return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")),
        Err(_) => return Err(refuse(StatusCode::BAD_REQUEST, "Bad Request")),
    };
    let matched = http_route::find(&shared.apis, parts.method.as_str(), parts.uri.path());
    let is_in_rate = |matched: &RouteMatch<'_>| shared.routes.admit(&matched.api.api_id, &matched.route.key());
    if !matched.as_ref().is_none_or(is_in_rate) || !shared.options.throttle.admit() {
        return Err(refuse(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
    }
    shared.meter.http_request(body.len() as u64);
    let matched = matched.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "Not Found"))?;
    let call = HttpCall {
        parts: &parts,
        body: &body,
        source_ip: peer.address.ip(),
        request_id,
    };
    let event = http_event::request(&matched, &call);
    let invoked = shared.lambda.invoke(&matched.route.function, &event);
    match tokio::time::timeout(shared.options.integration, invoked).await {
        Ok(Ok(result)) => http_event::response(&result).ok_or_else(|| {
            tracing::warn!(function = matched.route.function, "the result is not an HTTP response");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        }),
        Err(_) | Ok(Err(InvokeError::Throttled | InvokeError::Stopping)) => {
            Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"))
        }
        Ok(Err(error)) => {
            tracing::warn!(function = matched.route.function, %error, "a request failed");
            Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
        }
    }
}
