//! API Gateway: WebSocket APIs, their management API (`@connections`) and HTTP APIs.
//!
//! Clients see what they would see on AWS. If AWS documents nothing, see `local/docs/gateway.md`,
//! which also describes the life of a connection.
//!
//! Invariants:
//! - `$disconnect` is invoked at most once, and only if `$connect` succeeded
//! - a frame is never split or joined
//! - the account's rate limit is one token bucket for handshakes, frames, pushes and HTTP requests;
//!   a route may have a smaller one of its own

mod authorizer;
mod clock;
mod connections;
mod event;
mod faults;
mod handshake;
pub mod http;
mod http_event;
mod http_route;
mod limits;
pub mod management;
mod message;
mod policy;
mod reply;
mod socket;
mod throttle;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::faults::Injector;
use crate::lambda::{InvokeError, Lambda};
use crate::meter::Meter;
use crate::server;
use crate::template::model::{Route, WebSocketApi};

pub use faults::{GatewayFaults, PostFault};
pub use limits::{Limits, Rate};
pub use throttle::Throttle;

use connections::Connections;
use management::Management;
use throttle::RouteThrottles;

/// The WebSocket APIs of a stack, behind one listener: `ws://{address}/{stage}`.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<GatewayState>,
    address: Option<SocketAddr>,
}

/// Limit for an authorizer and a `$disconnect`. The timeouts of the functions are usually shorter.
const INTEGRATION_LIMIT: Duration = Duration::from_secs(29);

/// The state that all connections share.
#[derive(Debug)]
struct GatewayState {
    apis: Vec<Arc<WebSocketApi>>,
    lambda: Lambda,
    meter: Meter,
    limits: Limits,
    faults: faults::GatewayHarm,
    injector: Injector,
    throttle: Throttle,
    routes: RouteThrottles,
    connections: Connections,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why an integration did not answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    /// The function failed, or the stack is stopping.
    #[error(transparent)]
    Failed(#[from] InvokeError),
    /// The function took longer than the integration may.
    #[error("the function took longer than its integration allows")]
    TimedOut,
}

impl GatewayState {
    /// Invokes a function. Gives up after `limit`, or when the gateway stops.
    async fn invoke(&self, function: &str, event: &Value, limit: Duration) -> Result<Value, Unanswered> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(InvokeError::Stopping.into()),
            answered = tokio::time::timeout(limit, self.lambda.invoke(function, event)) => match answered {
                Ok(answer) => Ok(answer?),
                Err(_) => Err(Unanswered::TimedOut),
            },
        }
    }
}

impl Gateway {
    /// Serves the APIs on the listener.
    pub fn start(listener: TcpListener, apis: Vec<WebSocketApi>, lambda: Lambda, meter: Meter, limits: Limits) -> Self {
        Self::start_with_faults(
            listener,
            apis,
            lambda,
            meter,
            limits,
            GatewayFaults::default(),
            Injector::default(),
        )
    }

    /// Like [`Gateway::start`], with the faults that a test or a fault plan asks for.
    pub fn start_with_faults(
        listener: TcpListener,
        apis: Vec<WebSocketApi>,
        lambda: Lambda,
        meter: Meter,
        limits: Limits,
        faults: GatewayFaults,
        injector: Injector,
    ) -> Self {
        let address = listener.local_addr().ok();
        let routes = apis.iter().flat_map(|api| {
            let of_route = |(key, route): (&String, &Route)| (api.api_id.as_str(), key.clone(), route.rate);
            api.routes.iter().map(of_route)
        });
        let shared = Arc::new(GatewayState {
            routes: RouteThrottles::new(routes),
            apis: apis.into_iter().map(Arc::new).collect(),
            lambda,
            meter,
            throttle: Throttle::new(limits.rate),
            limits,
            faults: faults::GatewayHarm::new(faults),
            injector,
            connections: Connections::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let handler = Arc::clone(&shared);
        server::serve(listener, shared.stop.clone(), &shared.tasks, move |request, peer| {
            handshake::answer(Arc::clone(&handler), request, peer)
        });
        Self { shared, address }
    }

    /// The address that it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The management API of these connections.
    pub fn management(&self) -> Management {
        Management::new(Arc::clone(&self.shared))
    }

    /// The token bucket of all requests. The HTTP APIs of the same account share it.
    pub fn throttle(&self) -> Throttle {
        self.shared.throttle.clone()
    }

    /// From here on, posts to the connection have this fault, until another call changes it.
    pub fn harm_posts(&self, connection_id: &str, fault: PostFault) {
        self.shared.faults.harm_posts(connection_id, fault);
    }

    /// Closes all sockets with 1001 and waits until they are closed.
    ///
    /// `$disconnect` is not invoked, because the functions are about to end.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
