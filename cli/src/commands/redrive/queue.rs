//! The two queues, in the terms of SQS.

use crate::args::Redrive;
use crate::exit::{Failure, innermost};
use anyhow::Context as _;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageSystemAttributeName as System,
    QueueAttributeName as Attribute,
};
use std::collections::HashMap;
use std::env;
use wigwag_client::Url;

/// Most messages that one call takes.
const BATCH: i32 = 10;

/// For how long what is looked at is out of sight, in seconds, if it cannot be made visible again.
const OUT_OF_SIGHT_S: i32 = 60;

/// How long a call waits for messages, in seconds: with none, it may look into a part of the queue alone.
const WAIT_S: i32 = 1;

/// A message of the dead-letter queue.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) id: String,
    pub(super) body: String,
    /// Its message group.
    pub(super) ordering: String,
    pub(super) sent_at_ms: i64,
    /// How often it was received.
    pub(super) received: u64,
    /// What the worker said that put it here; one that was merely received too often has none.
    pub(super) reason: Option<String>,
}

impl Letter {
    /// The group that its message group names: `g<group>`, and what part of it.
    pub(super) fn group(&self) -> Option<u64> {
        let named = self.ordering.strip_prefix('g')?;
        named.split('.').next()?.parse().ok()
    }
}

/// How far a move is.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) status: Status,
    pub(super) moved: i64,
    pub(super) of: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Completed,
    /// Otherwise, and how.
    Ended(String),
}

/// A queue and its dead-letter queue.
#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    /// URL of the dead-letter queue.
    pub(super) dead: String,
    dead_arn: String,
    /// The queue that the workers read, where it is known.
    live: Option<Live>,
}

/// The queue that the workers read.
#[derive(Debug)]
struct Live {
    url: String,
    arn: String,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays.
    Keep,
    /// It goes to the workers.
    SendBack,
    /// It is no more.
    Discard,
}

impl Queues {
    /// From the URL of either.
    pub(super) async fn find(args: &Redrive) -> Result<Self, Failure> {
        let client = client(args)?;
        let url = args.queue_url.as_str().to_owned();
        let attributes = attributes(&client, &url).await?;
        let arn = of(&attributes, &Attribute::QueueArn)?;
        let Some(policy) = attributes.get(&Attribute::RedrivePolicy) else {
            let live = source(&client, &url).await?;
            return Ok(Self {
                client,
                dead: url,
                dead_arn: arn,
                live,
            });
        };
        let policy: serde_json::Value =
            serde_json::from_str(policy).context("the redrive policy of the queue is not JSON")?;
        let dead_arn = policy["deadLetterTargetArn"]
            .as_str()
            .context("the redrive policy of the queue names no dead-letter queue")?
            .to_owned();
        let name = dead_arn.rsplit(':').next().unwrap_or_default();
        let found = client.get_queue_url().queue_name(name).send().await.map_err(failed)?;
        let dead = found.queue_url.context("SQS gave no URL of the dead-letter queue")?;
        Ok(Self {
            client,
            dead,
            dead_arn,
            live: Some(Live { url, arn }),
        })
    }

