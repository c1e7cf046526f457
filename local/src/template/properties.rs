//! Reads the properties of one resource. Mistakes in them are reported as problems, not returned.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::error::Problems;
use super::resource::Resource;
use super::scope::Scope;
use super::text;

/// The properties of a resource, or of a part of one.
#[derive(Debug)]
pub(super) struct Properties<'a> {
    subject: &'a str,
    /// Path of these properties in the resource, for example `Environment.`.
    path: String,
    map: Map<String, Value>,
    scope: &'a Scope,
    problems: &'a Problems,
}

impl<'a> Properties<'a> {
    /// All properties of the resource.
    pub(super) fn new(resource: &'a Resource, scope: &'a Scope, problems: &'a Problems) -> Self {
        Self {
            subject: &resource.id,
            path: String::new(),
            map: resource.properties.clone(),
            scope,
            problems,
        }
    }

    /// The map below this property. Empty if it is absent.
    pub(super) fn below(&self, name: &str) -> Self {
        let map = match self.value(name) {
            Some(Value::Object(map)) => map,
            Some(Value::Null) | None => Map::new(),
            Some(other) => {
                self.report(name, format!("is {}, not a map", text::kind(&other)));
                Map::new()
            }
        };
        Self {
            map,
            path: format!("{}{name}.", self.path),
            ..*self
        }
    }

    /// Reports every property that is neither used nor on the list of ignored ones.
    pub(super) fn expect_only(&self, used: &[&str], ignored: &[&str]) {
        for name in self
            .map
            .keys()
            .filter(|name| !used.contains(&name.as_str()) && !ignored.contains(&name.as_str()))
        {
            self.report(name, "is not supported");
        }
    }

    /// Names of all properties.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// The property, resolved. Absent also if it resolves to `AWS::NoValue`.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        match self.scope.resolve(self.map.get(name)?) {
            Ok(value) => value,
            Err(reported) if reported.is_empty() => None,
            Err(message) => {
                self.report(name, message);
                None
            }
        }
    }

    /// A property that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        let found = text::scalar(&value);
        if found.is_none() {
            self.report(name, format!("is {}, not a string", text::kind(&value)));
        }
        found
    }

    /// A string that must be there.
    pub(super) fn required(&self, name: &str) -> Option<String> {
        if !self.map.contains_key(name) {
            self.report(name, "is missing");
        }
        self.text(name)
    }

    /// A string that, if present, has one of these values.
    pub(super) fn one_of(&self, name: &str, allowed: &[&str]) -> Option<String> {
        let value = self.text(name)?;
        if !allowed.contains(&value.as_str()) {
            self.report(name, format!("{value} is not supported; {} is", allowed.join(" or ")));
        }
        Some(value)
    }

    /// A whole number.
    pub(super) fn number(&self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.text(name)?;
        let number = value.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (min, max) = range.into_inner();
            self.report(name, format!("{value} is not a whole number from {min} to {max}"));
        }
        number
    }

    /// A list of strings. A single string counts as a list of one.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let items = match self.value(name) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(single) => vec![single],
        };
        let texts: Option<Vec<String>> = items.iter().map(text::scalar).collect();
        texts.unwrap_or_else(|| {
            self.report(name, "is not a list of strings");
            Vec::new()
        })
    }

    /// All properties as strings.
    pub(super) fn all_texts(&self) -> BTreeMap<String, String> {
        self.names()
            .filter_map(|name| Some((name.to_owned(), self.text(name)?)))
            .collect()
    }

    /// Reports a problem of a property.
    pub(super) fn report(&self, name: &str, message: impl AsRef<str>) {
        self.problems
            .report(self.subject, format!("{}{name}: {}", self.path, message.as_ref()));
    }
}
