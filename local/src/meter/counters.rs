//! The counts of the meter.

use std::collections::{BTreeMap, VecDeque};

use super::prices::{self, HTTP_UNIT_BYTES, Price, QUEUE_UNIT_BYTES, WEBSOCKET_UNIT_BYTES, units};
use super::reading::{AwsRow, CostRow, FunctionRow, HttpRow, QueueRow, Reading, Spread, WebSocketRow};
use super::{AwsCall, FinishedInvocation, QueueCall, milliseconds};

/// How many of the latest measurements the median uses.
const MEDIAN_OF: usize = 1024;

/// Service, operation, caller.
type AwsRowKey = (String, String, String);

/// All counts.
#[derive(Debug, Default)]
pub(super) struct Counters {
    aws: BTreeMap<AwsRowKey, AwsRow>,
    functions: BTreeMap<String, FunctionCounts>,
    websocket: WebSocketRow,
    http: HttpRow,
    queues: QueueRow,
}

#[derive(Debug, Default)]
struct FunctionCounts {
    row: FunctionRow,
    init_ms: Samples,
    duration_ms: Samples,
    cpu_ms: Samples,
}

impl Counters {
    pub(super) fn aws_call(&mut self, call: &AwsCall<'_>) {
        let key = (
            call.service.to_owned(),
            call.operation.to_owned(),
            call.caller.to_owned(),
        );
        let row = self.aws.entry(key).or_default();
        row.requests += 1;
        row.client_errors += u64::from((400..500).contains(&call.status));
        row.server_errors += u64::from(call.status >= 500);
        row.read_units += call.read_units;
        row.write_units += call.write_units;
        row.request_bytes += call.request_bytes;
        row.permissions.extend(call.permissions.iter().cloned());
        if (call.service, call.operation) == super::PUSH && call.status < 300 {
            self.message(false, call.request_bytes);
        }
    }

    pub(super) fn queue_call(&mut self, call: &QueueCall) {
        let requests = if call.is_fifo {
            &mut self.queues.fifo_requests
        } else {
            &mut self.queues.standard_requests
        };
        *requests += units(call.payload_bytes, QUEUE_UNIT_BYTES);
    }

    pub(super) fn unreported_failures(&mut self, messages: usize) {
        self.queues.unreported_failures += u64::try_from(messages).unwrap_or(u64::MAX);
    }

    pub(super) fn invocation(&mut self, invocation: &FinishedInvocation<'_>) {
        let function = self.functions.entry(invocation.function.to_owned()).or_default();
        function.row.invocations += 1;
        function.row.errors += u64::from(invocation.failed);
        function.duration_ms.add(milliseconds(invocation.duration));
        if let Some(cpu) = invocation.cpu {
            function.cpu_ms.add(milliseconds(cpu));
        }
        if let Some(init) = invocation.init {
            function.row.inits += 1;
            function.init_ms.add(milliseconds(init));
        }
        let peak = invocation.peak_memory_bytes.unwrap_or_default();
        function.row.peak_memory_bytes = function.row.peak_memory_bytes.max(peak);
        let billed_ms = milliseconds(invocation.duration).ceil();
        function.row.gb_seconds += billed_ms / 1000.0 * f64::from(invocation.memory_mb) / 1024.0;
    }

    pub(super) fn message(&mut self, inbound: bool, bytes: u64) {
        let row = &mut self.websocket;
        let (messages, total) = if inbound {
            (&mut row.messages_in, &mut row.bytes_in)
        } else {
            (&mut row.messages_out, &mut row.bytes_out)
        };
        *messages += 1;
        *total += bytes;
        row.message_units += units(bytes, WEBSOCKET_UNIT_BYTES);
    }

    pub(super) fn connection(&mut self, minutes: f64) {
        self.websocket.connections += 1;
        self.websocket.connection_minutes += minutes;
    }

    pub(super) fn http_request(&mut self, bytes: u64) {
        self.http.requests += 1;
        self.http.bytes += bytes;
        self.http.request_units += units(bytes, HTTP_UNIT_BYTES);
    }

    pub(super) fn reading(&self) -> Reading {
        let aws = self.aws.iter().map(|((service, operation, caller), row)| AwsRow {
            service: service.clone(),
            operation: operation.clone(),
            caller: caller.clone(),
            ..row.clone()
        });
        let mut reading = Reading {
            aws: aws.collect(),
            functions: self
                .functions
                .iter()
                .map(|(id, function)| (id.clone(), function.reading()))
                .collect(),
            websocket: self.websocket.clone(),
            http: self.http.clone(),
            queues: self.queues.clone(),
            ..Reading::default()
        };
        reading.cost = cost(&reading);
        reading.cost_usd = reading.cost.iter().map(|row| row.usd).sum();
        reading
    }
}

impl FunctionCounts {
    fn reading(&self) -> FunctionRow {
        FunctionRow {
            init_ms: self.init_ms.spread(),
            duration_ms: self.duration_ms.spread(),
            cpu_ms: self.cpu_ms.spread(),
            ..self.row.clone()
        }
    }
}

fn cost(reading: &Reading) -> Vec<CostRow> {
    let aws = reading.aws_total(|row| row.service == "dynamodb");
    let secrets = reading.aws_total(|row| row.service == "secretsmanager");
    let invocations = reading.functions.values().map(|row| count(row.invocations)).sum();
    let gb_seconds = reading.functions.values().map(|row| row.gb_seconds).sum();
    let line = |price: Price, quantity: f64| CostRow {
        item: price.item.to_owned(),
        quantity,
        usd_per_million: price.usd_per_million,
        usd: quantity * price.usd_per_million / 1e6,
        source: price.source.to_owned(),
    };
    vec![
        line(prices::WRITE_UNITS, aws.write_units),
        line(prices::READ_UNITS, aws.read_units),
        line(prices::WEBSOCKET_MESSAGES, count(reading.websocket.message_units)),
        line(prices::CONNECTION_MINUTES, reading.websocket.connection_minutes),
        line(prices::HTTP_REQUESTS, count(reading.http.request_units)),
        line(prices::QUEUE_REQUESTS, count(reading.queues.standard_requests)),
        line(prices::FIFO_QUEUE_REQUESTS, count(reading.queues.fifo_requests)),
        line(prices::SECRETS_CALLS, count(secrets.requests)),
        line(prices::INVOCATIONS, invocations),
        line(prices::GB_SECONDS, gb_seconds),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which no laptop counts to")]
fn count(value: u64) -> f64 {
    value as f64
}

/// Measurements; the latest ones are kept for the median.
#[derive(Debug, Default)]
struct Samples {
    count: u64,
    total: f64,
    min: f64,
    max: f64,
    latest: VecDeque<f64>,
}

impl Samples {
    fn add(&mut self, value: f64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.total += value;
        if self.latest.len() == MEDIAN_OF {
            self.latest.pop_front();
        }
        self.latest.push_back(value);
    }

    fn spread(&self) -> Spread {
        let mut sorted: Vec<f64> = self.latest.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        Spread {
            count: self.count,
            total: self.total,
            min: self.min,
            median,
            max: self.max,
        }
    }
}
