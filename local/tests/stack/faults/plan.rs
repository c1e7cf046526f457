//! The fault plan: how it is shown, paused and resumed, and what a seed determines.

use serde_json::{Value, json};

use super::{FaultyStack, put, statuses};

#[tokio::test]
async fn faults_are_shown_paused_and_resumed_over_http() {
    let faulty = FaultyStack::start("[dynamodb.all]\nthrottle = 1").await;
    let local = format!("{}/_local/faults", faulty.stack.aws_endpoint_url);
    let client = crate::http();
    let outcome = async || statuses(&faulty.call(json!([put("a")])).await)[0].clone();
    assert_eq!(outcome().await, 400);
    let shown: Value = client.get(&local).send().await.unwrap().json().await.unwrap();
    assert_eq!((&shown["seed"], &shown["paused"]), (&json!(1), &json!(false)));
    assert_eq!(shown["plan"]["dynamodb"]["all"], json!({"throttle": 1.0}));
    assert_eq!(
        (
            &shown["injected"]["dynamodb.throttle"],
            &shown["injected"]["sqs.throttle"]
        ),
        (&json!(1), &json!(0))
    );

    let change = async |how: &str| -> Value {
        let response = client.post(format!("{local}/{how}")).send().await.unwrap();
        response.json().await.unwrap()
    };
    assert_eq!(change("pause").await["paused"], true);
    assert_eq!(outcome().await, 200);
    assert_eq!(change("resume").await["paused"], false);
    assert_eq!(outcome().await, 400);
    faulty.stack.stop().await;
}

#[tokio::test]
async fn the_same_seed_injects_the_same_faults_into_the_same_calls() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let faulty = FaultyStack::start("[dynamodb.all]\nthrottle = 0.3\ncut_before = 0.3").await;
        let mut run = Vec::new();
        for _ in 0..5 {
            let calls: Vec<Value> = (0..10).map(|n| put(&n.to_string())).collect();
            let outcomes = faulty.call(json!(calls)).await;
            run.extend(outcomes.iter().map(|outcome| outcome["status"].clone()));
        }
        faulty.stack.stop().await;
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(
        [json!(200), json!(400), Value::Null]
            .iter()
            .all(|status| runs[0].contains(status))
    );
}
