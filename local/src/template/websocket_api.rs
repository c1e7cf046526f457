//! `AWS::ApiGatewayV2::*`: WebSocket APIs, assembled from their stage, routes, integrations and
//! authorizers.

use std::collections::BTreeMap;

use super::error::Problems;
use super::model::{Authorizer, Route, WebSocketApi};
use super::properties::Properties;
use super::resource::{Resource, ResourceKind, physical_id};
use super::route_settings::{self, RouteSettings};
use super::scope::Scope;
use super::text;

/// The longest time that API Gateway waits for an integration, in milliseconds. It is also the
/// default.
const MAX_TIMEOUT_MS: u32 = 29_000;

/// Reads all WebSocket APIs of the template.
pub(super) fn read(resources: &[&Resource], scope: &Scope, problems: &Problems) -> Vec<WebSocketApi> {
    let parts = Parts {
        resources,
        scope,
        problems,
    };
    for kind in [
        ResourceKind::Stage,
        ResourceKind::Route,
        ResourceKind::RouteResponse,
        ResourceKind::Integration,
        ResourceKind::Authorizer,
    ] {
        parts.of_kind(kind).for_each(|resource| parts.check_api(resource));
    }
    for response in parts.of_kind(ResourceKind::RouteResponse) {
        let properties = parts.properties(response);
        properties.expect_only(&["ApiId", "RouteId", "RouteResponseKey"], &[]);
        properties.one_of("RouteResponseKey", &["$default"]);
    }
    parts
        .of_kind(ResourceKind::Api)
        .filter_map(|resource| parts.api(resource))
        .collect()
}

/// All resources, to find those that belong together.
#[derive(Clone, Copy)]
struct Parts<'a> {
    resources: &'a [&'a Resource],
    scope: &'a Scope,
    problems: &'a Problems,
}

impl<'a> Parts<'a> {
    fn api(self, resource: &Resource) -> Option<WebSocketApi> {
        let properties = self.properties(resource);
        properties.expect_only(
            &["ProtocolType", "RouteSelectionExpression"],
            &[
                "Description",
                "DisableExecuteApiEndpoint",
                "DisableSchemaValidation",
                "IpAddressType",
                "Name",
                "Tags",
                "Version",
            ],
        );
        if properties.required("ProtocolType").is_some() {
            properties.one_of("ProtocolType", &["WEBSOCKET"]);
        }
        let api_id = physical_id(&resource.id, 10);
        let route_selection_expression = properties.required("RouteSelectionExpression")?;
        let stage = self.stage(resource, &api_id);
        let (stage, settings) = stage?;
        let routes = self.routes(&api_id, &settings);
        Some(WebSocketApi {
            logical_id: resource.id.clone(),
            api_id,
            stage,
            route_selection_expression,
            routes,
        })
    }

    /// Checks that the resource names an API of this template.
    fn check_api(self, part: &'a Resource) {
        let properties = self.properties(part);
        let Some(id) = properties.required("ApiId") else { return };
        if !self
            .of_kind(ResourceKind::Api)
            .any(|api| physical_id(&api.id, 10) == id)
        {
            properties.report("ApiId", "does not refer to an AWS::ApiGatewayV2::Api of this template");
        }
    }

    fn stage(self, api: &Resource, api_id: &str) -> Option<(String, RouteSettings)> {
        let stages: Vec<_> = self.parts_of(ResourceKind::Stage, api_id).collect();
        match stages.as_slice() {
            [(resource, properties)] => {
                properties.expect_only(
                    &[&["ApiId", "StageName"], &route_settings::PROPERTIES[..]].concat(),
                    &[
                        "AccessLogSettings",
                        "AutoDeploy",
                        "ClientCertificateId",
                        "DeploymentId",
                        "Description",
                        "Tags",
                    ],
                );
                let settings = RouteSettings::read(properties);
                self.check_order(resource, properties, api_id, &settings);
                Some((properties.required("StageName")?, settings))
            }
            [] => self.report(&api.id, "it has no AWS::ApiGatewayV2::Stage"),
            _ => self.report(
                &api.id,
                "it has more than one AWS::ApiGatewayV2::Stage; one is supported",
            ),
        }
    }

    /// API Gateway refuses settings of a route that does not exist yet, so the stage must depend on
    /// the route.
    fn check_order(self, stage: &Resource, properties: &Properties<'a>, api_id: &str, settings: &RouteSettings) {
        for key in settings.keys() {
            let mut routes = self.parts_of(ResourceKind::Route, api_id);
            let route = routes.find(|(_, route)| route.text("RouteKey").as_deref() == Some(key));
            match route {
                None => properties.report("RouteSettings", format!("there is no route {key}")),
                Some((route, _)) if !stage.depends_on.contains(&route.id) => properties.report(
                    "RouteSettings",
                    format!(
                        "{key} does not exist yet when the stage is created; add {} to its DependsOn",
                        route.id
                    ),
                ),
                Some(_) => {}
            }
        }
    }

    fn routes(self, api_id: &str, settings: &RouteSettings) -> BTreeMap<String, Route> {
        let mut routes = BTreeMap::new();
        for (resource, properties) in self.parts_of(ResourceKind::Route, api_id) {
            let Some(key) = properties.required("RouteKey") else {
                continue;
            };
            let Some(mut route) = self.route(resource, &properties, &key) else {
                continue;
            };
            route.rate = settings.rate(&key);
            if routes.insert(key.clone(), route).is_some() {
                properties.report("RouteKey", format!("the key {key} already has a route"));
            }
        }
        routes
    }

