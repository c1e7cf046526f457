#!/usr/bin/env python3
"""Rewrites a built SAM template for an AWS emulator: only what the emulator does otherwise than AWS.

    adapt.py KIND ENDPOINT <TEMPLATE >ADAPTED

KIND is what probe.py calls it: ministack or localstack (anything else is taken for AWS, and the template stays as it is); ENDPOINT is
where it listens. Nothing here knows the template's names. Everything here is a difference of theirs; README.md beside this file gives
the reasons.
"""

import re
import sys

from samcli.yamlhelper import yaml_dump, yaml_parse

# https://API.execute-api.REGION.SUFFIX[/STAGE], as a template writes it: the API is the first variable of the text.
URL = re.compile(r"^(wss|https)://(\$\{\w+\})\.execute-api\.[^/]+(/.*)?$")


def of_type(resources, kind):
    return {name: resource for name, resource in resources.items() if resource["Type"] == kind}


def send_return_values(resources):
    """Their CloudFormation has no RouteResponse; they send a function's return value without one."""
    for name in of_type(resources, "AWS::ApiGatewayV2::RouteResponse"):
        del resources[name]


def identify_by_nothing(resources):
    """Where IdentitySource is absent they demand an Authorization header, as HTTP APIs do; on WebSocket APIs it is optional."""
    for authorizer in of_type(resources, "AWS::ApiGatewayV2::Authorizer").values():
        authorizer["Properties"].setdefault("IdentitySource", [])


def spell_out_http_routes(resources):
    """They import no OpenAPI body, which SAM makes of an HttpApi and its events; they do take routes one by one."""
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
    """Their alarms know no metric math."""
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if "Metrics" in alarm["Properties"]:
            del resources[name]


def move_urls(template, url_of):
    """`url_of` gives the URL of an API by its scheme, its variable and its path. What is no URL of an API stays as it is."""

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


# LocalStack under the name that it has for itself, for functions in containers beside it, and for who calls it from outside.
LOCALSTACK = "localhost.localstack.cloud:4566"


def for_localstack(template, endpoint):
    def under_one_name(scheme, api, path):
        """HTTP APIs are hosts under its own name. @connections is at the root, for all APIs; a stage in its path is taken for
        part of an id. A WebSocket API has a port that is known only when the API is made: probe.py puts it where its id stands."""
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
