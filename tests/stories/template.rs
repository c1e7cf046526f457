//! What `template.yaml` makes beside what runs: logs, alarms, the dashboard, and how much routes take.

use anyhow::{Context as _, Result};
use futures_util::future::join_all;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use wigwag_cluster::World;
use wigwag_local::lambda::{Line, Output};
use wigwag_local::template::{self, Options, Resolved, Secrets, Stack};

/// How long a line of the log may take. It never takes so long unless the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(parameters: &[(&str, &str)]) -> Options {
    let given = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Options {
        parameters: given.collect(),
        secrets: Secrets::in_memory(),
        ..Options::default()
    }
}

fn resources(parameters: &[(&str, &str)]) -> Result<BTreeMap<String, Resolved>> {
    Ok(template::resolved(&wigwag_cluster::template(), &options(parameters))?)
}

fn stack() -> Result<Stack> {
    Ok(template::load(&wigwag_cluster::template(), &options(&[]))?)
}

fn of_type<'a>(resources: &'a BTreeMap<String, Resolved>, name: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    resources
        .iter()
        .filter(move |(_, resource)| resource.type_name == name)
        .map(|(id, resource)| (id.as_str(), &resource.properties))
}

/// Namespace, name, and dimensions by name.
type Metric = (String, String, BTreeMap<String, String>);