    fn route(self, resource: &Resource, properties: &Properties<'a>, key: &str) -> Option<Route> {
        properties.expect_only(
            &[
                "ApiId",
                "AuthorizationType",
                "AuthorizerId",
                "RouteKey",
                "RouteResponseSelectionExpression",
                "Target",
            ],
            &["OperationName"],
        );
        properties.one_of("RouteResponseSelectionExpression", &["$default"]);
        let authorizer = self.authorizer_of(properties, key);
        let target = properties.required("Target")?;
        let Some(integration) = target
            .strip_prefix("integrations/")
            .and_then(|id| self.with_id(ResourceKind::Integration, id))
        else {
            properties.report(
                "Target",
                format!("{target} does not refer to an AWS::ApiGatewayV2::Integration"),
            );
            return None;
        };
        let (function, timeout_ms) = self.integration(&integration)?;
        let expects_response = properties.text("RouteResponseSelectionExpression").is_some();
        Some(Route {
            function,
            authorizer,
            responds: expects_response && self.has_response(&resource.id),
            timeout_ms,
            rate: None,
        })
    }

    fn has_response(self, route: &str) -> bool {
        let id = physical_id(route, 7);
        self.of_kind(ResourceKind::RouteResponse)
            .any(|response| self.properties(response).text("RouteId").as_ref() == Some(&id))
    }

    fn integration(self, properties: &Properties<'a>) -> Option<(String, u64)> {
        properties.expect_only(
            &[
                "ApiId",
                "ContentHandlingStrategy",
                "IntegrationType",
                "IntegrationUri",
                "TimeoutInMillis",
            ],
            &[
                "ConnectionType",
                "CredentialsArn",
                "Description",
                "IntegrationMethod",
                "PassthroughBehavior",
                "PayloadFormatVersion",
            ],
        );
        properties.one_of("ContentHandlingStrategy", &["CONVERT_TO_TEXT"]);
        if properties.required("IntegrationType").is_some() {
            properties.one_of("IntegrationType", &["AWS_PROXY"]);
        }
        let timeout_ms = properties
            .number("TimeoutInMillis", 50..=MAX_TIMEOUT_MS)
            .unwrap_or(MAX_TIMEOUT_MS);
        Some((
            self.function_behind(properties, "IntegrationUri")?,
            u64::from(timeout_ms),
        ))
    }

    fn authorizer_of(self, route: &Properties<'a>, key: &str) -> Option<Authorizer> {
        if route.one_of("AuthorizationType", &["NONE", "CUSTOM"])? != "CUSTOM" {
            return None;
        }
        if key != "$connect" {
            route.report("AuthorizationType", "only $connect can have an authorizer");
            return None;
        }
        let id = route.required("AuthorizerId")?;
        let Some(properties) = self.with_id(ResourceKind::Authorizer, &id) else {
            route.report(
                "AuthorizerId",
                format!("{id} does not refer to an AWS::ApiGatewayV2::Authorizer"),
            );
            return None;
        };
        properties.expect_only(
            &["ApiId", "AuthorizerType", "AuthorizerUri", "IdentitySource"],
            &["AuthorizerCredentialsArn", "AuthorizerResultTtlInSeconds", "Name"],
        );
        if properties.required("AuthorizerType").is_some() {
            properties.one_of("AuthorizerType", &["REQUEST"]);
        }
        let function = self.function_behind(&properties, "AuthorizerUri")?;
        Some(Authorizer {
            function,
            identity_sources: properties.texts("IdentitySource"),
        })
    }

    /// The function whose ARN is in a URI like
    /// `arn:aws:apigateway:…:lambda:path/2015-03-31/functions/ARN/invocations`.
    fn function_behind(self, properties: &Properties<'a>, name: &str) -> Option<String> {
        let uri = properties.required(name)?;
        let arn = uri
            .split_once(":lambda:path/2015-03-31/functions/")
            .and_then(|(_, rest)| rest.strip_suffix("/invocations"));
        let function = arn.and_then(|arn| {
            self.of_kind(ResourceKind::Function)
                .find(|function| self.has_arn(function, arn))
        });
        if function.is_none() {
            properties.report(name, format!("{uri} does not invoke a function of this template"));
        }
        function.map(|function| function.id.clone())
    }

    fn has_arn(self, function: &Resource, arn: &str) -> bool {
        let name = self.scope.reference(&function.id).ok().flatten();
        name.as_ref()
            .and_then(text::scalar)
            .is_some_and(|name| self.scope.function_arn(&name) == arn)
    }

    fn with_id(self, kind: ResourceKind, id: &str) -> Option<Properties<'a>> {
        let resource = self.of_kind(kind).find(|resource| physical_id(&resource.id, 7) == id)?;
        Some(self.properties(resource))
    }

    fn parts_of(self, kind: ResourceKind, api_id: &str) -> impl Iterator<Item = (&'a Resource, Properties<'a>)> {
        self.of_kind(kind)
            .map(move |resource| (resource, self.properties(resource)))
            .filter(move |(_, properties)| properties.text("ApiId").as_deref() == Some(api_id))
    }

    fn of_kind(self, kind: ResourceKind) -> impl Iterator<Item = &'a Resource> {
        self.resources
            .iter()
            .copied()
            .filter(move |resource| resource.kind == kind)
    }

    fn properties<'b>(self, resource: &'b Resource) -> Properties<'b>
    where
        'a: 'b,
    {
        Properties::new(resource, self.scope, self.problems)
    }

    fn report<T>(self, subject: &str, message: &str) -> Option<T> {
        self.problems.report(subject, message);
        None
    }
}
