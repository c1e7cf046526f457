//! A real `DynamoDB` engine in this process, with the tables that `template.yaml` describes.

pub(crate) mod stores;
pub(crate) mod wire;

use crate::harness::NOW;
use dynoxide::Database;
use serde_json::{Value, json};
use wigwag_domain::UserId;
use wigwag_store::directory::Profile;
use wigwag_store::{Store, directory};
use wire::{Call, Reply, Wire, config, store_over};

/// An engine. Clones share its tables.
#[derive(Clone)]
pub(crate) struct Engine {
    database: Database,
}

impl Engine {
    pub(crate) fn start() -> Self {
        let engine = Self {
            database: Database::memory().unwrap(),
        };
        engine.create_table("timelines", ("t", "S"), ("n", "N"));
        engine.create_table("directory", ("pk", "S"), ("sk", "S"));
        engine
    }

    fn create_table(&self, name: &str, hash: (&str, &str), range: (&str, &str)) {
        self.call(
            "CreateTable",
            &json!({
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [
                    { "AttributeName": hash.0, "KeyType": "HASH" },
                    { "AttributeName": range.0, "KeyType": "RANGE" },
                ],
                "AttributeDefinitions": [
                    { "AttributeName": hash.0, "AttributeType": hash.1 },
                    { "AttributeName": range.0, "AttributeType": range.1 },
                ],
            }),
        );
    }

    /// Every item of a table, as JSON.
    pub(crate) fn items(&self, table: &str) -> Vec<Value> {
        let answer = self.call("Scan", &json!({ "TableName": table }));
        answer["Items"].as_array().unwrap().clone()
    }

    /// Puts an item, given as JSON.
    pub(crate) fn put(&self, table: &str, item: &Value) {
        self.call("PutItem", &json!({ "TableName": table, "Item": item }));
    }

    fn call(&self, operation: &str, request: &Value) -> Value {
        let call = Call {
            operation: operation.to_owned(),
            body: request.to_string(),
        };
        let reply = self.run(&call);
        assert_eq!(reply.status, 200, "{}", reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    /// Runs a call.
    pub(crate) fn run(&self, call: &Call) -> Reply {
        call.run(&self.database)
    }

    /// A store whose calls run one by one; the calls of concurrent tasks take turns.
    pub(crate) fn store(&self) -> Store {
        let engine = self.clone();
        let wire = Wire::new(move |call| {
            let engine = engine.clone();
            Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(engine.run(&call))
            })
        });
        store_over(config(wire))
    }

    /// Runs a call without the statements that `is_refused` picks: those are throttled.
    pub(crate) fn run_except(&self, call: &Call, is_refused: &dyn Fn(&Value) -> bool) -> Reply {
        if call.operation != "BatchExecuteStatement" {
            return self.run(call);
        }
        let request: Value = serde_json::from_str(&call.body).unwrap();
        let respond = |statement: &Value| {
            if is_refused(statement) {
                return json!({ "Error": { "Code": "ThrottlingError", "Message": "not now" } });
            }
            let body = json!({ "Statements": [statement] });
            self.call(&call.operation, &body)["Responses"][0].clone()
        };
        let responses: Vec<Value> = request["Statements"].as_array().unwrap().iter().map(respond).collect();
        Reply::success(&json!({ "Responses": responses }))
    }

    /// Creates the account of a user.
    pub(crate) async fn user(&self, id: UserId) {
        let profile = Profile {
            nickname: format!("user {id}"),
            phone_number: format!("+{id:010}"),
            created_at_ms: NOW,
        };
        directory::create_account(&self.store(), id, &profile, "no hash")
            .await
            .unwrap();
    }
}

/// Whether a statement is about a user's inbox.
pub(crate) fn is_of_inbox(statement: &Value, user: UserId) -> bool {
    let parameters = statement["Parameters"].as_array().into_iter().flatten();
    let inbox = format!("u{user}");
    parameters.into_iter().any(|parameter| parameter["S"] == inbox.as_str())
}
