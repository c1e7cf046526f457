//! `DefaultRouteSettings` and `RouteSettings` of a stage: how many requests each of its routes takes.
//!
//! The settings of a route replace the default ones as a whole, and what they leave out is the account's.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html>

use std::collections::BTreeMap;

use super::model::Rate;
use super::properties::Properties;

/// Both properties, in a list of those that a reader knows.
pub(super) const PROPERTIES: [&str; 2] = ["DefaultRouteSettings", "RouteSettings"];

const USED: [&str; 2] = ["ThrottlingBurstLimit", "ThrottlingRateLimit"];

/// Observation.
const PASSED_OVER: [&str; 3] = ["DataTraceEnabled", "DetailedMetricsEnabled", "LoggingLevel"];

/// What a stage says about its routes.
#[derive(Debug, Default)]
pub(super) struct RouteSettings {
    default: Option<Rate>,
    own: BTreeMap<String, Option<Rate>>,
}

impl RouteSettings {
    /// Of the stage with these properties.
    pub(super) fn read(stage: &Properties<'_>) -> Self {
        let routes = stage.below("RouteSettings");
        let own = routes.names().map(|key| (key.to_owned(), rate(&routes.below(key))));
        Self {
            default: rate(&stage.below("DefaultRouteSettings")),
            own: own.collect(),
        }
    }

    /// What the route with this key takes, where the stage says.
    pub(super) fn rate(&self, key: &str) -> Option<Rate> {
        self.own.get(key).copied().unwrap_or(self.default)
    }

    /// The routes that have settings of their own.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str)
    }
}

fn rate(settings: &Properties<'_>) -> Option<Rate> {
    settings.expect_only(&USED, &PASSED_OVER);
    let burst = settings.number("ThrottlingBurstLimit", 0..=u32::MAX);
    let per_second = settings.number("ThrottlingRateLimit", 0..=u32::MAX);
    let account = Rate::default();
    (burst.is_some() || per_second.is_some()).then(|| Rate {
        per_second: per_second.unwrap_or(account.per_second),
        burst: burst.unwrap_or(account.burst),
    })
}
