//! `AWS::Serverless::HttpApi`, and the `HttpApi` events of functions, which are its routes.

use super::error::Problems;
use super::model::{HttpApi, HttpRoute};
use super::properties::Properties;
use super::resource::{Resource, ResourceKind, physical_id};
use super::route_settings::{self, RouteSettings};
use super::scope::{IMPLICIT_HTTP_API, Scope};

const IGNORED: [&str; 8] = [
    "AccessLogSettings",
    "Description",
    "DisableExecuteApiEndpoint",
    "Domain",
    "FailOnWarnings",
    "Name",
    "PropagateTags",
    "Tags",
];

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];

/// Reads all HTTP APIs of the template.
pub(super) fn read(resources: &[&Resource], scope: &Scope, problems: &Problems) -> Vec<HttpApi> {
    let of_kind = |kind| resources.iter().filter(move |resource| resource.kind == kind);
    let mut apis: Vec<HttpApi> = of_kind(ResourceKind::HttpApi)
        .map(|resource| api(resource, &Properties::new(resource, scope, problems)))
        .collect();
    for function in of_kind(ResourceKind::Function) {
        read_events(function, &mut apis, scope, problems);
    }
    for resource in of_kind(ResourceKind::HttpApi) {
        let properties = Properties::new(resource, scope, problems);
        if let Some(api) = apis.iter_mut().find(|api| api.logical_id == resource.id) {
            set_rates(api, &properties);
        }
    }
    apis
}

/// Gives each route the rate that the API sets for it.
fn set_rates(api: &mut HttpApi, properties: &Properties<'_>) {
    let settings = RouteSettings::read(properties);
    for route in &mut api.routes {
        route.rate = settings.rate(&route.key());
    }
    for key in settings.keys() {
        if !api.routes.iter().any(|route| route.key() == key) {
            properties.report("RouteSettings", format!("there is no route {key}"));
        }
    }
}

fn api(resource: &Resource, properties: &Properties<'_>) -> HttpApi {
    properties.expect_only(
        &[&["Auth", "StageName"], &route_settings::PROPERTIES[..]].concat(),
        &IGNORED,
    );
    // Here HTTP APIs have no authorizers. `EnableIamAuthorizer: false` says just that, so it is
    // allowed.
    let auth = properties.below("Auth");
    auth.expect_only(&["EnableIamAuthorizer"], &[]);
    auth.one_of("EnableIamAuthorizer", &["false"]);
    HttpApi {
        stage: properties.text("StageName").unwrap_or_else(|| "$default".to_owned()),
        ..empty(&resource.id)
    }
}

fn empty(logical_id: &str) -> HttpApi {
    HttpApi {
        logical_id: logical_id.to_owned(),
        api_id: physical_id(logical_id, 10),
        stage: "$default".to_owned(),
        routes: Vec::new(),
    }
}

fn read_events(function: &Resource, apis: &mut Vec<HttpApi>, scope: &Scope, problems: &Problems) {
    let events = Properties::new(function, scope, problems).below("Events");
    for name in events.names() {
        let event = events.below(name);
        match event.required("Type").as_deref() {
            Some("HttpApi") => read_event(&function.id, &event, apis),
            // `mappings` reads these.
            Some("SQS") | None => {}
            Some(other) => event.report(
                "Type",
                format!("the event type {other} is not supported; HttpApi and SQS are"),
            ),
        }
    }
}

fn read_event(function: &str, event: &Properties<'_>, apis: &mut Vec<HttpApi>) {
    let properties = event.below("Properties");
    properties.expect_only(&["ApiId", "Method", "Path", "PayloadFormatVersion"], &[]);
    properties.one_of("PayloadFormatVersion", &["2.0"]);
    let Some(route) = route(function, &properties) else {
        return;
    };
    let id = properties
        .text("ApiId")
        .unwrap_or_else(|| physical_id(IMPLICIT_HTTP_API, 10));
    if id == physical_id(IMPLICIT_HTTP_API, 10) && !apis.iter().any(|api| api.api_id == id) {
        apis.push(empty(IMPLICIT_HTTP_API));
    }
    match apis.iter_mut().find(|api| api.api_id == id) {
        Some(api)
            if api
                .routes
                .iter()
                .any(|other| (&other.method, &other.path) == (&route.method, &route.path)) =>
        {
            properties.report(
                "Path",
                format!("{} {} already has another function", route.method, route.path),
            );
        }
        Some(api) => api.routes.push(route),
        None => properties.report(
            "ApiId",
            "does not refer to an AWS::Serverless::HttpApi of this template",
        ),
    }
}

fn route(function: &str, properties: &Properties<'_>) -> Option<HttpRoute> {
    let method = properties
        .text("Method")
        .map_or_else(|| "ANY".to_owned(), |method| method.to_ascii_uppercase());
    let path = properties.text("Path").unwrap_or_else(|| "$default".to_owned());
    if !METHODS.contains(&method.as_str()) {
        properties.report("Method", format!("{method} is not one of {}", METHODS.join(", ")));
        return None;
    }
    if !path.starts_with('/') && path != "$default" {
        properties.report("Path", format!("{path} does not begin with /"));
        return None;
    }
    Some(HttpRoute {
        method,
        path,
        function: function.to_owned(),
        rate: None,
    })
}