/// What is there to have metrics: a namespace, the metrics of it that AWS documents and we use, and the dimensions that they may have.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>
fn known(stack: &Stack) -> Vec<(&'static str, &'static [&'static str], BTreeMap<String, String>)> {
    let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let api = |id: &str, stage: &str| {
        let named = [("ApiId", id), ("Stage", stage)];
        named
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect()
    };
    let mut known = Vec::new();
    for function in stack.functions.values() {
        let metrics = &["Duration", "Errors", "Throttles", "ConcurrentExecutions", "Invocations"][..];
        known.push(("AWS/Lambda", metrics, one("FunctionName", &function.name)));
    }
    for table in &stack.tables {
        let metrics = &[
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
            "ReadThrottleEvents",
            "WriteThrottleEvents",
        ][..];
        known.push(("AWS/DynamoDB", metrics, one("TableName", &table.name)));
        for operation in [
            "GetItem",
            "BatchGetItem",
            "Query",
            "PutItem",
            "UpdateItem",
            "BatchExecuteStatement",
        ] {
            let mut dimensions = one("TableName", &table.name);
            dimensions.insert("Operation".to_owned(), operation.to_owned());
            known.push(("AWS/DynamoDB", &["SystemErrors"][..], dimensions));
        }
    }
    for queue in &stack.queues {
        let metrics = &[
            "ApproximateNumberOfMessagesVisible",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateAgeOfOldestMessage",
        ][..];
        known.push(("AWS/SQS", metrics, one("QueueName", &queue.name)));
    }
    for socket in &stack.websocket_apis {
        let metrics = &[
            "ConnectCount",
            "MessageCount",
            "IntegrationError",
            "ClientError",
            "ExecutionError",
            "IntegrationLatency",
        ][..];
        known.push(("AWS/ApiGateway", metrics, api(&socket.api_id, &socket.stage)));
    }
    for http in &stack.http_apis {
        let metrics = &["Count", "4xx", "5xx", "Latency", "IntegrationLatency"][..];
        known.push(("AWS/ApiGateway", metrics, api(&http.api_id, &http.stage)));
    }
    known
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The metrics of a widget: `[namespace, name, dimension, value, …, {options}]`.
fn of_dashboard(body: &Value) -> Vec<Metric> {
    let widgets = body["widgets"].as_array().into_iter().flatten();
    let metrics = widgets.filter_map(|widget| widget["properties"]["metrics"].as_array());
    let read = |metric: &Value| {
        let texts: Vec<String> = metric
            .as_array()
            .into_iter()
            .flatten()
            .filter(|part| part.is_string())
            .map(text)
            .collect();
        let (names, dimensions) = texts.split_at(2.min(texts.len()));
        let dimensions = dimensions.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        (names[0].clone(), names[1].clone(), dimensions.collect())
    };
    metrics.flatten().map(read).collect()
}

/// The metric of an alarm, or those that its expression is about.
fn of_alarm(alarm: &Value) -> Vec<Metric> {
    let read = |metric: &Value| {
        let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
        let dimensions = dimensions.map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"])));
        (
            text(&metric["Namespace"]),
            text(&metric["MetricName"]),
            dimensions.collect(),
        )
    };
    match alarm["Metrics"].as_array() {
        None => vec![read(alarm)],
        Some(metrics) => metrics
            .iter()
            .filter(|metric| metric["Expression"].is_null())
            .map(|metric| read(&metric["MetricStat"]["Metric"]))
            .collect(),
    }
}

#[test]
fn each_metric_of_the_dashboard_and_of_the_alarms_is_of_something_that_is_there() -> Result<()> {
    let (stack, resources) = (stack()?, resources(&[])?);
    let known = known(&stack);
    let body = text(&resources["Dashboard"].properties["DashboardBody"]);
    let body: Value = serde_json::from_str(&body).context("the dashboard is JSON")?;
    let shown = of_dashboard(&body);
    let watched = of_type(&resources, "AWS::CloudWatch::Alarm").flat_map(|(_, alarm)| of_alarm(alarm));
    for (namespace, name, dimensions) in watched.chain(shown.iter().cloned()) {
        let is_it = |(of, metrics, with): &(&str, &[&str], BTreeMap<String, String>)| {
            *of == namespace && metrics.contains(&name.as_str()) && *with == dimensions
        };
        assert!(known.iter().any(is_it), "{namespace} {name} {dimensions:?}");
    }
    // And each thing that is there is shown.
    for (namespace, _, dimensions) in known.iter().filter(|(_, _, of)| !of.contains_key("Operation")) {
        assert!(
            shown.iter().any(|(of, _, with)| of == namespace && with == dimensions),
            "nothing shows {namespace} {dimensions:?}"
        );
    }
    Ok(())
}

#[test]
fn the_expression_of_an_alarm_is_of_its_metrics() -> Result<()> {
    for (id, alarm) in of_type(&resources(&[])?, "AWS::CloudWatch::Alarm") {
        let Some(metrics) = alarm["Metrics"].as_array() else {
            continue;
        };
        // CloudWatch takes ten, beside the expression.
        assert!(metrics.len() <= 11, "{id} has {} metrics", metrics.len());
        let expression = metrics.iter().map(|metric| text(&metric["Expression"]));
        let expression = expression.collect::<String>();
        let words: BTreeSet<&str> = expression
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .filter(|word| word.starts_with(|first: char| first.is_ascii_lowercase()))
            .collect();
        let ids: Vec<String> = metrics
            .iter()
            .filter(|metric| metric["Expression"].is_null())
            .map(|metric| text(&metric["Id"]))
            .collect();
        assert_eq!(
            words,
            ids.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            "{id}: {expression}"
        );
    }
    Ok(())
}

#[test]
fn alarms_tell_somebody_only_where_there_is_somebody() -> Result<()> {
    let topic = "arn:aws:sns:us-east-1:123456789012:alarms";
    for (parameters, told) in [
        (&[][..], Value::Null),
        (&[("AlarmTopicArn", topic)][..], serde_json::json!([topic])),
    ] {
        let resources = resources(parameters)?;
        let mut alarms = of_type(&resources, "AWS::CloudWatch::Alarm").peekable();
        assert!(alarms.peek().is_some());
        for (id, alarm) in alarms {
            assert_eq!(alarm["AlarmActions"], told, "{id}");
            assert!(!text(&alarm["AlarmDescription"]).is_empty(), "{id}");
        }
    }
    Ok(())
}

/// What an access log may hold: nothing in which a token, a phone number or an address may stand.
const LOGGED: [&str; 16] = [
    "$context.authorizer.error",
    "$context.authorizer.user",
    "$context.connectionId",
    "$context.error.message",
    "$context.eventType",
    "$context.integration.error",
    "$context.integration.requestId",
    "$context.integration.status",
    "$context.integrationLatency",
    "$context.messageId",
    "$context.requestId",
    "$context.requestTime",
    "$context.responseLatency",
    "$context.routeKey",
    "$context.stage",
    "$context.status",
];

#[test]
fn access_logs_are_json_and_hold_what_they_may() -> Result<()> {
    let format = |stage: &Value| -> Result<Option<String>> {
        let settings = &stage["AccessLogSettings"];
        if settings.is_null() {
            return Ok(None);
        }
        let line: Map<String, Value> = serde_json::from_str(&text(&settings["Format"])).context("a line is JSON")?;
        for (name, value) in line {
            assert!(LOGGED.contains(&text(&value).as_str()), "{name}: {value}");
        }
        Ok(Some(text(&settings["DestinationArn"])))
    };
    let role = "AWS::ApiGateway::Account";
    for (choice, logs, account) in [
        ("none", false, 0),
        ("use-account-role", true, 0),
        ("make-account-role", true, 1),
    ] {
        let resources = resources(&[("WebSocketAccessLog", choice)])?;
        let group = format(&resources["WebSocketStage"].properties)?;
        assert_eq!(group.is_some(), logs, "{choice}");
        assert_eq!(resources.contains_key("WebSocketAccessLogs"), logs, "{choice}");
        assert_eq!(of_type(&resources, role).count(), account, "{choice}");
        assert!(format(&resources["HttpApi"].properties)?.is_some());
    }
    Ok(())
}

#[test]
fn each_function_logs_json_into_a_group_of_its_own_that_empties_itself() -> Result<()> {
    let resources = resources(&[("LogRetentionDays", "7")])?;
    let groups: BTreeMap<String, &Value> = of_type(&resources, "AWS::Logs::LogGroup")
        .map(|(id, properties)| (format!("local-{id}"), properties))
        .collect();
    assert!(groups.values().all(|group| group["RetentionInDays"] == "7"));
    let mut taken = BTreeSet::new();
    for (id, function) in of_type(&resources, "AWS::Serverless::Function") {
        let logging = &function["LoggingConfig"];
        assert!(groups.contains_key(&text(&logging["LogGroup"])), "{id}: {logging}");
        assert!(
            taken.insert(text(&logging["LogGroup"])),
            "{id} shares {}",
            logging["LogGroup"]
        );
        assert_eq!(
            (&logging["LogFormat"], &logging["ApplicationLogLevel"]),
            (&"JSON".into(), &"TRACE".into()),
            "{id}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_the_log_says_whose_it_is() -> Result<()> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    let world = World::with(|options| options.tuning.output = Output::Channel(sender)).await?;
    let ada = world.account("ada").await?;
    let mut device = world.json_device(&ada).await?;
    device.ask_raw("{\"type\":\"NOTHING\"}").await?;
    let line: Value = loop {
        let next = tokio::time::timeout(PATIENCE, lines.recv()).await;
        let Line { function, text } = next.context("no such line")?.context("no more lines")?;
        if function == "DefaultFunction" && text.contains("refused a frame") {
            break serde_json::from_str(&text).context("a line is JSON")?;
        }
    };
    assert_eq!((&line["level"], &line["user"]), (&"INFO".into(), &ada.user_id.into()));
    assert_eq!(text(&line["request_id"]).len(), 36, "{line}");
    assert!(text(&line["trace_id"]).starts_with("1-"), "{line}");
    assert!(text(&line["connection_id"]).ends_with('='), "{line}");
    assert!(text(&line["timestamp"]).ends_with('Z'), "{line}");
    world.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_held_back_and_others_are_not() -> Result<()> {
    let world = World::with(|options| {
        options.parameters.insert("LoginsPerSecond".to_owned(), "1".to_owned());
    })
    .await?;
    // Far more at once than a second lets through.
    let guesses = join_all((0..32).map(|_| world.send("POST", "/login", None, Some("{}".to_owned())))).await;
    let mut refused = 0;
    for guess in guesses {
        let guess = guess?;
        if guess.status() == 429 && guess.text().await? == r#"{"message":"Too Many Requests"}"# {
            refused += 1;
        }
    }
    assert!((1..32).contains(&refused), "{refused} of 32");
    let others = join_all((0..32).map(|_| world.send("GET", "/me", None, None))).await;
    for other in others {
        assert_eq!(other?.status(), 401);
    }
    world.stop().await;
    Ok(())
}
