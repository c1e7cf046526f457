"""Starts a local stack and calls its queues."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

TEMPLATE = Path(__file__).parent.parent / "fixtures" / "clients.yaml"
REGION = "us-east-1"
ARN = f"arn:aws:sqs:{REGION}:000000000000:"

# The stack accepts any credentials; real ones are never sent.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_PAGER": "",
}

# Longest wait. It is generous, because the machine may be busy.
PATIENCE_S = 60


class Stack:
    """A running local stack, with a boto3 client for its queues."""

    def __init__(self, binary, directory):
        command = [binary, "--template", str(TEMPLATE), "--data-dir", directory, "--json"]
        command += ["--websocket-port", "0", "--http-port", "0", "--aws-port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the stack did not start; see its error above"
        self.endpoint = json.loads(line)["aws_endpoint_url"]
        self.sqs = boto3.client(
            "sqs",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S),
        )

    def url(self, queue):
        return f"{self.endpoint}/000000000000/{queue}"

    def count(self, queue, name="ApproximateNumberOfMessages"):
        return int(self.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=[name])["Attributes"][name])

    def receive(self, queue, **request):
        request = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"], **request}
        return self.sqs.receive_message(QueueUrl=self.url(queue), **request).get("Messages", [])

    def cli(self, *arguments):
        """The JSON that the AWS CLI prints. If it fails: its exit code and error message."""
        command = [sys.executable, "-m", "awscli", "sqs", *arguments, "--endpoint-url", self.endpoint, "--output", "json"]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            return done.returncode, done.stderr.strip()
        return json.loads(done.stdout) if done.stdout.strip() else None

    def raw(self, body, operation="SendMessage", signed=True):
        """Sends a body that no SDK sends; returns status, headers and body of the answer."""
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
        request = AWSRequest("POST", self.endpoint + "/", data=body, headers=headers)
        if signed:
            SigV4Auth(Credentials("test", "test"), "sqs", REGION).add_auth(request)
        request = urllib.request.Request(self.endpoint + "/", data=body, headers=dict(request.headers), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.headers, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.headers, json.load(error)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)


@contextmanager
def stack(binary, directory):
    running = Stack(binary, directory)
    try:
        yield running
    finally:
        running.stop()


def until(what, done):
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, f"timed out waiting for {what}"
        time.sleep(0.05)
