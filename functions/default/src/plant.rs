//! A bug that is put in on purpose (`wigwag_store::plant`): what it takes beside the store.

use crate::Call;
use wigwag_edge::Error;
use wigwag_protocol::{InputFrame, Request};
use wigwag_store::TimelineId;

impl Call<'_> {
    /// Whether a frame is the last message of its device again.
    pub(crate) async fn is_repeat(&self, text: &str) -> Result<bool, Error> {
        let Ok(InputFrame {
            request: Request::Message(up),
            ..
        }) = InputFrame::decode(text)
        else {
            return Ok(false);
        };
        let Some(caller) = self.caller().await? else {
            return Ok(false);
        };
        let head = self.state.store.head(&TimelineId::inbox(caller.user), true).await?;
        let device = head.and_then(|mut head| head.devices.remove(&caller.device));
        let last = device.and_then(|device| device.numbering);
        Ok(last.is_some_and(|last| (last.session, last.client_id) == (up.session, up.client_id)))
    }
}
