//! The endpoint over real sockets.

use super::*;
use crate::secretsmanager::FirstValue;
use crate::template::model::Table;
use reqwest::{RequestBuilder, StatusCode as Status};
use serde_json::{Value, json};

struct Running {
    url: String,
    meter: Meter,
    stop: CancellationToken,
    tasks: TaskTracker,
    client: reqwest::Client,
}

impl Running {
    async fn start() -> Self {
        let (stop, tasks, meter) = (CancellationToken::new(), TaskTracker::new(), Meter::default());
        let table = Table {
            logical_id: "Items".to_owned(),
            name: "items".to_owned(),
            create: json!({
                "TableName": "items", "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            }),
            ttl_attribute: None,
        };
        let services = Services {
            dynamodb: DynamoDb::start(None, &[table], &stop, &tasks).await.unwrap(),
            sqs: Sqs::start(None, &[], "us-east-1", "http://sqs", Arc::new(|| 0)).unwrap(),
            secretsmanager: SecretsManager::start(None, &[secret()], Arc::new(|| 0)).unwrap(),
            connections: Arc::new(|request| {
                Box::pin(async move { Response::new(Bytes::from(request.uri().path().to_owned())) })
            }),
            meter: meter.clone(),
            faults: Injector::default(),
            functions: BTreeSet::from(["Work".to_owned()]),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        serve(listener, services, stop.clone(), &tasks);
        Self {
            url,
            meter,
            stop,
            tasks,
            client: http(),
        }
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    fn dynamodb(&self, operation: &str, body: &Value) -> RequestBuilder {
        let request = self
            .post("/")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
        request
            .header("content-type", "application/x-amz-json-1.0")
            .body(body.to_string())
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn secret() -> crate::template::model::Secret {
    crate::template::model::Secret {
        logical_id: "Key".to_owned(),
        name: "key".to_owned(),
        arn: "arn:aws:secretsmanager:us-east-1:000000000000:secret:key-a1b2c3".to_owned(),
        description: None,
        value: FirstValue::Given("secret".to_owned()),
    }
}

fn sign(request: RequestBuilder, service: &str) -> RequestBuilder {
    let (key, _) = credentials_for("Work");
    let credential = format!("{key}/20261121/us-east-1/{service}/aws4_request");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={}",
        "0".repeat(64)
    );
    request
        .header("authorization", authorization)
        .header("x-amz-date", "20261121T000000Z")
}

async fn sent(request: RequestBuilder) -> (Status, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn put(condition: Option<&str>) -> Value {
    let mut put = json!({"TableName": "items", "Item": {"k": {"S": "a"}, "v": {"S": "x".repeat(1500)}}});
    if let Some(condition) = condition {
        put["ConditionExpression"] = json!(condition);
    }
    put
}

#[tokio::test]
async fn a_call_is_answered_and_counted_under_its_caller() {
    let stack = Running::start().await;
    let answer = sent(sign(stack.dynamodb("PutItem", &put(None)), "dynamodb")).await;
    assert_eq!(answer, (Status::OK, json!({})));
    let row = stack
        .meter
        .read()
        .aws_total(|row| row.operation == "PutItem" && row.caller == "Work");
    assert_eq!((row.requests, row.write_units), (1, 2.0));
    stack.stop().await;
}

#[tokio::test]
async fn a_failed_condition_is_billed_and_shows_no_item_unless_the_caller_asked_for_it() {
    let stack = Running::start().await;
    sent(sign(stack.dynamodb("PutItem", &put(None)), "dynamodb")).await;
    let again = put(Some("attribute_not_exists(k)"));
    let (status, answer) = sent(sign(stack.dynamodb("PutItem", &again), "dynamodb")).await;
    assert_eq!(status, Status::BAD_REQUEST);
    assert_eq!(answer["message"], "The conditional request failed");
    assert!(answer.get("Item").is_none());
    let row = stack.meter.read().aws_total(|_| true);
    assert_eq!((row.client_errors, row.write_units), (1, 4.0));
    stack.stop().await;
}

#[tokio::test]
async fn a_batch_of_statements_is_counted() {
    let stack = Running::start().await;
    let statement = |key: &str| json!({"Statement": format!("INSERT INTO \"items\" VALUE {{'k': '{key}'}}")});
    let batch = json!({"Statements": [statement("a"), statement("b")]});
    for _ in 0..2 {
        let (status, answer) = sent(sign(stack.dynamodb("BatchExecuteStatement", &batch), "dynamodb")).await;
        assert_eq!(status, Status::OK);
        assert!(answer.get("ConsumedCapacity").is_none());
    }
    let row = stack.meter.read().aws_total(|_| true);
    assert_eq!((row.requests, row.write_units), (2, 4.0));
    stack.stop().await;
}

#[tokio::test]
async fn an_unchanged_answer_keeps_its_checksum() {
    let stack = Running::start().await;
    let list = sign(stack.dynamodb("ListTables", &json!({})), "dynamodb")
        .send()
        .await
        .unwrap();
    assert!(list.headers().contains_key("x-amz-crc32"));
    let get = json!({"TableName": "items", "Key": {"k": {"S": "a"}}});
    let get = sign(stack.dynamodb("GetItem", &get), "dynamodb").send().await.unwrap();
    assert!(!get.headers().contains_key("x-amz-crc32"));
    stack.stop().await;
}

#[tokio::test]
async fn without_a_signature_nothing_is_done() {
    let stack = Running::start().await;
    let (status, answer) = sent(stack.dynamodb("ListTables", &json!({}))).await;
    assert_eq!(status, Status::BAD_REQUEST);
    assert_eq!(
        answer["__type"],
        "com.amazon.coral.service#MissingAuthenticationTokenException"
    );
    let response = stack.post("/dev/@connections/abc%3D").send().await.unwrap();
    assert_eq!(response.status(), Status::FORBIDDEN);
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
    assert_eq!(
        response.text().await.unwrap(),
        r#"{"message":"Missing Authentication Token"}"#
    );
    assert!(stack.meter.read().aws.is_empty());
    stack.stop().await;
}

#[tokio::test]
async fn calls_to_connections_reach_the_gateway_in_every_url_form() {
    let stack = Running::start().await;
    for path in [
        "/dev/@connections/abc%3D",
        "/@connections/abc=",
        "/dev/%40connections/abc%3D",
    ] {
        let answer = sent(sign(stack.post(path), "execute-api").body("hello")).await;
        assert_eq!(answer, (Status::OK, Value::String(path.to_owned())));
    }
    let row = stack
        .meter
        .read()
        .aws_total(|row| row.operation == "PostToConnection" && row.caller == "Work");
    assert_eq!((row.requests, row.request_bytes), (3, 15));
    stack.stop().await;
}

#[tokio::test]
async fn a_call_signed_for_another_service_is_refused() {
    let stack = Running::start().await;
    let (status, answer) = sent(sign(stack.post("/dev/@connections/a"), "dynamodb")).await;
    assert_eq!(status, Status::FORBIDDEN);
    assert_eq!(
        answer["message"],
        "Credential should be scoped to correct service: 'execute-api'. "
    );
    let (status, answer) = sent(sign(stack.post("/"), "s3")).await;
    assert_eq!(status, Status::NOT_IMPLEMENTED);
    assert_eq!(
        answer["message"],
        "the local stack does not run the service s3; it runs dynamodb, sqs, secretsmanager, execute-api"
    );
    stack.stop().await;
}

#[tokio::test]
async fn the_meter_is_read_and_reset_over_http() {
    let stack = Running::start().await;
    sent(sign(stack.dynamodb("ListTables", &json!({})), "dynamodb")).await;
    let url = format!("{}/_local/meter", stack.url);
    let reading: crate::meter::Reading = stack.client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(reading, stack.meter.read());
    assert_eq!(reading.aws.len(), 1);
    assert_eq!(sent(stack.post("/_local/meter/reset")).await.0, Status::OK);
    assert!(stack.meter.read().aws.is_empty());
    assert_eq!(
        sent(stack.client.get(format!("{}/_local/health", stack.url))).await,
        (Status::OK, json!({"status": "ok"}))
    );
    assert_eq!(
        sent(stack.client.get(format!("{}/_local/other", stack.url))).await.0,
        Status::NOT_FOUND
    );
    stack.stop().await;
}

#[tokio::test]
async fn queues_answer_in_json_with_both_error_names_and_are_metered() {
    let stack = Running::start().await;
    let sqs = |path: &str, operation: &str, body: Value| {
        let request = stack
            .post(path)
            .header("x-amz-target", format!("AmazonSQS.{operation}"));
        request.body(body.to_string())
    };
    let create = json!({"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true"}});
    let answer = sent(sign(sqs("/", "CreateQueue", create), "sqs")).await;
    let url = json!({"QueueUrl": "http://sqs/000000000000/q.fifo"});
    assert_eq!(answer, (Status::OK, url.clone()));
    let receive = sign(sqs("/000000000000/q.fifo", "ReceiveMessage", url), "sqs");
    assert_eq!(sent(receive).await, (Status::OK, json!({})));
    let gone = json!({"QueueUrl": "http://sqs/000000000000/gone"});
    let refused = sign(sqs("/", "PurgeQueue", gone.clone()), "sqs").send().await.unwrap();
    assert_eq!(refused.status(), Status::BAD_REQUEST);
    let name = "AWS.SimpleQueueService.NonExistentQueue;Sender";
    assert_eq!(refused.headers()["x-amzn-query-error"], name);
    assert_eq!(refused.headers()["content-type"], "application/x-amz-json-1.0");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    let unsigned = sqs("/", "PurgeQueue", gone).send().await.unwrap();
    assert_eq!(
        unsigned.headers()["x-amzn-query-error"],
        "MissingAuthenticationToken;Sender"
    );
    let reading = stack.meter.read();
    let row = reading.aws_total(|row| row.service == "sqs" && row.caller == "Work");
    assert_eq!((row.requests, row.client_errors), (3, 1));
    assert_eq!((reading.queues.fifo_requests, reading.queues.standard_requests), (1, 2));
    stack.stop().await;
}

#[tokio::test]
async fn the_query_protocol_of_older_sdks_is_refused() {
    let stack = Running::start().await;
    let request = stack.post("/").body("Action=ListQueues&Version=2012-11-05");
    assert_eq!(sent(sign(request, "sqs")).await.0, Status::NOT_IMPLEMENTED);
    stack.stop().await;
}

#[tokio::test]
async fn secrets_answer_in_json_with_their_errors_and_are_metered() {
    let stack = Running::start().await;
    let secrets = |operation: &str, body: Value| {
        let request = stack
            .post("/")
            .header("x-amz-target", format!("secretsmanager.{operation}"));
        request.body(body.to_string())
    };
    let get = || secrets("GetSecretValue", json!({"SecretId": "key"}));
    let answer = sign(get(), "secretsmanager").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.1");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["SecretString"], "secret");
    let previous = json!({"SecretId": "key", "VersionStage": "AWSPREVIOUS"});
    assert_eq!(
        sent(sign(secrets("GetSecretValue", previous), "secretsmanager")).await,
        (
            Status::BAD_REQUEST,
            json!({
                "__type": "ResourceNotFoundException",
                "Message": "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
            })
        )
    );
    let (status, answer) = sent(sign(secrets("DeleteSecret", json!({})), "secretsmanager")).await;
    assert_eq!(
        (status, &answer["__type"]),
        (Status::BAD_REQUEST, &json!("UnknownOperationException"))
    );
    let (status, answer) = sent(get()).await;
    assert_eq!(
        (status, &answer["__type"]),
        (Status::BAD_REQUEST, &json!("MissingAuthenticationTokenException"))
    );
    let reading = stack.meter.read();
    let row = reading.aws_total(|row| row.service == "secretsmanager" && row.caller == "Work");
    assert_eq!((row.requests, row.client_errors), (3, 2));
    assert!(reading.aws.iter().any(|row| row.operation == "unknown"));
    assert!((reading.cost_usd - 3.0 * 5.0 / 1e6).abs() < 1e-12);
    stack.stop().await;
}

/// An HTTP client. reqwest needs a cryptography provider, even for plain HTTP.
fn http() -> reqwest::Client {
    // Fails if another test has already installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
