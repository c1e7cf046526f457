//! An engine in this process, with the tables that `template.yaml` describes, and stores that can crash.

use aws_sdk_dynamodb::config::{
    BehaviorVersion, Builder, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
    interceptors::BeforeDeserializationInterceptorContextRef, interceptors::BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use wigwag_store::directory::Profile;
use wigwag_store::send::{MessagesFrom, Outgoing, SendError, Sent};
use wigwag_store::{DeviceKey, MessageKey, Store, UserId};

/// Long before any lease ends.
pub(crate) const NOW: i64 = 1_800_000_000_000;

/// After every lease has ended.
pub(crate) const LATER: i64 = NOW + 60_000;

pub(crate) struct Engine {
    endpoint: String,
}

impl Engine {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let database = dynoxide::Database::memory().unwrap();
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        let engine = Self { endpoint };
        engine
            .create_table(
                "timelines",
                ("t", ScalarAttributeType::S),
                ("n", ScalarAttributeType::N),
            )
            .await;
        engine
            .create_table(
                "directory",
                ("pk", ScalarAttributeType::S),
                ("sk", ScalarAttributeType::S),
            )
            .await;
        engine
    }

    fn config(&self) -> Builder {
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
    }

    async fn create_table(&self, name: &str, hash: (&str, ScalarAttributeType), range: (&str, ScalarAttributeType)) {
        let attribute = |(name, kind): (&str, ScalarAttributeType)| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(kind)
                .build()
                .unwrap()
        };
        let key = |name, kind| {
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(kind)
                .build()
                .unwrap()
        };
        aws_sdk_dynamodb::Client::from_conf(self.config().build())
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key(hash.0, KeyType::Hash))
            .key_schema(key(range.0, KeyType::Range))
            .attribute_definitions(attribute(hash))
            .attribute_definitions(attribute(range))
            .send()
            .await
            .unwrap();
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.config(), "timelines", "directory")
    }

    /// A store whose process dies after so many calls. Its last one takes effect and loses its answer, or is never sent.
    pub(crate) fn store_that_dies_after(&self, calls: i64, answer_lost: bool) -> Store {
        let death = Death {
            left: Arc::new(AtomicI64::new(calls)),
            answer_lost,
        };
        Store::new(self.config().interceptor(death), "timelines", "directory")
    }

    pub(crate) async fn user(&self, id: UserId) {
        let profile = Profile {
            nickname: format!("user {id}"),
            phone_number: format!("+{id:010}"),
            created_at_ms: NOW,
        };
        self.store().create_account(id, &profile, "no hash").await.unwrap();
    }
}

/// Ends a process: after its time no call is sent, or the answer of the last one is lost.
#[derive(Debug)]
struct Death {
    left: Arc<AtomicI64>,
    answer_lost: bool,
}

impl Intercept for Death {
    fn name(&self) -> &'static str {
        "Death"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left > 1 || (left == 1 && self.answer_lost) {
            Ok(())
        } else {
            Err("the process is dead".into())
        }
    }

    fn read_before_deserialization(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.left.load(Ordering::SeqCst) > 0 {
            Ok(())
        } else {
            Err("the process is dead".into())
        }
    }
}

pub(crate) fn phone() -> DeviceKey {
    DeviceKey::of(1, "phone")
}

pub(crate) fn outgoing(client_id: u64, content: &str) -> Outgoing {
    let key = MessageKey {
        sender: 1,
        device: phone(),
        session: 10,
        client_id,
    };
    Outgoing {
        key,
        receiver: 2,
        message_type: 1,
        content: content.as_bytes().to_vec(),
    }
}

pub(crate) async fn send(store: &Store, out: &Outgoing) -> Result<Sent, SendError> {
    store.send(out, MessagesFrom::Anyone, NOW).await
}
