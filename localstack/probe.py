#!/usr/bin/env python3
"""Finds out what listens at AWS_ENDPOINT_URL.

    probe.py kind                   prints ministack, localstack or aws, after checking for every service that Wigwag needs
    probe.py outputs KIND STACK     prints the outputs of a deployed stack as one JSON object

If something is missing, it exits with 1 and says what to do.
"""

import json
import os
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL"].rstrip("/")

NEEDED = {
    "cloudformation": lambda client: client.list_stacks(),
    "dynamodb": lambda client: client.list_tables(),
    "lambda": lambda client: client.list_functions(),
    "secretsmanager": lambda client: client.list_secrets(),
    "sqs": lambda client: client.list_queues(),
    "apigatewayv2": lambda client: client.get_apis(),
}


def fail(*lines):
    sys.exit("\n".join(f"deploy: {line}" for line in lines))


def client(service):
    return boto3.client(service, config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60))


def answer(path):
    """The answer at this path as JSON; None if the path is unknown."""
    try:
        with urllib.request.urlopen(ENDPOINT + path, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError:
        return None
    except ValueError:  # not JSON
        return None
    except OSError as error:
        fail(
            f"error: nothing answers at {ENDPOINT}: {error}",
            "start an emulator with --emulator, or set AWS_ENDPOINT_URL to the address of a running one",
        )


def kind():
    if answer("/_ministack/health"):
        found = "ministack"
    elif info := answer("/_localstack/info"):
        found = "localstack"
        if not info.get("is_license_activated", False):
            fail("error: this LocalStack has no active license, and only paid plans have WebSocket APIs: see localstack/README.md")
    else:
        found = "aws"
    for service, ask in NEEDED.items():
        try:
            ask(client(service))
        except (ClientError, BotoCoreError) as error:
            hint = "--emulator ministack starts an emulator that has it"
            if found == "localstack":
                hint = "LocalStack has WebSocket APIs from its Base plan up: see localstack/README.md; " + hint
            elif answer("/_local/meter"):
                hint = "this is `cargo local`, which runs template.yaml already, so there is nothing to deploy"
            fail(f"error: {ENDPOINT} has no {service}: {error}", hint)
    print(found)


def outputs(found, stack):
    description = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    values = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
    if found == "localstack":
        # A WebSocket API gets a port when it is created. adapt.py left its id here. Its URL has no stage.
        pages = client("apigatewayv2").get_paginator("get_apis").paginate()
        endpoints = {api["ApiId"]: api["ApiEndpoint"] for page in pages for api in page["Items"]}
        values = {name: endpoints.get(value, value) for name, value in values.items()}
    json.dump(values, sys.stdout, indent=2)
    print()


def main():
    match sys.argv[1:]:
        case ["kind"]:
            kind()
        case ["outputs", found, stack]:
            outputs(found, stack)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
