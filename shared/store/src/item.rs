//! Reading and writing attribute values.

use crate::error::StoreError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;

/// An item, as the SDK gives and takes it.
pub(crate) type Item = HashMap<String, AttributeValue>;

#[expect(
    clippy::needless_pass_by_value,
    reason = "numbers are as cheap to pass as references to them"
)]
pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn bytes(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// The number with this name, if there is one.
pub(crate) fn get_number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(crate) fn get_bytes<'a>(item: &'a Item, name: &str) -> Option<&'a [u8]> {
    Some(item.get(name)?.as_b().ok()?.as_ref())
}

pub(crate) fn get_string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    Some(item.get(name)?.as_s().ok()?.as_str())
}

/// Whether the flag with this name is set.
pub(crate) fn get_flag(item: &Item, name: &str) -> bool {
    item.get(name)
        .and_then(|value| value.as_bool().ok())
        .copied()
        .unwrap_or(false)
}

/// An item that cannot be read, or a write that cannot be made: in which table, and why.
pub fn corrupt(table: &'static str, detail: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        table,
        detail: detail.into(),
    }
}

/// What made the condition of an update fail.
pub(crate) enum Unmet {
    /// There is no item, or the call did not ask for it.
    NoItem,
    /// The item is as follows.
    Item(Item),
}

impl Unmet {
    /// The item, if there is one.
    pub(crate) fn item(self) -> Option<Item> {
        match self {
            Self::NoItem => None,
            Self::Item(item) => Some(item),
        }
    }
}

/// What made a condition fail. `None`: the call failed for another reason.
pub(crate) fn unmet(error: Option<&UpdateItemError>) -> Option<Unmet> {
    match error {
        Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
            Some(failed.item().cloned().map_or(Unmet::NoItem, Unmet::Item))
        }
        _ => None,
    }
}

/// Bytes of an item as capacity counts them: names and values, as the developer guide adds them up.
#[cfg(test)]
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

#[cfg(test)]
fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(blob) => blob.as_ref().len(),
        AttributeValue::Bool(_) => 1,
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + value_size(value)).sum::<usize>(),
        AttributeValue::M(map) => {
            3 + map
                .iter()
                .map(|(name, value)| 1 + name.len() + value_size(value))
                .sum::<usize>()
        }
        other => panic!("our items have no {other:?}"),
    }
}
