#!/usr/bin/env python3
"""Calls the queues of the local stack with boto3 and the AWS CLI, as they are.

    clients.py BINARY                  starts the stack (local/fixtures/clients.yaml) with --data-dir, and calls it
    clients.py BINARY --write-errors   the same, and writes the errors that were seen to errors.json

Three parts: what works, what is refused and how (errors.json: status, code, and the name of the JSON protocol), and what is there after
the stack was killed with SIGKILL in the middle of it. Exits with 1 where something is not as it should be, and says what.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
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
from botocore.exceptions import BotoCoreError, ClientError

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "fixtures" / "clients.yaml"
ERRORS = HERE / "errors.json"
REGION = "us-east-1"
ARN = f"arn:aws:sqs:{REGION}:000000000000:"

# Any credentials will do; real ones are never sent.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_PAGER": "",
}

# How long anything may take. Generous: the machine may be busy.
PATIENCE_S = 60


class Stack:
    """A local stack, and its queues by way of boto3."""

    def __init__(self, binary, directory):
        command = [binary, "--template", str(TEMPLATE), "--data-dir", directory, "--json"]
        command += ["--websocket-port", "0", "--http-port", "0", "--aws-port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line, "the stack does not start; the reason is above"
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
        """What the AWS CLI prints, as JSON; what it exits with and says, where it fails."""
        command = [sys.executable, "-m", "awscli", "sqs", *arguments, "--endpoint-url", self.endpoint, "--output", "json"]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            return done.returncode, done.stderr.strip()
        return json.loads(done.stdout) if done.stdout.strip() else None

    def raw(self, body, operation="SendMessage", signed=True):
        """The status and body of the answer to bytes that no SDK sends."""
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
        assert time.monotonic() < end, f"this never was: {what}"
        time.sleep(0.05)


# ---- What works ----------------------------------------------------------------------------------------------------------


def messages(aws):
    """boto3 itself holds the MD5s of what it sends and receives against those of the answer."""
    queue = aws.url("standard")
    attributes = {
        "number": {"DataType": "Number", "StringValue": "1e5"},
        "bytes": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
        "text": {"DataType": "String", "StringValue": "å 日本 🎉"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e3d83c1-e6a0db584850d61342823d4c"}}
    sent = aws.sqs.send_message(QueueUrl=queue, MessageBody="Hello", MessageAttributes=attributes, MessageSystemAttributes=trace)
    assert sent["ResponseMetadata"]["RequestId"], "an answer has no request id"
    (message,) = aws.receive("standard")
    assert message["MessageId"] == sent["MessageId"]
    assert message["MessageAttributes"] == attributes, message
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["AWSTraceHeader"] == trace["AWSTraceHeader"]["StringValue"]
    assert aws.receive("standard") == []
    handle = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    aws.sqs.change_message_visibility(**handle, VisibilityTimeout=0)
    (message,) = aws.receive("standard")
    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    aws.sqs.send_message(QueueUrl=queue, MessageBody="x" * 1_048_576)
    (large,) = aws.receive("standard", WaitTimeSeconds=20)
    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=large["ReceiptHandle"])


def batches(aws):
    queue = aws.url("standard")
    entries = [{"Id": str(index), "MessageBody": f"body {index}"} for index in range(9)]
    sent = aws.sqs.send_message_batch(QueueUrl=queue, Entries=[*entries, {"Id": "empty", "MessageBody": ""}])
    assert len(sent["Successful"]) == 9
    assert [(bad["Id"], bad["Code"], bad["SenderFault"]) for bad in sent["Failed"]] == [("empty", "MissingParameter", True)]
    handles = [message["ReceiptHandle"] for message in aws.receive("standard")]
    assert len(handles) == 9
    longer = [{"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": 60} for index, handle in enumerate(handles)]
    assert len(aws.sqs.change_message_visibility_batch(QueueUrl=queue, Entries=longer)["Successful"]) == 9
    deletes = [{"Id": str(index), "ReceiptHandle": handle} for index, handle in enumerate([*handles, "junk"])]
    deleted = aws.sqs.delete_message_batch(QueueUrl=queue, Entries=deletes)
    assert len(deleted["Successful"]) == 9
    assert [bad["Code"] for bad in deleted["Failed"]] == ["ReceiptHandleIsInvalid"]
    assert aws.count("standard") + aws.count("standard", "ApproximateNumberOfMessagesNotVisible") == 0


def order(aws):
    queue = aws.url("ordered.fifo")

    def send(group, body):
        return aws.sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)

    first, repeated, second = send("a", "1"), send("a", "1"), send("a", "2")
    assert repeated["MessageId"] == first["MessageId"] and repeated["SequenceNumber"] == first["SequenceNumber"]
    assert second["SequenceNumber"] > first["SequenceNumber"]
    assert send("b", "1")["MessageId"] != first["MessageId"], "deduplication is within the group"
    (message,) = aws.receive("ordered.fifo", MaxNumberOfMessages=1)
    assert message["Body"] == "1" and message["Attributes"]["MessageGroupId"] == "a"
    (other,) = aws.receive("ordered.fifo")
    assert other["Attributes"]["MessageGroupId"] == "b", "the rest of a group waits"
    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    (message,) = aws.receive("ordered.fifo")
    assert message["Body"] == "2"
    for done in message, other:
        aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=done["ReceiptHandle"])


def queues(aws):
    created = aws.sqs.create_queue(QueueName="made", Attributes={"VisibilityTimeout": "7"})["QueueUrl"]
    assert created == aws.url("made") == aws.sqs.get_queue_url(QueueName="made")["QueueUrl"]
    assert aws.sqs.create_queue(QueueName="made", Attributes={"VisibilityTimeout": "7"})["QueueUrl"] == created
    aws.sqs.set_queue_attributes(QueueUrl=created, Attributes={"DelaySeconds": "1", "Policy": '{"Version":"2012-10-17"}'})
    shown = aws.sqs.get_queue_attributes(QueueUrl=created, AttributeNames=["All"])["Attributes"]
    assert (shown["VisibilityTimeout"], shown["DelaySeconds"], shown["QueueArn"]) == ("7", "1", ARN + "made")
    pages = aws.sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 2})
    urls = [url for page in pages for url in page.get("QueueUrls", [])]
    assert urls == [aws.url(name) for name in ("dead", "dead.fifo", "made", "ordered.fifo", "standard")], urls
    sources = aws.sqs.list_dead_letter_source_queues(QueueUrl=aws.url("dead.fifo"))["queueUrls"]
    assert sources == [aws.url("ordered.fifo")]
    aws.sqs.send_message(QueueUrl=created, MessageBody="late", DelaySeconds=0)
    aws.sqs.send_message(QueueUrl=created, MessageBody="later")
    (late,) = aws.receive("made", WaitTimeSeconds=20)
    (later,) = aws.receive("made", WaitTimeSeconds=20)
    assert (late["Body"], later["Body"]) == ("late", "later")
    aws.sqs.purge_queue(QueueUrl=created)
    assert aws.count("made", "ApproximateNumberOfMessagesNotVisible") == 0
    aws.sqs.delete_queue(QueueUrl=created)


def dead_letters(aws):
    queue = aws.url("ordered.fifo")
    sent = aws.sqs.send_message(QueueUrl=queue, MessageBody="bad", MessageGroupId="a", MessageDeduplicationId="bad")
    for _ in range(2):
        assert aws.receive("ordered.fifo", VisibilityTimeout=0)
    assert aws.receive("ordered.fifo") == []
    (letter,) = aws.receive("dead.fifo", VisibilityTimeout=0)
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == ARN + "ordered.fifo"
    assert letter["Attributes"]["MessageDeduplicationId"] == letter["MessageId"] == sent["MessageId"]
    aws.sqs.start_message_move_task(SourceArn=ARN + "dead.fifo")

    def tasks():
        return aws.sqs.list_message_move_tasks(SourceArn=ARN + "dead.fifo", MaxResults=1)["Results"]

    until("a move that is completed", lambda: tasks()[0]["Status"] == "COMPLETED")
    (back,) = aws.receive("ordered.fifo")
    assert back["Body"] == "bad" and back["Attributes"]["ApproximateReceiveCount"] == "1"
    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=back["ReceiptHandle"])
    assert aws.count("dead.fifo") == 0


def nulls(aws):
    """Some SDKs send null for what is not set."""
    body = {"QueueUrl": aws.url("standard"), "MessageBody": "null", "DelaySeconds": None, "MessageAttributes": None}
    status, headers, answer = aws.raw(json.dumps(body).encode())
    assert status == 200 and answer["MessageId"] and headers["x-amzn-RequestId"], (status, answer)
    (message,) = aws.receive("standard")
    aws.sqs.delete_message(QueueUrl=aws.url("standard"), ReceiptHandle=message["ReceiptHandle"])


def command_line(aws):
    queue = ("--queue-url", aws.url("standard"))
    made = aws.cli("create-queue", "--queue-name", "cli", "--attributes", "VisibilityTimeout=9")
    assert made == {"QueueUrl": aws.url("cli")}, made
    listed = aws.cli("list-queues", "--queue-name-prefix", "cli")
    assert listed == {"QueueUrls": [aws.url("cli")]}, listed
    kind = '{"kind":{"DataType":"String","StringValue":"x"}}'
    sent = aws.cli("send-message", *queue, "--message-body", "by hand", "--message-attributes", kind)
    received = aws.cli("receive-message", *queue, "--attribute-names", "All", "--message-attribute-names", "All")["Messages"][0]
    assert (received["MessageId"], received["Body"]) == (sent["MessageId"], "by hand")
    assert received["MessageAttributes"]["kind"]["StringValue"] == "x"
    assert aws.cli("delete-message", *queue, "--receipt-handle", received["ReceiptHandle"]) is None
    shown = aws.cli("get-queue-attributes", "--queue-url", aws.url("cli"), "--attribute-names", "VisibilityTimeout")
    assert shown == {"Attributes": {"VisibilityTimeout": "9"}}, shown
    status, said = aws.cli("send-message", "--queue-url", aws.url("none"), "--message-body", "a")
    assert status in (254, 255) and "(AWS.SimpleQueueService.NonExistentQueue)" in said, (status, said)
    assert aws.cli("delete-queue", "--queue-url", aws.url("cli")) is None


# ---- What is refused -----------------------------------------------------------------------------------------------------


def refused(aws):
    """Calls that SQS refuses, by what is wrong with them."""
    standard, fifo = {"QueueUrl": aws.url("standard")}, {"QueueUrl": aws.url("ordered.fifo")}
    grouped = {**fifo, "MessageGroupId": "g", "MessageDeduplicationId": "d"}

    def entry(body="x", **rest):
        return {"Id": "a", "MessageBody": body, **rest}

    def attribute(**value):
        return {**standard, "MessageBody": "x", "MessageAttributes": {"n": value}}

    def redrive(target, count=1):
        return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + target, "maxReceiveCount": count})}

    return {
        "a body that is empty": ("send_message", {**standard, "MessageBody": ""}),
        "a body with a control character": ("send_message", {**standard, "MessageBody": "a\x00b"}),
        "a body of 1 MiB and a byte": ("send_message", {**standard, "MessageBody": "x" * 1_048_577}),
        "a delay of 901 seconds": ("send_message", {**standard, "MessageBody": "x", "DelaySeconds": 901}),
        "a delay in a FIFO queue": ("send_message", {**grouped, "MessageBody": "x", "DelaySeconds": 1}),
        "no group": ("send_message", {**fifo, "MessageBody": "x"}),
        "no deduplication id": ("send_message", {**fifo, "MessageBody": "x", "MessageGroupId": "g"}),
        "a group with a space": ("send_message", {**grouped, "MessageBody": "x", "MessageGroupId": "a b"}),
        "a deduplication id of 129": ("send_message", {**grouped, "MessageBody": "x", "MessageDeduplicationId": "d" * 129}),
        "a deduplication id in a standard queue": ("send_message", {**standard, "MessageBody": "x", "MessageDeduplicationId": "d"}),
        "a number that is none": ("send_message", attribute(DataType="Number", StringValue="NaN")),
        "a type that is none": ("send_message", attribute(DataType="Text", StringValue="a")),
        "a type of 257": ("send_message", attribute(DataType="String." + "x" * 250, StringValue="a")),
        "an attribute without a value": ("send_message", attribute(DataType="String", StringValue="")),
        "a queue that is not there": ("send_message", {"QueueUrl": aws.url("none"), "MessageBody": "x"}),
        "a queue URL that is none": ("send_message", {"QueueUrl": aws.endpoint + "/standard", "MessageBody": "x"}),
        "a batch of none": ("send_message_batch", {**standard, "Entries": []}),
        "a batch of eleven": ("send_message_batch", {**standard, "Entries": [entry(Id=str(index)) for index in range(11)]}),
        "a batch with an id twice": ("send_message_batch", {**standard, "Entries": [entry(), entry()]}),
        "a batch with an id with a space": ("send_message_batch", {**standard, "Entries": [entry(Id="a b")]}),
        "a batch over 1 MiB": ("send_message_batch", {**standard, "Entries": [entry("x" * 600_000, Id=it) for it in "ab"]}),
        "no messages": ("receive_message", {**standard, "MaxNumberOfMessages": 0}),
        "eleven messages": ("receive_message", {**standard, "MaxNumberOfMessages": 11}),
        "a wait of 21 seconds": ("receive_message", {**standard, "WaitTimeSeconds": 21}),
        "a visibility timeout of over twelve hours": ("receive_message", {**standard, "VisibilityTimeout": 43_201}),
        "a handle that is none": ("delete_message", {**standard, "ReceiptHandle": "junk"}),
        "a handle that is none, to hide": ("change_message_visibility", {**standard, "ReceiptHandle": "junk", "VisibilityTimeout": 1}),
        "a name with a dot": ("create_queue", {"QueueName": "a.b"}),
        "a FIFO queue without the suffix": ("create_queue", {"QueueName": "a", "Attributes": {"FifoQueue": "true"}}),
        "other attributes than it has": ("create_queue", {"QueueName": "standard", "Attributes": {"DelaySeconds": "3"}}),
        "an attribute that queues do not have": ("create_queue", {"QueueName": "a", "Attributes": {"Colour": "blue"}}),
        "an attribute out of range": ("create_queue", {"QueueName": "a", "Attributes": {"VisibilityTimeout": "43201"}}),
        "a policy that is no JSON": ("set_queue_attributes", {**standard, "Attributes": {"Policy": "no"}}),
        "a period that is no number": ("set_queue_attributes", {**standard, "Attributes": {"KmsDataKeyReusePeriodSeconds": "a"}}),
        "a flag that is none": ("set_queue_attributes", {**standard, "Attributes": {"SqsManagedSseEnabled": "maybe"}}),
        "deduplication in a standard queue": ("set_queue_attributes", {**standard, "Attributes": {"ContentBasedDeduplication": "true"}}),
        "a queue of the other kind": ("set_queue_attributes", {**fifo, "Attributes": {"FifoQueue": "false"}}),
        "dead letters that are not there": ("set_queue_attributes", {**standard, "Attributes": redrive("none")}),
        "dead letters of the other kind": ("set_queue_attributes", {**standard, "Attributes": redrive("dead.fifo")}),
        "its own dead letters": ("set_queue_attributes", {**standard, "Attributes": redrive("standard")}),
        "dead letters after no receive": ("set_queue_attributes", {**standard, "Attributes": redrive("dead", 0)}),
        "an attribute to show that is none": ("get_queue_attributes", {**standard, "AttributeNames": ["Size"]}),
        "the URL of a queue that is not there": ("get_queue_url", {"QueueName": "none"}),
        "a move from no dead-letter queue": ("start_message_move_task", {"SourceArn": ARN + "standard"}),
        "a move from no queue": ("start_message_move_task", {"SourceArn": ARN + "none"}),
        "a move to the other kind": ("start_message_move_task", {"SourceArn": ARN + "dead", "DestinationArn": ARN + "ordered.fifo"}),
        "a move that does not run": ("cancel_message_move_task", {"TaskHandle": "none"}),
        "an operation that is not here": ("tag_queue", {**standard, "Tags": {"a": "b"}}),
    }


def seen(aws, operation, request):
    try:
        getattr(aws.sqs, operation)(**request)
    except ClientError as error:
        what, how = error.response["Error"], error.response["ResponseMetadata"]
        assert how["RequestId"] and what["Message"], error.response
        return {"status": how["HTTPStatusCode"], "code": what["Code"], "name": what.get("QueryErrorCode", what["Code"])}
    except BotoCoreError as error:
        return {"botocore": type(error).__name__}
    return {"status": 200}


def malformed(aws):
    """Requests that no SDK sends."""
    requests = {
        "no JSON": (b"{", {}),
        "a list": (b"[]", {}),
        "a body that is a number": (json.dumps({"QueueUrl": aws.url("standard"), "MessageBody": 1}).encode(), {}),
        "no queue": (b'{"MessageBody":"x"}', {}),
        "nothing": (b"", {}),
        "an unknown operation": (b"{}", {"operation": "Fly"}),
        "no signature": (b"{}", {"operation": "ListQueues", "signed": False}),
    }
    for name, (body, how) in requests.items():
        status, headers, answer = aws.raw(body, **how)
        code = (headers["x-amzn-query-error"] or "").split(";")[0]
        assert headers["x-amzn-RequestId"] and answer["message"], (name, answer)
        yield name, {"status": status, "code": code, "name": answer["__type"].split("#")[-1]}


def errors(aws, write):
    found = {name: seen(aws, *call) for name, call in refused(aws).items()}
    found.update(malformed(aws))
    try:
        aws.sqs.get_queue_url(QueueName="none")
    except aws.sqs.exceptions.QueueDoesNotExist:
        pass  # under the name that programs catch
    assert aws.count("standard") == 0, "something that is refused was sent all the same"
    if write:
        ERRORS.write_text("{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(error)}" for name, error in found.items()) + "\n}\n")
    expected = json.loads(ERRORS.read_text())
    differ = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    assert not differ, "\n".join(f"{name}: {found.get(name)}, not {expected.get(name)}" for name in differ)
    return len(found)


# ---- What is kept --------------------------------------------------------------------------------------------------------


def before(aws, kept):
    """Leaves something of each kind behind; and is killed while it sends."""
    queue = aws.url("ordered.fifo")
    send = {"QueueUrl": queue, "MessageGroupId": "kept", "MessageDeduplicationId": "kept", "MessageBody": "kept"}
    kept["id"] = aws.sqs.send_message(**send)["MessageId"]
    aws.sqs.send_message(**{**send, "MessageDeduplicationId": "deleted", "MessageBody": "deleted", "MessageGroupId": "deleted"})
    for message in aws.receive("ordered.fifo"):
        if message["Body"] == "deleted":
            aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        else:
            aws.sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    for _ in range(2):
        aws.sqs.send_message(QueueUrl=aws.url("dead"), MessageBody="to move")
    move = {"SourceArn": ARN + "dead", "DestinationArn": ARN + "late", "MaxNumberOfMessagesPerSecond": 1}
    aws.sqs.create_queue(QueueName="late")
    aws.sqs.start_message_move_task(**move)
    kept["sent"], kept["tried"] = [], 0

    def go_on():
        while True:
            kept["tried"] += 1
            try:
                aws.sqs.send_message(QueueUrl=aws.url("standard"), MessageBody=str(kept["tried"]))
            except BotoCoreError:
                return
            kept["sent"].append(kept["tried"])

    sending = threading.Thread(target=go_on)
    sending.start()
    until("two hundred messages that were sent", lambda: len(kept["sent"]) >= 200 or not sending.is_alive())
    aws.kill()
    sending.join(PATIENCE_S)


def after(aws, kept):
    bodies = []
    while batch := aws.receive("standard", VisibilityTimeout=600):
        bodies += [int(message["Body"]) for message in batch]
    assert len(bodies) == len(set(bodies)), "a message came twice"
    assert set(kept["sent"]) <= set(bodies), f"lost: {sorted(set(kept['sent']) - set(bodies))}"
    # The last one may have been written down without being answered.
    assert set(bodies) - set(kept["sent"]) <= {kept["tried"]}, "a message that was never sent"
    send = {"QueueUrl": aws.url("ordered.fifo"), "MessageGroupId": "kept", "MessageDeduplicationId": "kept", "MessageBody": "kept"}
    assert aws.sqs.send_message(**send)["MessageId"] == kept["id"], "a deduplication id was forgotten"
    (message,) = aws.receive("ordered.fifo")
    assert message["MessageId"] == kept["id"] and message["Attributes"]["ApproximateReceiveCount"] == "2", message
    until("a move that goes on", lambda: aws.count("late") == 2)
    (task,) = aws.sqs.list_message_move_tasks(SourceArn=ARN + "dead")["Results"]
    assert task["ApproximateNumberOfMessagesMoved"] == 2, task


def main():
    match sys.argv[1:]:
        case [binary, *rest] if rest in ([], ["--write-errors"]):
            write = bool(rest)
        case _:
            sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        kept = {}
        with stack(binary, directory) as aws:
            for part in messages, batches, order, queues, dead_letters, nulls, command_line:
                part(aws)
                print(f"clients: {part.__name__.replace('_', ' ')}: works")
            print(f"clients: {errors(aws, write)} errors: as in {ERRORS.name}")
            before(aws, kept)
        with stack(binary, directory) as aws:
            after(aws, kept)
        print(f"clients: killed after {len(kept['sent'])} messages: all of it is there")


if __name__ == "__main__":
    main()
