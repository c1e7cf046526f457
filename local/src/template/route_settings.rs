//! `DefaultRouteSettings` and `RouteSettings` of a stage: the rates of its routes.
//!
//! The settings of a route replace all default ones. What they leave out comes from the account.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html>

use std::collections::BTreeMap;

use super::model::Rate;
use super::properties::Properties;

/// Both properties, for the list of known ones.
pub(super) const PROPERTIES: [&str; 2] = ["DefaultRouteSettings", "RouteSettings"];

const USED: [&str; 2] = ["ThrottlingBurstLimit", "ThrottlingRateLimit"];

/// Monitoring.
const IGNORED: [&str; 3] = ["DataTraceEnabled", "DetailedMetricsEnabled", "LoggingLevel"];

/// The rates that a stage sets for its routes.
#[derive(Debug, Default)]
pub(super) struct RouteSettings {
    default: Option<Rate>,
    own: BTreeMap<String, Option<Rate>>,
}

impl RouteSettings {
    /// Reads the settings of the stage with these properties.
    pub(super) fn read(stage: &Properties<'_>) -> Self {
        let routes = stage.below("RouteSettings");
        let own = routes.names().map(|key| (key.to_owned(), rate(&routes.below(key))));
        Self {
            default: rate(&stage.below("DefaultRouteSettings")),
            own: own.collect(),
        }
    }

    /// The rate of the route with this key, if the stage sets one.
    pub(super) fn rate(&self, key: &str) -> Option<Rate> {
        self.own.get(key).copied().unwrap_or(self.default)
    }

    /// The routes that have their own settings.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str)
    }
}

fn rate(settings: &Properties<'_>) -> Option<Rate> {
    settings.expect_only(&USED, &IGNORED);
    let burst = settings.number("ThrottlingBurstLimit", 0..=u32::MAX);
    let per_second = settings.number("ThrottlingRateLimit", 0..=u32::MAX);
    let account = Rate::default();
    (burst.is_some() || per_second.is_some()).then(|| Rate {
        per_second: per_second.unwrap_or(account.per_second),
        burst: burst.unwrap_or(account.burst),
    })
}
