//! Full disks and broken files.

use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::sqs::{Sqs, SqsErrorCode};

thread_local! {
    /// How many bytes the disk still accepts; unlimited by default.
    static ROOM: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Writes as many bytes as there is room for.
pub(super) fn write_all(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let fitting = bytes.len().min(ROOM.get());
    file.write_all(&bytes[..fitting])?;
    ROOM.set(ROOM.get() - fitting);
    if fitting < bytes.len() {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// Does nothing: the tests create thousands of files, and no machine crashes.
#[expect(clippy::unnecessary_wraps, reason = "has the signature of the real one")]
pub(super) fn sync(_: &File) -> io::Result<()> {
    Ok(())
}

fn open(file: &Path) -> Sqs {
    Sqs::start(
        Some(file),
        &[],
        "us-east-1",
        "http://127.0.0.1:1",
        Arc::new(|| 1_000_000),
    )
    .unwrap()
}

/// Returns `true` if the call is answered, `false` if it could not be written down.
async fn call(sqs: &Sqs, operation: &str, request: Value) -> bool {
    match sqs
        .call(operation, request.to_string().as_bytes(), "sender")
        .await
        .result
    {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code, SqsErrorCode::InternalError, "{operation}: {error}");
            false
        }
    }
}

fn state(sqs: &Sqs) -> Vec<JournalEntry> {
    sqs.state().queues.snapshot()
}

fn url(name: &str) -> String {
    format!("http://127.0.0.1:1/000000000000/{name}")
}

#[tokio::test]
async fn a_call_that_a_full_disk_refuses_has_no_effect() {
    let directory = tempfile::tempdir().unwrap();
    let (mut room, mut all_fit) = (0, false);
    while !all_fit {
        let file = directory.path().join(format!("{room}.journal"));
        let sqs = open(&file);
        let attributes = json!({"FifoQueue": "true", "VisibilityTimeout": "0"});
        let create = |name: &str| json!({"QueueName": name, "Attributes": attributes});
        assert!(call(&sqs, "CreateQueue", create("q.fifo")).await);
        let send = |id: &str| json!({"QueueUrl": url("q.fifo"), "MessageBody": id, "MessageGroupId": "g", "MessageDeduplicationId": id});
        assert!(call(&sqs, "SendMessage", send("first")).await);

        ROOM.set(room);
        let receive = json!({"QueueUrl": url("q.fifo")});
        let (mut receives, mut is_sent, mut is_made) = (0, false, false);
        for _ in 0..2 {
            receives += u32::from(call(&sqs, "ReceiveMessage", receive.clone()).await);
            is_sent |= call(&sqs, "SendMessage", send("second")).await;
            is_made |= call(&sqs, "CreateQueue", create("late.fifo")).await;
            assert_eq!(kept(&file), state(&sqs), "room for {room} bytes");
        }
        all_fit = ROOM.get() > 0;
        ROOM.set(usize::MAX);
        let counts = sqs.counts("q.fifo").unwrap();
        assert_eq!(counts.visible, 1 + usize::from(is_sent), "room for {room} bytes");
        assert_eq!(sqs.counts("late.fifo").is_ok(), is_made);
        let first = sqs
            .state()
            .queues
            .queue_mut("q.fifo")
            .unwrap()
            .first_visible(1_000_000)
            .unwrap()
            .clone();
        assert_eq!(first.delivery.receives, receives, "room for {room} bytes");

        assert!(call(&sqs, "SendMessage", send("second")).await);
        assert_eq!(sqs.counts("q.fifo").unwrap().visible, 2);
        assert_eq!(kept(&file), state(&sqs), "room for {room} bytes");
        room += 1;
    }
}

/// The entries that another process would find in the file.
fn kept(file: &Path) -> Vec<JournalEntry> {
    let mut queues = AllQueues::new("us-east-1", String::new);
    replay(&fs::read(file).unwrap(), &mut queues).unwrap();
    queues.snapshot()
}

#[tokio::test]
async fn a_file_that_cannot_be_rewritten_keeps_growing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sqs.journal");
    let sqs = open(&file);
    assert!(call(&sqs, "CreateQueue", json!({"QueueName": "q"})).await);
    // A directory with the name of the second file: it can be neither removed nor written.
    fs::create_dir(file.with_extension("new")).unwrap();
    for _ in 0..6 {
        let request = json!({"QueueUrl": url("q"), "MessageBody": "a".repeat(500_000)});
        assert!(call(&sqs, "SendMessage", request).await);
    }
    assert!(fs::metadata(&file).unwrap().len() > 2 * SLACK_BYTES);
    fs::remove_dir(file.with_extension("new")).unwrap();
    assert_eq!(kept(&file), state(&sqs));
}

#[test]
fn an_unreadable_line_is_reported_with_a_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sqs.journal");
    fs::write(&file, "[]\n[{\"Deleted\":\"q\"}]\n[{\"Chan\n[]\n").unwrap();
    let error = Journal::open(&file, &mut AllQueues::new("us-east-1", String::new)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("line 3 cannot be read") && text.contains("`head -n 2`"),
        "{text}"
    );
}
