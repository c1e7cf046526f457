//! The metrics of the stack, and those that the dashboard and the alarms use.
use serde_json::Value;
use std::collections::BTreeMap;
use wigwag_local::template::Stack;

/// Namespace, name, and dimensions by name.
pub(super) type Metric = (String, String, BTreeMap<String, String>);

/// Everything in the stack that has metrics: a namespace, the metrics that AWS documents and we
/// use, and their dimensions. Sources:
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>
pub(super) fn known(stack: &Stack) -> Vec<(&'static str, &'static [&'static str], BTreeMap<String, String>)> {
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

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The metrics of all widgets. Each is `[namespace, name, dimension, value, …, {options}]`.
pub(super) fn of_dashboard(body: &Value) -> Vec<Metric> {
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

/// The metric of an alarm, or the metrics of its expression.
pub(super) fn of_alarm(alarm: &Value) -> Vec<Metric> {
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
