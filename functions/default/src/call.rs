//! A call of the function.

use crate::state::State;
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest as Event;
use std::time::Instant;
use wigwag_edge::{Caller, Failure, connection, telemetry};
use wigwag_protocol::Encoding;
use wigwag_store::directory;

/// A frame and where it came from.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a State,
    pub(crate) event: &'a Event,
    pub(crate) encoding: Encoding,
    /// When pushes must have ended.
    pub(crate) deadline: Instant,
    pub(crate) now_ms: i64,
}

impl Call<'_> {
    /// The caller, as the authorizer or an earlier LOGIN frame named them.
    pub(crate) async fn caller(&self) -> Result<Option<Caller>, Failure> {
        let context = &self.event.request_context;
        let caller = Caller::from_context(&context.authorizer.fields);
        if caller.is_some() || self.state.login_keys.is_none() {
            return Ok(caller);
        }
        let who = directory::signed_in(&self.state.store, connection::id(context)?).await?;
        let caller = who.as_ref().and_then(Caller::from_signed_in);
        if let Some(caller) = &caller {
            telemetry::sent_by(caller.user);
        }
        Ok(caller)
    }
}
