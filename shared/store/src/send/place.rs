//! Putting a message where its plan says, and agreeing on another place where that one was sealed.

use super::outgoing::{Outgoing, Place};
use super::{Refusal, SendError, no_inbox};
use crate::Store;
use crate::error::StoreError;
use crate::head::{Head, attribute};
use crate::item::{condition_item, number};
use crate::numbering::Numbering;
#[cfg(feature = "plant")]
use crate::plant::{self, Bug};
use crate::schema::timelines as attr;
use crate::timeline::{self, Missing, Put};
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use wigwag_protocol::Code;

/// Where a message came to stand in one place, and the head of that timeline, where it had to be reserved again: a device may
/// have connected meanwhile.
pub(super) struct Placed {
    pub(super) numbering: Numbering,
    pub(super) head: Option<Head>,
}
impl Store {
    /// Puts the message into one place. Where its seq was sealed, it takes another, which all attempts agree on.
    pub(super) async fn place(
        &self,
        out: &Outgoing<'_>,
        place: Place,
        planned: Numbering,
        now_ms: i64,
    ) -> Result<Placed, SendError> {
        let timeline = out.timeline(place);
        let (mut numbering, mut head) = (planned, None);
        loop {
            let seq = numbering.seq(place);
            #[cfg(feature = "plant")]
            if plant::has(Bug::AckBeforeLog) {
                self.put_behind(&timeline, seq, out.entry(place, &numbering, now_ms));
                return Ok(Placed { numbering, head });
            }
            match self.put(&timeline, seq, &out.entry(place, &numbering, now_ms)).await? {
                Put::Differs(there) if matches!(place, Place::Log) && !out.is_in(&there) => {
                    return Err(Refusal::from(Code::CLIENT_ID_REUSED).into());
                }
                // What differs otherwise was written by another version, perhaps: the log has this message.
                Put::Stands | Put::Differs(_) => return Ok(Placed { numbering, head }),
                Put::Sealed => {}
            }
            let reserved = self
                .reserve(&timeline, 1, Missing::Refuse, now_ms)
                .await?
                .ok_or_else(no_inbox)?;
            let again = reserved.seq;
            let stands = self.swap(out, place, numbering, again).await;
            if !matches!(&stands, Ok(stands) if stands.seq(place) == again) {
                self.give_up_one(&timeline, again, now_ms).await;
            }
            (numbering, head) = (stands?, Some(reserved));
        }
    }

    /// Replaces the seq of one place in the plan, unless another attempt did: answers with the numbering that stands.
    async fn swap(
        &self,
        out: &Outgoing<'_>,
        place: Place,
        mut known: Numbering,
        again: u64,
    ) -> Result<Numbering, SendError> {
        loop {
            let wanted = known.with_seq(place, again);
            let Some(there) = self.replace(out, &known, &wanted).await? else {
                return Ok(wanted);
            };
            let stands = there
                .devices
                .get(&out.draft.key.device)
                .and_then(|device| device.numbering.clone());
            // The device has gone on to its next message, so somebody has answered this one.
            let stands = stands
                .filter(|stands| stands.is_of(&out.draft.key))
                .ok_or(Refusal::from(Code::CLIENT_ID_PASSED))?;
            if stands.seq(place) != known.seq(place) {
                return Ok(stands);
            }
            known = stands;
        }
    }

    /// Compare-and-swap of a device's numbering. `None`: done. `Some`: the head as it stands instead.
    async fn replace(
        &self,
        out: &Outgoing<'_>,
        known: &Numbering,
        wanted: &Numbering,
    ) -> Result<Option<Head>, StoreError> {
        let result = self
            .once
            .update_item()
            .table_name(&self.timelines)
            .set_key(Some(timeline::key(&out.timeline(Place::Own), attr::HEAD)))
            .update_expression("SET #s = :wanted, #o = :wanted_own")
            .condition_expression("#s = :known AND #o = :known_own")
            .expression_attribute_names("#s", attribute(attr::NUMBERING, &out.draft.key.device))
            .expression_attribute_names("#o", attribute(attr::OWN_SEQ, &out.draft.key.device))
            .expression_attribute_values(":known", known.to_value())
            .expression_attribute_values(":known_own", number(known.own_seq))
            .expression_attribute_values(":wanted", wanted.to_value())
            .expression_attribute_values(":wanted_own", number(wanted.own_seq))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(_) => Ok(None),
            Err(error) => match condition_item(error.as_service_error()) {
                Some(item) => Head::from_item(&item.ok_or_else(no_inbox)?).map(Some),
                None => Err(StoreError::call("UpdateItem (swap)")(error)),
            },
        }
    }
}
