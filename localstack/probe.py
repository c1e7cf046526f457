#!/usr/bin/env python3
"""Asks an emulator of AWS whether it has what Wigwag needs; with --urls, prints the URLs of the stack `wigwag`.

Exits with 1, and says what to do, where something is missing.
"""

import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

NEEDED = {
    "apigatewayv2": lambda client: client.get_apis(),
    "cloudformation": lambda client: client.list_stacks(),
    "dynamodb": lambda client: client.list_tables(),
    "lambda": lambda client: client.list_functions(),
    "sqs": lambda client: client.list_queues(),
}


def check():
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    for service, ask in NEEDED.items():
        try:
            ask(boto3.client(service))
        except ClientError as error:
            sys.exit(
                f"deploy: error: {endpoint} has no {service}: {error}\n"
                "deploy: on LocalStack, WebSocket APIs are part of a paid plan: see localstack/README.md; "
                "--emulator ministack needs none"
            )
        except BotoCoreError as error:
            sys.exit(f"deploy: error: nothing answers at {endpoint}: {error}\ndeploy: start one with --emulator")


def urls():
    stack = boto3.client("cloudformation").describe_stacks(StackName="wigwag")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    print(outputs["HttpUrl"], outputs["WebSocketUrl"])


if __name__ == "__main__":
    urls() if "--urls" in sys.argv[1:] else check()
