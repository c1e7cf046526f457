//! `$default`: every frame of a connected device.
//!
//! One frame, one answer: the function's return value, which API Gateway sends as the route
//! response. The flow is the same for all: decode, find the caller, run one request (`message` is
//! the one that matters most), encode. A refusal or a failure is answered with a code.

mod accepted;
mod ack;
mod call;
mod fields;
mod group;
mod heartbeat;
mod login;
mod message;
mod pull;
mod reply;
mod room;
mod signal;
mod state;
mod sync;

pub use state::State;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest as Event;
use call::Call;
use reply::Reply;
use std::time::Instant;
use wigwag_edge::response::Response;
use wigwag_edge::telemetry::{self, Instrument as _};
use wigwag_edge::{Error, Failure};
use wigwag_protocol::limits::FRAME_BYTES;
use wigwag_protocol::pb::CmdType;
use wigwag_protocol::{Code, Encoding, InputFrame, OutputFrame, Payload, Request};

/// Answers a frame. Pushes end at `deadline`.
pub async fn handle(state: &State, event: Event, deadline: Instant, now_ms: i64) -> Result<Response, Error> {
    let span = telemetry::connection(&event.request_context);
    Ok(respond(state, &event, deadline, now_ms).instrument(span).await)
}

async fn respond(state: &State, event: &Event, deadline: Instant, now_ms: i64) -> Response {
    let text = event.body.as_deref().unwrap_or_default();
    let call = Call {
        state,
        event,
        encoding: Encoding::of_frame(text),
        deadline,
        now_ms,
    };
    let output = call.answer(text).await;
    Response::with_body(200, OutputFrame::encode_batch(&[output], call.encoding))
}

impl Call<'_> {
    async fn answer(&self, text: &str) -> OutputFrame {
        if text.len() > FRAME_BYTES {
            return OutputFrame::refusal(CmdType::Unspecified, 0, Code::MALFORMED_FRAME, Payload::None);
        }
        let frame = match InputFrame::decode(text) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::info!(%error, "refused a frame");
                let cmd = reply::answer_type(error.cmd);
                return OutputFrame::refusal(cmd, error.request_id, error.code, Payload::None);
            }
        };
        let cmd = frame.request.cmd();
        let reply = match self.run(frame.request).await {
            Ok(reply) => reply,
            Err(error) => reply::failed(cmd, &error),
        };
        reply.into_output(frame.request_id)
    }

    async fn run(&self, request: Request) -> Result<Reply, Failure> {
        let caller = self.caller().await?;
        match (request, caller) {
            (Request::Login(login), caller) => login::login(self, caller.as_ref(), &login).await,
            (request, None) => Ok(Reply::refused(reply::answer_type(request.cmd()), Code::NOT_SIGNED_IN)),
            (Request::Heartbeat(_), Some(caller)) => heartbeat::heartbeat(self, &caller).await,
            (Request::Message(up), Some(caller)) => message::message(self, &caller, up).await,
            (Request::Ack(ack), Some(caller)) => ack::ack(self, &caller, &ack).await,
            (Request::Sync(sync), Some(caller)) => sync::sync(self, &caller, sync).await,
            (Request::Pull(pull), Some(caller)) => pull::pull(self, &caller, pull).await,
            (Request::Signal(signal), Some(caller)) => signal::signal(self, &caller, signal).await,
            (Request::EnterRoom(room), Some(caller)) => room::enter(self, &caller, &room).await,
            (Request::LeaveRoom(room), Some(caller)) => room::leave(self, &caller, &room).await,
        }
    }
}
