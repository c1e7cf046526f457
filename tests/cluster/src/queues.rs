//! The fan-out queue and its dead-letter queue, seen from outside.

use crate::Cluster;
use anyhow::{Context as _, Result, bail};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Builder, Credentials, Region};
use std::time::{Duration, Instant};
use wigwag_edge::Queue;
use wigwag_local::lambda::{ACCOUNT_ID, REGION};
use wigwag_local::sqs::{Message, Receive};

/// How long a story waits for the workers before it fails. A task that failed once comes again
/// after half a minute.
const PATIENCE: Duration = Duration::from_secs(90);

impl Cluster {
    /// The queue in which tasks wait for the workers.
    pub fn fanout_queue(&self) -> Result<Queue> {
        self.fanout_queue_by(self.sqs_config())
    }

    /// The fan-out queue, through a client with these settings.
    pub fn fanout_queue_by(&self, config: Builder) -> Result<Queue> {
        let outputs = &self.stack.stack.outputs;
        let url = outputs
            .get("FanoutQueueUrl")
            .context("the template has no such output")?;
        Ok(Queue::new(config, url))
    }

    /// The dead-letter queue of the workers.
    pub fn fanout_dead_letter_queue(&self) -> Result<Queue> {
        let outputs = &self.stack.stack.outputs;
        let url = outputs
            .get("FanoutDeadLetterQueueUrl")
            .context("the template has no such output")?;
        Ok(Queue::new(self.sqs_config(), url))
    }

    /// The queue with this URL.
    pub fn queue_at(&self, url: &str) -> Queue {
        Queue::new(self.sqs_config(), url)
    }

    /// Settings for a client of the stack's queues.
    pub fn sqs_config(&self) -> Builder {
        aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("local", "local", None, None, "stories"))
            .http_client(wigwag_https::client())
            .endpoint_url(&self.stack.aws_endpoint_url)
    }

    /// Waits until no task waits and none is being worked on. Everything that was sent has then
    /// been delivered and pushed.
    pub async fn settled(&self) -> Result<()> {
        let name = self.queue("FanoutQueue")?;
        let began = Instant::now();
        loop {
            let counts = self.stack.sqs().counts(name)?;
            if counts.visible + counts.in_flight + counts.delayed == 0 {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                bail!("the fan-out queue is still not empty: {counts:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The messages in the dead-letter queue.
    pub async fn dead_letters(&self) -> Result<Vec<Message>> {
        let receive = Receive {
            max: 10,
            visibility_s: Some(0),
            wait: Some(Duration::ZERO),
        };
        let name = self.queue("FanoutDeadLetterQueue")?;
        Ok(self.stack.sqs().receive(name, receive).await?)
    }

    /// Sends the dead letters back to the workers; returns how many there are.
    pub async fn redrive(&self) -> Result<usize> {
        let (dead, live) = (self.queue("FanoutDeadLetterQueue")?, self.queue("FanoutQueue")?);
        let counts = self.stack.sqs().counts(dead)?;
        if counts.visible > 0 {
            let sqs = Client::from_conf(self.sqs_config().build());
            let running = sqs.list_message_move_tasks().source_arn(arn(dead)).send().await?;
            if !running.results().iter().any(|task| task.status() == Some("RUNNING")) {
                let start = sqs.start_message_move_task().source_arn(arn(dead));
                start.destination_arn(arn(live)).send().await?;
            }
        }
        Ok(counts.visible + counts.in_flight + counts.delayed)
    }

    /// The number of tasks that wait for the workers or are being worked on.
    pub fn tasks(&self) -> Result<usize> {
        let counts = self.stack.sqs().counts(self.queue("FanoutQueue")?)?;
        Ok(counts.visible + counts.in_flight + counts.delayed)
    }

    fn queue(&self, logical_id: &str) -> Result<&str> {
        let mut queues = self.stack.stack.queues.iter();
        let queue = queues.find(|queue| queue.logical_id == logical_id);
        Ok(queue.context("the template has no such queue")?.name.as_str())
    }
}

/// The ARN of a queue.
fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{queue}")
}
