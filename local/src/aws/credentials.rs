//! The credentials of functions, by which the endpoint knows who calls.

use std::collections::BTreeSet;

/// Prefix of the access key id of a function; its logical id follows.
const PREFIX: &str = "LOCAL";

/// The name of callers with any other credentials.
pub(super) const EXTERNAL: &str = "external";

/// Access key id and secret access key of the function with this logical id.
pub fn credentials_for(function: &str) -> (String, String) {
    (format!("{PREFIX}{function}"), "local".to_owned())
}

/// The function with this access key id, or `external`.
pub(super) fn caller<'a>(access_key_id: &'a str, functions: &BTreeSet<String>) -> &'a str {
    access_key_id
        .strip_prefix(PREFIX)
        .filter(|id| functions.contains(*id))
        .unwrap_or(EXTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_recognised_by_its_access_key() {
        let functions = BTreeSet::from(["Work".to_owned()]);
        assert_eq!(caller(&credentials_for("Work").0, &functions), "Work");
        assert_eq!(caller(&credentials_for("Gone").0, &functions), "external");
        assert_eq!(caller("AKIAEXAMPLE", &functions), "external");
    }
}