    /// About how many messages there are.
    pub(super) async fn count(&self) -> Result<u64, Failure> {
        let attributes = attributes(&self.client, &self.dead).await?;
        let number = |name| attributes.get(&name).and_then(|text| text.parse::<u64>().ok());
        let parts = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesNotVisible,
            Attribute::ApproximateNumberOfMessagesDelayed,
        ];
        Ok(parts.map(|name| number(name).unwrap_or(0)).iter().sum())
    }

    /// Receives up to `limit` messages and makes them visible again.
    pub(super) async fn look(&self, limit: usize) -> Result<Vec<Letter>, Failure> {
        let mut seen = Vec::new();
        let looked = self.receive_all(limit, &mut seen).await;
        let shown_again = self.make_visible(&seen).await;
        looked?;
        shown_again?;
        Ok(seen.into_iter().map(letter).collect())
    }

    async fn receive_all(&self, limit: usize, seen: &mut Vec<Message>) -> Result<(), Failure> {
        while seen.len() < limit {
            let left = i32::try_from(limit - seen.len()).unwrap_or(BATCH);
            let received = self.receive(left.min(BATCH)).await?;
            if received.is_empty() {
                break;
            }
            seen.extend(received);
        }
        Ok(())
    }

    async fn receive(&self, most: i32) -> Result<Vec<Message>, Failure> {
        let received = self
            .client
            .receive_message()
            .queue_url(&self.dead)
            .max_number_of_messages(most)
            .visibility_timeout(OUT_OF_SIGHT_S)
            .wait_time_seconds(WAIT_S)
            .message_system_attribute_names(System::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(failed)?;
        Ok(received.messages.unwrap_or_default())
    }

    /// Receives everything that can be seen, once, and does with each message what `judge` says; what stays is made visible again.
    /// Answers with how many did not stay, also where something failed.
    pub(super) async fn sort_out(
        &self,
        mut judge: impl FnMut(&Letter) -> Result<Verdict, Failure>,
    ) -> (usize, Result<(), Failure>) {
        let (mut kept, mut gone) = (Vec::new(), 0);
        let sorted = async {
            loop {
                let received = self.receive(BATCH).await?;
                let is_seen =
                    |message: &Message| kept.iter().any(|seen: &Message| seen.message_id == message.message_id);
                // What was out of sight for its time comes again.
                if received.iter().all(is_seen) {
                    kept.extend(received);
                    return Ok(());
                }
                let mut received = received.into_iter();
                while let Some(message) = received.next() {
                    let settled = self.settle(&message, &mut judge).await;
                    if matches!(settled, Ok(true)) {
                        gone += 1;
                    } else {
                        kept.push(message);
                    }
                    if let Err(error) = settled {
                        kept.extend(received);
                        return Err(error);
                    }
                }
            }
        };
        let sorted: Result<(), Failure> = sorted.await;
        let shown_again = self.make_visible(&kept).await;
        (gone, sorted.and(shown_again))
    }

    /// Does with a message what is to become of it. Answers whether it is gone.
    async fn settle(
        &self,
        message: &Message,
        judge: &mut impl FnMut(&Letter) -> Result<Verdict, Failure>,
    ) -> Result<bool, Failure> {
        let letter = letter(message.clone());
        match judge(&letter)? {
            Verdict::Keep => return Ok(false),
            Verdict::SendBack => self.send_back(&letter).await?,
            Verdict::Discard => {}
        }
        let call = self.client.delete_message().queue_url(&self.dead);
        let receipt = message.receipt_handle().unwrap_or_default();
        call.receipt_handle(receipt).send().await.map_err(failed)?;
        Ok(true)
    }

    /// Gives the workers a message again. Its id here is what the queue knows it by: a second attempt at the same is dropped there, and
    /// what comes here again is another one.
    async fn send_back(&self, letter: &Letter) -> Result<(), Failure> {
        self.client
            .send_message()
            .queue_url(&self.live()?.url)
            .message_body(&letter.body)
            .message_group_id(&letter.ordering)
            .message_deduplication_id(&letter.id)
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    fn live(&self) -> Result<&Live, Failure> {
        self.live.as_ref().ok_or_else(|| {
            Failure::usage("which queue is it the dead-letter queue of? give that queue's URL with --queue-url")
        })
    }

    async fn make_visible(&self, seen: &[Message]) -> Result<(), Failure> {
        for some in seen.chunks(10) {
            let entry = |(index, message): (usize, &Message)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .visibility_timeout(0)
                    .build()
            };
            let entries: Result<Vec<_>, _> = some.iter().enumerate().map(entry).collect();
            let call = self.client.change_message_visibility_batch().queue_url(&self.dead);
            let outcome = call
                .set_entries(Some(entries.context("a message cannot be named")?))
                .send()
                .await
                .map_err(failed)?;
            if !outcome.failed().is_empty() {
                let count = outcome.failed().len();
                eprintln!("wigwag: {count} messages are out of sight for up to {OUT_OF_SIGHT_S} s");
            }
        }
        Ok(())
    }

    /// Begins to move everything to where the workers read. The workers put what they cannot read here themselves, and SQS does
    /// not know where that came from: so the destination is named.
    pub(super) async fn begin_move(&self) -> Result<(), Failure> {
        let live = self.live()?;
        self.client
            .start_message_move_task()
            .source_arn(&self.dead_arn)
            .destination_arn(&live.arn)
            .send()
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// How far the latest move is.
    pub(super) async fn look_at_move(&self) -> Result<Moving, Failure> {
        let call = self.client.list_message_move_tasks().source_arn(&self.dead_arn);
        let tasks = call.max_results(1).send().await.map_err(failed)?;
        let task = tasks.results().first().context("SQS does not know of the move")?;
        let status = match task.status() {
            Some("RUNNING" | "CANCELLING") => Status::Running,
            Some("COMPLETED") => Status::Completed,
            other => {
                let why = task.failure_reason().or(other).unwrap_or("unknown");
                Status::Ended(why.to_owned())
            }
        };
        Ok(Moving {
            status,
            moved: task.approximate_number_of_messages_moved(),
            of: task.approximate_number_of_messages_to_move().unwrap_or(0),
        })
    }
}

fn letter(message: Message) -> Letter {
    let system = |name: System| message.attributes.as_ref().and_then(|all| all.get(&name));
    let number = |name| system(name).and_then(|text| text.parse().ok());
    let reason = message.message_attributes.as_ref().and_then(|all| all.get("reason"));
    Letter {
        ordering: system(System::MessageGroupId).cloned().unwrap_or_default(),
        sent_at_ms: number(System::SentTimestamp).unwrap_or(0),
        received: number(System::ApproximateReceiveCount)
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0),
        reason: reason.and_then(|value| value.string_value.clone()),
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
    }
}

async fn attributes(client: &Client, url: &str) -> Result<HashMap<Attribute, String>, Failure> {
    let call = client.get_queue_attributes().queue_url(url);
    let output = call.attribute_names(Attribute::All).send().await.map_err(failed)?;
    Ok(output.attributes.unwrap_or_default())
}

