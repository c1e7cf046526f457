//! The HTTP API: accounts, friends, blocks, groups, history. JSON in, JSON out.
//!
//! The route key that API Gateway names ("POST /register") picks the handler. A refusal is answered
//! with the HTTP status of its code and a `Failure` body. All routes but `/register` and `/login`
//! need `Authorization: Bearer <token>`.

mod accounts;
mod failure;
mod groups;
mod history;
mod members;
mod password;
mod relations;
mod request;
mod rooms;
mod state;

pub use state::State;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest as Event;
use failure::ApiError;
use request::Request;
use serde::Serialize;
use wigwag_edge::Error;
use wigwag_edge::response::Response;
use wigwag_edge::telemetry::{self, Instrument as _};
use wigwag_protocol::Code;

/// Answers a request.
pub async fn handle(state: &State, event: Event, now_ms: i64) -> Result<Response, Error> {
    let request = Request {
        state,
        event: &event,
        now_ms,
    };
    let answered = async { route(&request).await.unwrap_or_else(ApiError::into_response) };
    Ok(answered.instrument(telemetry::request()).await)
}

async fn route(request: &Request<'_>) -> Result<Response, ApiError> {
    match request.event.route_key.as_deref().unwrap_or_default() {
        "POST /register" => json(201, &accounts::register(request).await?),
        "POST /login" => json(200, &accounts::login(request).await?),
        "GET /me" => json(200, &accounts::me(request).await?),
        "GET /user/{user_id}" => json(200, &accounts::user(request).await?),
        "POST /friend/add" => json(200, &relations::add_friend(request).await?),
        "POST /friend/remove" => json(200, &relations::remove_friend(request).await?),
        "GET /friend/list" => json(200, &relations::friends(request).await?),
        "POST /block/add" => json(200, &relations::set_blocked(request, true).await?),
        "POST /block/remove" => json(200, &relations::set_blocked(request, false).await?),
        "GET /history/{peer_id}" => json(200, &history::history(request).await?),
        "POST /group/create" => json(201, &groups::create(request).await?),
        "POST /group/update" => json(200, &groups::update(request).await?),
        "POST /group/dissolve" => json(200, &groups::dissolve(request).await?),
        "GET /group/list" => json(200, &groups::list(request).await?),
        "GET /group/{group_id}" => json(200, &groups::group(request).await?),
        "GET /group/{group_id}/history" => json(200, &history::of_group(request).await?),
        "POST /group/add" => json(200, &members::add(request).await?),
        "POST /group/remove" => json(200, &members::remove(request).await?),
        "POST /group/leave" => json(200, &members::leave(request).await?),
        "POST /group/hand_over" => json(200, &members::hand_over(request).await?),
        "POST /group/role" => json(200, &members::set_role(request).await?),
        "POST /group/mute_member" => json(200, &members::mute(request).await?),
        "GET /group_user/list" => json(200, &members::list(request).await?),
        "GET /room_user/list" => json(200, &rooms::users(request).await?),
        _ => Err(Code::UNKNOWN_ROUTE.into()),
    }
}

fn json(status: u16, body: &impl Serialize) -> Result<Response, ApiError> {
    let body = serde_json::to_string(body).map_err(|_| ApiError::from(Code::INTERNAL))?;
    Ok(Response::with_body(status, body).header("content-type", "application/json"))
}
