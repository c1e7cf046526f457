"""Calls that SQS refuses. errors.json has the expected error of each."""

import json
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from stack import ARN

ERRORS = Path(__file__).parent / "errors.json"


def refused(aws):
    """Calls that SQS refuses, with what is wrong with each."""
    standard, fifo = {"QueueUrl": aws.url("standard")}, {"QueueUrl": aws.url("ordered.fifo")}
    grouped = {**fifo, "MessageGroupId": "g", "MessageDeduplicationId": "d"}

    def entry(body="x", **rest):
        return {"Id": "a", "MessageBody": body, **rest}

    def attribute(**value):
        return {**standard, "MessageBody": "x", "MessageAttributes": {"n": value}}

    def redrive(target, count=1):
        return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + target, "maxReceiveCount": count})}

    return {
        "an empty body": ("send_message", {**standard, "MessageBody": ""}),
        "a body with a control character": ("send_message", {**standard, "MessageBody": "a\x00b"}),
        "a body of 1 MiB and a byte": ("send_message", {**standard, "MessageBody": "x" * 1_048_577}),
        "a delay of 901 seconds": ("send_message", {**standard, "MessageBody": "x", "DelaySeconds": 901}),
        "a delay in a FIFO queue": ("send_message", {**grouped, "MessageBody": "x", "DelaySeconds": 1}),
        "no message group": ("send_message", {**fifo, "MessageBody": "x"}),
        "no deduplication id": ("send_message", {**fifo, "MessageBody": "x", "MessageGroupId": "g"}),
        "a group with a space": ("send_message", {**grouped, "MessageBody": "x", "MessageGroupId": "a b"}),
        "a deduplication id of 129 characters": ("send_message", {**grouped, "MessageBody": "x", "MessageDeduplicationId": "d" * 129}),
        "a deduplication id in a standard queue": ("send_message", {**standard, "MessageBody": "x", "MessageDeduplicationId": "d"}),
        "a value that is not a number": ("send_message", attribute(DataType="Number", StringValue="NaN")),
        "an unknown attribute type": ("send_message", attribute(DataType="Text", StringValue="a")),
        "an attribute type of 257 characters": ("send_message", attribute(DataType="String." + "x" * 250, StringValue="a")),
        "an attribute without a value": ("send_message", attribute(DataType="String", StringValue="")),
        "an unknown queue": ("send_message", {"QueueUrl": aws.url("none"), "MessageBody": "x"}),
        "a malformed queue URL": ("send_message", {"QueueUrl": aws.endpoint + "/standard", "MessageBody": "x"}),
        "an empty batch": ("send_message_batch", {**standard, "Entries": []}),
        "a batch of eleven entries": ("send_message_batch", {**standard, "Entries": [entry(Id=str(index)) for index in range(11)]}),
        "a batch with a repeated id": ("send_message_batch", {**standard, "Entries": [entry(), entry()]}),
        "a batch with an id with a space": ("send_message_batch", {**standard, "Entries": [entry(Id="a b")]}),
        "a batch over 1 MiB": ("send_message_batch", {**standard, "Entries": [entry("x" * 600_000, Id=it) for it in "ab"]}),
        "a receive of 0 messages": ("receive_message", {**standard, "MaxNumberOfMessages": 0}),
        "a receive of eleven messages": ("receive_message", {**standard, "MaxNumberOfMessages": 11}),
        "a wait of 21 seconds": ("receive_message", {**standard, "WaitTimeSeconds": 21}),
        "a visibility timeout of more than twelve hours": ("receive_message", {**standard, "VisibilityTimeout": 43_201}),
        "a malformed handle": ("delete_message", {**standard, "ReceiptHandle": "junk"}),
        "a malformed handle in a visibility change": ("change_message_visibility", {**standard, "ReceiptHandle": "junk", "VisibilityTimeout": 1}),
        "a name with a dot": ("create_queue", {"QueueName": "a.b"}),
        "a FIFO queue without the suffix": ("create_queue", {"QueueName": "a", "Attributes": {"FifoQueue": "true"}}),
        "an existing queue with other attributes": ("create_queue", {"QueueName": "standard", "Attributes": {"DelaySeconds": "3"}}),
        "an unknown queue attribute": ("create_queue", {"QueueName": "a", "Attributes": {"Colour": "blue"}}),
        "an attribute out of range": ("create_queue", {"QueueName": "a", "Attributes": {"VisibilityTimeout": "43201"}}),
        "a policy that is not JSON": ("set_queue_attributes", {**standard, "Attributes": {"Policy": "no"}}),
        "a period that is not a number": ("set_queue_attributes", {**standard, "Attributes": {"KmsDataKeyReusePeriodSeconds": "a"}}),
        "a flag that is neither true nor false": ("set_queue_attributes", {**standard, "Attributes": {"SqsManagedSseEnabled": "maybe"}}),
        "deduplication in a standard queue": ("set_queue_attributes", {**standard, "Attributes": {"ContentBasedDeduplication": "true"}}),
        "a change of the queue type": ("set_queue_attributes", {**fifo, "Attributes": {"FifoQueue": "false"}}),
        "an unknown dead-letter queue": ("set_queue_attributes", {**standard, "Attributes": redrive("none")}),
        "a dead-letter queue of the other type": ("set_queue_attributes", {**standard, "Attributes": redrive("dead.fifo")}),
        "a queue as its own dead-letter queue": ("set_queue_attributes", {**standard, "Attributes": redrive("standard")}),
        "a maximum receive count of 0": ("set_queue_attributes", {**standard, "Attributes": redrive("dead", 0)}),
        "a request for an unknown attribute": ("get_queue_attributes", {**standard, "AttributeNames": ["Size"]}),
        "the URL of an unknown queue": ("get_queue_url", {"QueueName": "none"}),
        "a move from a queue that is not a dead-letter queue": ("start_message_move_task", {"SourceArn": ARN + "standard"}),
        "a move from an unknown queue": ("start_message_move_task", {"SourceArn": ARN + "none"}),
        "a move to a queue of the other type": ("start_message_move_task", {"SourceArn": ARN + "dead", "DestinationArn": ARN + "ordered.fifo"}),
        "an unknown move task": ("cancel_message_move_task", {"TaskHandle": "none"}),
        "an unsupported operation": ("tag_queue", {**standard, "Tags": {"a": "b"}}),
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
        "a body that is not JSON": (b"{", {}),
        "a body that is a list": (b"[]", {}),
        "a message body that is a number": (json.dumps({"QueueUrl": aws.url("standard"), "MessageBody": 1}).encode(), {}),
        "no queue URL": (b'{"MessageBody":"x"}', {}),
        "an empty request": (b"", {}),
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
        pass  # the name that programs catch
    assert aws.count("standard") == 0, "a refused message was sent"
    if write:
        ERRORS.write_text("{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(error)}" for name, error in found.items()) + "\n}\n")
    expected = json.loads(ERRORS.read_text())
    differ = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    assert not differ, "\n".join(f"{name}: {found.get(name)}, not {expected.get(name)}" for name in differ)
    return len(found)
