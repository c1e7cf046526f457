#!/usr/bin/env python3
"""Rewrites a built SAM template for an AWS emulator. Changes only what the emulator does differently from AWS.

    adapt.py KIND ENDPOINT <TEMPLATE >ADAPTED

KIND is the answer of probe.py: ministack or localstack. Any other kind counts as AWS, and the template stays as it is.
ENDPOINT is the emulator's address. Nothing here depends on names in the template. README.md gives the reason for each
change.
"""

import re
import sys

from samcli.yamlhelper import yaml_dump, yaml_parse

# https://API.execute-api.REGION.SUFFIX[/STAGE], as a template writes it: the API is the first variable of the text.
URL = re.compile(r"^(wss|https)://(\$\{\w+\})\.execute-api\.[^/]+(/.*)?$")


def of_type(resources, kind):
    return {name: resource for name, resource in resources.items() if resource["Type"] == kind}


def send_return_values(resources):
    """Their CloudFormation has no RouteResponse. They send a function's return value without one."""
    for name in of_type(resources, "AWS::ApiGatewayV2::RouteResponse"):
        del resources[name]


def identify_by_nothing(resources):
    """Without IdentitySource they demand an Authorization header, as HTTP APIs do. On WebSocket APIs it is optional."""
    for authorizer in of_type(resources, "AWS::ApiGatewayV2::Authorizer").values():
        authorizer["Properties"].setdefault("IdentitySource", [])


def spell_out_http_routes(resources):
    """They do not import the OpenAPI body that SAM builds for an HttpApi and its events. They do accept single routes."""
    for name, api in of_type(resources, "AWS::Serverless::HttpApi").items():
        stage = api.get("Properties", {}).get("StageName", "$default")
        resources[name] = {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": name, "ProtocolType": "HTTP"}}
        resources[f"{name}Stage"] = {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": name}, "StageName": stage, "AutoDeploy": True},
        }
    for name, function in of_type(resources, "AWS::Serverless::Function").items():
        events = function["Properties"].get("Events", {})
        routes = {event: it["Properties"] for event, it in events.items() if it["Type"] == "HttpApi"}
        for event, route in routes.items():
            del events[event]
            resources[f"{name}{event}Route"] = {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": route["ApiId"],
                    "RouteKey": f"{route['Method'].upper()} {route['Path']}",
                    "Target": {"Fn::Sub": f"integrations/${{{name}HttpIntegration}}"},
                },
            }
            resources[f"{name}HttpIntegration"] = {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": route["ApiId"],
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": {"Fn::GetAtt": [name, "Arn"]},
                    "PayloadFormatVersion": "2.0",
                },
            }
        if not events:
            function["Properties"].pop("Events", None)


def watch_one_figure_at_a_time(resources):
    """Their alarms have no metric math."""
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if "Metrics" in alarm["Properties"]:
            del resources[name]


def move_urls(template, url_of):
    """Replaces the URLs of APIs. `url_of` builds a URL from the scheme, the variable and the path."""

    def moved(value):
        text = value.get("Fn::Sub") if isinstance(value, dict) else None
        url = URL.match(text) if isinstance(text, str) else None
        return {"Fn::Sub": url_of(*url.groups())} if url else value

    for function in of_type(template["Resources"], "AWS::Serverless::Function").values():
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        for name, value in variables.items():
            variables[name] = moved(value)
    for output in template.get("Outputs", {}).values():
        output["Value"] = moved(output["Value"])


def for_ministack(template, endpoint):
    resources = template["Resources"]
    send_return_values(resources)
    identify_by_nothing(resources)
    spell_out_http_routes(resources)
    watch_one_figure_at_a_time(resources)

    def at_a_path(scheme, api, path):
        """An API is a path of the emulator, not a host of its own."""
        base = endpoint.replace("http", "ws", 1) if scheme == "wss" else endpoint
        return f"{base}/_aws/execute-api/{api}{path or '/$default'}"

    move_urls(template, at_a_path)


# The name of LocalStack for itself, for functions in other containers, and for callers outside.
LOCALSTACK = "localhost.localstack.cloud:4566"


def for_localstack(template, endpoint):
    def under_one_name(scheme, api, path):
        """HTTP APIs are hosts under its own name. @connections is at the root for all APIs, and a stage in its path would
        count as part of an id. The port of a WebSocket API is known only after the API is created: this leaves the id, and
        probe.py replaces it by the URL."""
        if scheme == "wss":
            return api
        return f"http://{LOCALSTACK}" if path else f"http://{api}.execute-api.{LOCALSTACK}"

    move_urls(template, under_one_name)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    kind, endpoint = sys.argv[1], sys.argv[2].rstrip("/")
    template = yaml_parse(sys.stdin.read())
    {"ministack": for_ministack, "localstack": for_localstack}.get(kind, lambda *_: None)(template, endpoint)
    sys.stdout.write(yaml_dump(template))


if __name__ == "__main__":
    main()
