"""What survives when the stack is killed with SIGKILL in the middle of a send."""

import threading

from botocore.exceptions import BotoCoreError

from stack import ARN, PATIENCE_S, until


def prepare_and_kill(aws, kept):
    """Creates state of every kind, and kills the stack during a send."""
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
    until("200 sent messages", lambda: len(kept["sent"]) >= 200 or not sending.is_alive())
    aws.kill()
    sending.join(PATIENCE_S)


def check(aws, kept):
    bodies = []
    while batch := aws.receive("standard", VisibilityTimeout=600):
        bodies += [int(message["Body"]) for message in batch]
    assert len(bodies) == len(set(bodies)), "a message was delivered twice"
    assert set(kept["sent"]) <= set(bodies), f"lost: {sorted(set(kept['sent']) - set(bodies))}"
    # The last message may have been stored without an answer.
    assert set(bodies) - set(kept["sent"]) <= {kept["tried"]}, "received a message that was never sent"
    send = {"QueueUrl": aws.url("ordered.fifo"), "MessageGroupId": "kept", "MessageDeduplicationId": "kept", "MessageBody": "kept"}
    assert aws.sqs.send_message(**send)["MessageId"] == kept["id"], "a deduplication id was forgotten"
    (message,) = aws.receive("ordered.fifo")
    assert message["MessageId"] == kept["id"] and message["Attributes"]["ApproximateReceiveCount"] == "2", message
    until("the move to continue", lambda: aws.count("late") == 2)
    (task,) = aws.sqs.list_message_move_tasks(SourceArn=ARN + "dead")["Results"]
    assert task["ApproximateNumberOfMessagesMoved"] == 2, task
