"""Calls that SQS accepts: messages, batches, order, queues, dead letters, the AWS CLI."""

import json

from stack import ARN, until


def messages(aws):
    """boto3 itself checks the MD5s of what it sends and receives."""
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
    assert send("b", "1")["MessageId"] != first["MessageId"], "deduplication should be per group"
    (message,) = aws.receive("ordered.fifo", MaxNumberOfMessages=1)
    assert message["Body"] == "1" and message["Attributes"]["MessageGroupId"] == "a"
    (other,) = aws.receive("ordered.fifo")
    assert other["Attributes"]["MessageGroupId"] == "b", "the rest of a group should wait"
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

    until("the move to complete", lambda: tasks()[0]["Status"] == "COMPLETED")
    (back,) = aws.receive("ordered.fifo")
    assert back["Body"] == "bad" and back["Attributes"]["ApproximateReceiveCount"] == "1"
    aws.sqs.delete_message(QueueUrl=queue, ReceiptHandle=back["ReceiptHandle"])
    assert aws.count("dead.fifo") == 0


def nulls(aws):
    """Some SDKs send null for members that are not set."""
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


PARTS = (messages, batches, order, queues, dead_letters, nulls, command_line)
