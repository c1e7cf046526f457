#!/usr/bin/env python3
"""Rewrites a built SAM template for an AWS emulator, only where the emulator differs from AWS.

    adapt.py KIND ENDPOINT <TEMPLATE >ADAPTED

KIND is the emulator's name as probe.py prints it: ministack or localstack. Any other name counts as AWS,
and the template is not changed. ENDPOINT is its address. Nothing here knows the template's names. Each
function handles one difference from AWS; README.md in this folder gives the reasons.
"""

import re
import sys

from samcli.yamlhelper import yaml_dump, yaml_parse

# https://API.execute-api.REGION.SUFFIX[/STAGE] as a template writes it. The API is the first variable.
URL = re.compile(r"^(wss|https)://(\$\{\w+\})\.execute-api\.[^/]+(/.*)?$")


def of_type(resources, kind):
    return {name: resource for name, resource in resources.items() if resource["Type"] == kind}


def send_return_values(resources):
    """Ministack's CloudFormation has no RouteResponse; it sends a function's return value without one."""
    for name in of_type(resources, "AWS::ApiGatewayV2::RouteResponse"):
        del resources[name]


def identify_by_nothing(resources):
    """Without IdentitySource ministack demands an Authorization header, like HTTP APIs; on WebSocket APIs it is optional."""
    for authorizer in of_type(resources, "AWS::ApiGatewayV2::Authorizer").values():
        authorizer["Properties"].setdefault("IdentitySource", [])


def spell_out_http_routes(resources):
    """SAM makes an OpenAPI body of an HttpApi and its events. Ministack imports none, but takes single routes."""
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
    """Ministack's alarms do not support metric math."""
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if "Metrics" in alarm["Properties"]:
            del resources[name]


def move_urls(template, url_of):
    """Replaces URLs of APIs. `url_of` gives the new URL for a scheme, a variable and a path."""

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
        """An API is at a path of the emulator instead of a host of its own."""
        base = endpoint.replace("http", "ws", 1) if scheme == "wss" else endpoint
        return f"{base}/_aws/execute-api/{api}{path or '/$default'}"

    move_urls(template, at_a_path)


# The name that LocalStack has for itself, for functions in its containers, and for callers from outside.
LOCALSTACK = "localhost.localstack.cloud:4566"


def for_localstack(template, endpoint):
    def under_one_name(scheme, api, path):
        """HTTP APIs are hosts under LocalStack's own name. @connections is at the root, for all APIs; LocalStack
        takes a stage in its path for part of an id. The port of a WebSocket API is known only after the API was
        made: probe.py replaces the id with it."""
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
