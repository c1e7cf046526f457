//! Finds the route of an HTTP request: the most specific path wins, then a method over `ANY`;
//! `$default` comes last.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>

use percent_encoding::percent_decode_str;

use crate::template::model::{HttpApi, HttpRoute};

/// The route that takes a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RouteMatch<'a> {
    /// The API of the route.
    pub(super) api: &'a HttpApi,
    /// The route.
    pub(super) route: &'a HttpRoute,
    /// Path parameters by name, decoded.
    pub(super) parameters: Parameters,
}

impl RouteMatch<'_> {
    /// For example `GET /user/{user_id}`, or `$default`.
    pub(super) fn route_key(&self) -> String {
        self.route.key()
    }
}

/// Names and values.
type Parameters = Vec<(String, String)>;

/// How a segment of a route fits a segment of the path. A greater fit is more specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Rest,
    Parameter,
    Literal,
}

/// The route for this request. The APIs are tried in the order of the template.
pub(super) fn find<'a>(apis: &'a [HttpApi], method: &str, path: &str) -> Option<RouteMatch<'a>> {
    apis.iter().find_map(|api| {
        let path = below_stage(api, path)?;
        let fitting = api
            .routes
            .iter()
            .filter(|route| route.path != "$default")
            .filter_map(|route| {
                let own_method = route.method == method;
                let (fit, parameters) = fit(&route.path, path).filter(|_| own_method || route.method == "ANY")?;
                Some(((fit, own_method), RouteMatch { api, route, parameters }))
            });
        // `max_by` keeps the last of equals, but the first in the template must win.
        let best = fitting.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, best)| best).or_else(|| {
            let route = api.routes.iter().find(|route| route.path == "$default")?;
            Some(RouteMatch {
                api,
                route,
                parameters: Vec::new(),
            })
        })
    })
}

/// The path without the stage; `None` if the path is not in the stage.
fn below_stage<'a>(api: &HttpApi, path: &'a str) -> Option<&'a str> {
    if api.stage == "$default" {
        return Some(path);
    }
    let rest = path.strip_prefix('/')?.strip_prefix(api.stage.as_str())?;
    match rest {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

fn fit(pattern: &str, path: &str) -> Option<(Vec<Fit>, Parameters)> {
    let mut fits = Vec::new();
    let mut parameters = Vec::new();
    let mut rest = path.strip_prefix('/')?;
    let mut patterns = pattern.strip_prefix('/')?.split('/').peekable();
    while let Some(pattern) = patterns.next() {
        if let Some(name) = pattern.strip_prefix('{').and_then(|inner| inner.strip_suffix("+}")) {
            if rest.is_empty() {
                return None;
            }
            fits.push(Fit::Rest);
            parameters.push((name.to_owned(), decode(rest)));
            return Some((fits, parameters));
        }
        let (segment, after) = rest
            .split_once('/')
            .map_or((rest, None), |(segment, after)| (segment, Some(after)));
        if let Some(name) = pattern.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
            if segment.is_empty() {
                return None;
            }
            fits.push(Fit::Parameter);
            parameters.push((name.to_owned(), decode(segment)));
        } else if pattern == segment {
            fits.push(Fit::Literal);
        } else {
            return None;
        }
        match (after, patterns.peek()) {
            (Some(after), Some(_)) => rest = after,
            (None, None) => return Some((fits, parameters)),
            _ => return None,
        }
    }
    None
}

fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(stage: &str, routes: &[(&str, &str)]) -> HttpApi {
        let routes = routes.iter().map(|(method, path)| HttpRoute {
            method: (*method).to_owned(),
            path: (*path).to_owned(),
            function: format!("{method} {path}"),
            rate: None,
        });
        HttpApi {
            logical_id: "Api".to_owned(),
            api_id: "abc".to_owned(),
            stage: stage.to_owned(),
            routes: routes.collect(),
        }
    }

    fn found(apis: &[HttpApi], method: &str, path: &str) -> Option<(String, Vec<(String, String)>)> {
        find(apis, method, path).map(|found| (found.route_key(), found.parameters))
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = [
            ("ANY", "/{proxy+}"),
            ("GET", "/user/{id}"),
            ("ANY", "/user/me"),
            ("ANY", "/user/{id}"),
            ("GET", "/user/{id}/{rest+}"),
            ("GET", "/"),
            ("ANY", "$default"),
        ];
        let apis = [api("$default", &routes)];
        let cases = [
            ("GET", "/user/me", "ANY /user/me"),
            ("GET", "/user/7", "GET /user/{id}"),
            ("POST", "/user/7", "ANY /user/{id}"),
            ("GET", "/user/7/a/b", "GET /user/{id}/{rest+}"),
            ("POST", "/user/7/a", "ANY /{proxy+}"),
            ("GET", "/user/", "ANY /{proxy+}"),
            ("GET", "/", "GET /"),
            ("POST", "/", "$default"),
        ];
        for (method, path, expected) in cases {
            assert_eq!(found(&apis, method, path).unwrap().0, expected, "{method} {path}");
        }
    }

    #[test]
    fn path_parameters_are_decoded() {
        let apis = [api("$default", &[("GET", "/a/{one}/{all+}")])];
        let (_, parameters) = found(&apis, "GET", "/a/x%20y/p/q%2Fr").unwrap();
        let expected = [("one", "x y"), ("all", "p/q/r")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parameters, expected);
    }

    #[test]
    fn a_named_stage_is_the_first_segment() {
        let apis = [api("dev", &[("GET", "/a"), ("GET", "/")])];
        assert_eq!(found(&apis, "GET", "/dev/a").unwrap().0, "GET /a");
        assert_eq!(found(&apis, "GET", "/dev").unwrap().0, "GET /");
        assert_eq!(found(&apis, "GET", "/a"), None);
        assert_eq!(found(&apis, "GET", "/develop/a"), None);
    }

    #[test]
    fn a_request_without_a_route_is_not_found() {
        let apis = [api("$default", &[("GET", "/a"), ("GET", "/b/{c}")])];
        for (method, path) in [
            ("POST", "/a"),
            ("GET", "/a/"),
            ("GET", "/b"),
            ("GET", "/b/"),
            ("GET", "/b/c/d"),
        ] {
            assert_eq!(found(&apis, method, path), None, "{method} {path}");
        }
    }
}
