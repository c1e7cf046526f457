//! Expectations about JSON values.

use anyhow::{Result, ensure};
use serde_json::Value;

/// The object has exactly these members.
pub(crate) fn members(value: &Value, expected: &[&str]) -> Result<()> {
    let mut has: Vec<&str> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut expected = expected.to_vec();
    has.sort_unstable();
    expected.sort_unstable();
    let lacks: Vec<_> = expected.iter().filter(|name| !has.contains(name)).collect();
    let extra: Vec<_> = has.iter().filter(|name| !expected.contains(name)).collect();
    ensure!(
        lacks.is_empty() && extra.is_empty(),
        "lacks {lacks:?}, has {extra:?} too: {value}"
    );
    Ok(())
}

/// Nothing in the value is null: absent members are left out.
pub(crate) fn no_nulls(value: &Value) -> Result<()> {
    match value {
        Value::Null => anyhow::bail!("null"),
        Value::Array(values) => values.iter().try_for_each(no_nulls),
        Value::Object(members) => members
            .iter()
            .try_for_each(|(name, value)| no_nulls(value).map_err(|error| error.context(format!("in {name}")))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// The value at the pointer is the expected one.
pub(crate) fn is(value: &Value, pointer: &str, expected: impl Into<Value>) -> Result<()> {
    let (found, expected) = (value.pointer(pointer).cloned().unwrap_or_default(), expected.into());
    ensure!(found == expected, "{pointer} is {found}, not {expected}");
    Ok(())
}

/// The two values are equal.
#[expect(
    clippy::needless_pass_by_value,
    reason = "both are mostly made where they are compared"
)]
pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Result<()> {
    ensure!(found == expected, "{found:?}, not {expected:?}");
    Ok(())
}
