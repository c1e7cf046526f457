//! Claims: one conditional write on the sender's head, which deduplicates a message, takes its own
//! seq, and stores its plan.

use super::head::{from_item, numbering_value};
use crate::Store;
use crate::error::StoreError;
use crate::item::{number, unmet};
use crate::schema::timelines::{self as attr, device_attribute, key};
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use wigwag_domain::head::InboxHead;
use wigwag_domain::numbering::{Destination, Numbering, SendPlan};
use wigwag_domain::outgoing::Outgoing;

/// Whether the sender's own inbox holds the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnCopy {
    /// It does.
    Kept,
    /// It does not: the members of a super group read its log.
    None,
}

/// How a claim ended, with the sender's head.
pub enum Claim {
    /// The number was the next one; the head after the claim.
    Won(InboxHead),
    /// The number was not the next one; the head as it is.
    Lost(InboxHead),
}

/// Claims a number for a message: the counter, the numbering and the send plan in one write. One
/// write unit, one attempt.
pub async fn claim(
    store: &Store,
    out: &Outgoing<'_>,
    plan: SendPlan,
    own_copy: OwnCopy,
    now_ms: i64,
) -> Result<Claim, StoreError> {
    let numbering = Numbering {
        session: out.draft.key.session,
        client_id: out.draft.key.client_id,
        plan,
        own_seq: 0,
    };
    let is_next = match out.draft.key.client_id {
        1 => {
            "attribute_exists(#t) AND (#s.#session < :session \
             OR (attribute_not_exists(#s) AND (attribute_not_exists(#floor) OR #floor < :session)))"
        }
        _ => "attribute_exists(#t) AND #s.#session = :session AND #s.#client_id = :previous",
    };
    let mut call = store
        .once
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(&out.timeline(Destination::Own), attr::HEAD)))
        .condition_expression(is_next)
        .expression_attribute_names("#t", attr::TIMELINE)
        .expression_attribute_names("#s", device_attribute(attr::NUMBERING, &out.draft.key.device))
        .expression_attribute_names("#o", device_attribute(attr::OWN_SEQ, &out.draft.key.device))
        .expression_attribute_names("#session", attr::SESSION)
        .expression_attribute_values(":numbering", numbering_value(&numbering))
        .expression_attribute_values(":session", number(out.draft.key.session))
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    call = match own_copy {
        OwnCopy::Kept => call
            .update_expression("SET #s = :numbering, #o = #counter + :one, #counter = #counter + :one, #at = :now")
            .expression_attribute_names("#counter", attr::COUNTER)
            .expression_attribute_names("#at", attr::RESERVED_AT)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":now", number(now_ms)),
        OwnCopy::None => call
            .update_expression("SET #s = :numbering, #o = :none")
            .expression_attribute_values(":none", number(0)),
    };
    if out.draft.key.client_id == 1 {
        call = call.expression_attribute_names("#floor", attr::SESSION_FLOOR);
    } else {
        call = call
            .expression_attribute_names("#client_id", attr::CLIENT_ID)
            .expression_attribute_values(":previous", number(out.draft.key.client_id - 1));
    }
    match call.send().await {
        Ok(output) => Ok(Claim::Won(from_item(&output.attributes.unwrap_or_default())?)),
        Err(error) => match unmet(error.as_service_error()) {
            Some(unmet) => Ok(Claim::Lost(from_item(&unmet.item().ok_or_else(no_inbox)?)?)),
            None => Err(StoreError::call("UpdateItem (claim)")(error)),
        },
    }
}

/// Replaces the numbering of a device if it is still `known`. `None`: done. `Some`: the head with
/// the numbering that it has instead.
pub async fn swap_numbering(
    store: &Store,
    out: &Outgoing<'_>,
    known: &Numbering,
    wanted: &Numbering,
) -> Result<Option<InboxHead>, StoreError> {
    let result = store
        .once
        .update_item()
        .table_name(&store.timelines)
        .set_key(Some(key(&out.timeline(Destination::Own), attr::HEAD)))
        .update_expression("SET #s = :wanted, #o = :wanted_own")
        .condition_expression("#s = :known AND #o = :known_own")
        .expression_attribute_names("#s", device_attribute(attr::NUMBERING, &out.draft.key.device))
        .expression_attribute_names("#o", device_attribute(attr::OWN_SEQ, &out.draft.key.device))
        .expression_attribute_values(":known", numbering_value(known))
        .expression_attribute_values(":known_own", number(known.own_seq))
        .expression_attribute_values(":wanted", numbering_value(wanted))
        .expression_attribute_values(":wanted_own", number(wanted.own_seq))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match result {
        Ok(_) => Ok(None),
        Err(error) => match unmet(error.as_service_error()) {
            Some(unmet) => from_item(&unmet.item().ok_or_else(no_inbox)?).map(Some),
            None => Err(StoreError::call("UpdateItem (swap)")(error)),
        },
    }
}

/// An error for a user without an inbox: every registered user has one.
pub fn no_inbox() -> StoreError {
    StoreError::Corrupt {
        table: "timelines",
        detail: "a user without an inbox".to_owned(),
    }
}