fn of(attributes: &HashMap<Attribute, String>, name: &Attribute) -> Result<String, Failure> {
    let value = attributes.get(name).cloned();
    Ok(value.with_context(|| format!("SQS does not tell the {} of the queue", name.as_str()))?)
}

/// The only queue that this is the dead-letter queue of.
async fn source(client: &Client, url: &str) -> Result<Option<Live>, Failure> {
    let call = client.list_dead_letter_source_queues().queue_url(url);
    let output = call.send().await.map_err(failed)?;
    match output.queue_urls() {
        [live] => Ok(Some(Live {
            url: live.clone(),
            arn: of(&attributes(client, live).await?, &Attribute::QueueArn)?,
        })),
        _ => Ok(None),
    }
}

/// A client with what the command line and the environment say. `aws-config` would know more places to look for credentials, at the
/// price of the clients of three more services.
fn client(args: &Redrive) -> Result<Client, Failure> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let endpoint = match &args.endpoint_url {
        Some(url) => Some(url.as_str().to_owned()),
        None => set("AWS_ENDPOINT_URL_SQS")
            .or_else(|| set("AWS_ENDPOINT_URL"))
            .or_else(|| stand_in(&args.queue_url)),
    };
    let is_local = endpoint.as_deref().is_some_and(is_on_this_machine);
    let region = args.region.clone();
    let region = region
        .or_else(|| set("AWS_REGION"))
        .or_else(|| set("AWS_DEFAULT_REGION"))
        .or_else(|| region_of(&args.queue_url))
        .or_else(|| is_local.then(|| "us-east-1".to_owned()))
        .ok_or_else(|| Failure::usage("in which region? give --region or AWS_REGION"))?;
    let credentials = match (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => Credentials::new(id, secret, set("AWS_SESSION_TOKEN"), None, "environment"),
        _ if is_local => Credentials::new("local", "local", None, None, "this machine"),
        _ => {
            return Err(Failure::usage(
                "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from a profile by\n  \
                 eval \"$(aws configure export-credentials --profile NAME --format env)\"",
            ));
        }
    };
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(wigwag_https::client());
    config.set_endpoint_url(endpoint);
    Ok(Client::from_conf(config.build()))
}

/// Where a queue is that is not on AWS: what stands in for SQS there has one endpoint for its URLs and its calls.
fn stand_in(queue_url: &Url) -> Option<String> {
    let is_aws = queue_url.host_str().is_some_and(|host| {
        let host = host.trim_end_matches(".cn");
        host.ends_with(".amazonaws.com") || host.ends_with(".api.aws")
    });
    (!is_aws).then(|| queue_url.origin().ascii_serialization())
}

fn is_on_this_machine(url: &str) -> bool {
    let url: Option<Url> = url.parse().ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."))
}

/// The region in `https://sqs.<region>.amazonaws.com/…`.
fn region_of(url: &Url) -> Option<String> {
    let rest = url.host_str()?.strip_prefix("sqs.")?;
    let (region, domain) = rest.split_once('.')?;
    domain.starts_with("amazonaws.com").then(|| region.to_owned())
}

/// What a call that failed is for this command.
#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn failed<E, R>(error: SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match &error {
        SdkError::ServiceError(refusal) => {
            let code = refusal.err().code().unwrap_or("no code");
            let message = refusal.err().message().unwrap_or("no message");
            Failure::refused(None, format!("SQS refused: {code}: {message}"))
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
            Failure::Unreachable(format!("cannot reach SQS: {}", innermost(&error)))
        }
        _ => Failure::Other(anyhow::anyhow!("SQS: {}", DisplayErrorContext(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_a_queues_url() {
        let region = |url: &str| region_of(&url.parse().unwrap());
        let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/fanout.fifo";
        assert_eq!(region(url).as_deref(), Some("eu-central-1"));
        assert_eq!(region("http://127.0.0.1:4566/000000000000/q.fifo"), None);
        assert_eq!(region("https://sqs.example.org/1/q"), None);
    }

    #[test]
    fn a_queue_that_is_not_on_aws_is_asked_where_it_is() {
        let endpoint = |url: &str| stand_in(&url.parse().unwrap());
        assert_eq!(
            endpoint("http://127.0.0.1:4566/000000000000/q.fifo").as_deref(),
            Some("http://127.0.0.1:4566")
        );
        for url in [
            "https://sqs.eu-central-1.amazonaws.com/1/q.fifo",
            "https://sqs.cn-north-1.amazonaws.com.cn/1/q.fifo",
            "https://eu-central-1.queue.amazonaws.com/1/q.fifo",
            "https://sqs.eu-central-1.api.aws/1/q.fifo",
        ] {
            assert_eq!(endpoint(url), None, "{url}");
        }
    }

    #[test]
    fn only_this_machine_needs_no_credentials() {
        assert!(is_on_this_machine("http://127.0.0.1:4566") && is_on_this_machine("http://localhost:4566/"));
        assert!(!is_on_this_machine("https://sqs.eu-central-1.amazonaws.com"));
        assert!(!is_on_this_machine("http://localhost.example.org"));
    }
}
