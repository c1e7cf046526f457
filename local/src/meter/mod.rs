//! The meter: counts requests, units, messages and processor time, and prices them.
//!
//! All parts of the stack report to one [`Meter`]; `GET /_local/meter` shows [`Meter::read`]. The
//! meter counts what AWS would bill: a push that API Gateway refuses is a request but not a
//! message. Prices are only in [`prices`].

mod counters;
pub mod prices;
mod reading;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use counters::Counters;

pub use reading::{AwsRow, CostRow, FunctionRow, HttpRow, Permission, QueueRow, Reading, Spread, WebSocketRow};

/// The service and operation whose accepted requests are messages to clients.
const PUSH: (&str, &str) = ("execute-api", "PostToConnection");

/// Counts what the stack does. Cheap to clone; all clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    counters: Arc<Mutex<Counters>>,
}

/// One call that the AWS endpoint answered.
#[derive(Debug, Clone)]
pub struct AwsCall<'a> {
    /// For example `dynamodb` or `execute-api`.
    pub service: &'a str,
    /// For example `UpdateItem` or `PostToConnection`.
    pub operation: &'a str,
    /// Logical id of the function that called, or `external` for any other caller.
    pub caller: &'a str,
    /// HTTP status of the answer.
    pub status: u16,
    /// DynamoDB read units that the engine charged.
    pub read_units: f64,
    /// DynamoDB write units that the engine charged.
    pub write_units: f64,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// The IAM permissions that a role needs for it.
    pub permissions: BTreeSet<Permission>,
}

/// What SQS bills for a call, in addition to its [`AwsCall`].
#[derive(Debug, Clone, Copy)]
pub struct QueueCall {
    /// Whether the queue is FIFO.
    pub is_fifo: bool,
    /// Bytes of the request or of its answer, whichever is larger.
    pub payload_bytes: u64,
}

/// One finished invocation.
#[derive(Debug, Clone)]
pub struct FinishedInvocation<'a> {
    /// Logical id.
    pub function: &'a str,
    /// Wall time from dispatch to result, which Lambda bills.
    pub duration: Duration,
    /// Processor time of the function's process for this invocation, if the system reports it.
    pub cpu: Option<Duration>,
    /// Highest resident memory of that process so far, in bytes, if the system reports it.
    pub peak_memory_bytes: Option<u64>,
    /// Memory size in the template, in MB. Lambda bills memory times duration.
    pub memory_mb: u32,
    /// Time from the start of the process to its first `/next`, if this invocation started one.
    pub init: Option<Duration>,
    /// Whether it ended in an error.
    pub failed: bool,
}

impl Meter {
    /// Counts a call to the AWS endpoint.
    pub fn aws_call(&self, call: &AwsCall<'_>) {
        self.counters().aws_call(call);
    }

    /// Counts what SQS bills for a call.
    pub fn queue_call(&self, call: &QueueCall) {
        self.counters().queue_call(call);
    }

    /// Counts messages of FIFO batches that failed because an earlier one failed, and that their
    /// function did not report.
    pub fn unreported_failures(&self, messages: usize) {
        self.counters().unreported_failures(messages);
    }

    /// Counts an invocation.
    pub fn invocation(&self, invocation: &FinishedInvocation<'_>) {
        self.counters().invocation(invocation);
    }

    /// Counts one message from a client (`inbound`), or a route response to it. Pushes are counted
    /// as AWS calls.
    pub fn websocket_message(&self, inbound: bool, bytes: u64) {
        self.counters().message(inbound, bytes);
    }

    /// Counts the time for which a connection was open.
    pub fn connection_time(&self, open: Duration) {
        self.counters().connection(open.as_secs_f64() / 60.0);
    }

    /// Counts one request to an HTTP API.
    pub fn http_request(&self, bytes: u64) {
        self.counters().http_request(bytes);
    }

    /// The counts so far.
    pub fn read(&self) -> Reading {
        self.counters().reading()
    }

    /// Resets the counts, and returns the old ones.
    pub fn reset(&self) -> Reading {
        std::mem::take(&mut *self.counters()).reading()
    }

    /// Counters are plain sums, so a panic while they were locked leaves a valid state.
    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(operation: &'a str, caller: &'a str, status: u16) -> AwsCall<'a> {
        AwsCall {
            service: if operation == "PostToConnection" {
                "execute-api"
            } else {
                "dynamodb"
            },
            operation,
            caller,
            status,
            read_units: 0.5,
            write_units: 2.0,
            request_bytes: 100,
            permissions: BTreeSet::new(),
        }
    }

    fn invocation(milliseconds: u64, init: Option<u64>) -> FinishedInvocation<'static> {
        FinishedInvocation {
            function: "Work",
            duration: Duration::from_millis(milliseconds),
            cpu: Some(Duration::from_nanos(1_500)),
            peak_memory_bytes: Some(7),
            memory_mb: 512,
            init: init.map(Duration::from_millis),
            failed: false,
        }
    }

    #[test]
    fn calls_add_up_by_service_operation_and_caller() {
        let meter = Meter::default();
        for (operation, caller, status) in [
            ("GetItem", "Work", 200),
            ("GetItem", "Work", 400),
            ("GetItem", "external", 500),
            ("PutItem", "Work", 200),
        ] {
            meter.aws_call(&call(operation, caller, status));
        }
        let reading = meter.read();
        assert_eq!(reading.aws.len(), 3);
        let work = reading.aws_total(|row| row.caller == "Work" && row.operation == "GetItem");
        assert_eq!((work.requests, work.client_errors, work.server_errors), (2, 1, 0));
        assert!((work.write_units - 4.0).abs() < 1e-9);
    }

    #[test]
    fn only_accepted_pushes_are_messages() {
        let meter = Meter::default();
        meter.aws_call(&call("PostToConnection", "Work", 200));
        meter.aws_call(&call("PostToConnection", "Work", 410));
        meter.websocket_message(true, 33 * 1024);
        let websocket = meter.read().websocket;
        assert_eq!(
            (websocket.messages_in, websocket.messages_out, websocket.message_units),
            (1, 1, 3)
        );
    }

    #[test]
    fn durations_are_billed_in_whole_milliseconds_but_shown_exactly() {
        let meter = Meter::default();
        for (duration, init) in [(1, Some(20)), (3, None), (1000, Some(30))] {
            meter.invocation(&invocation(duration, init));
        }
        let work = meter.read().functions["Work"].clone();
        assert_eq!((work.invocations, work.inits, work.peak_memory_bytes), (3, 2, 7));
        assert!((work.duration_ms.median - 3.0).abs() < 1e-9 && (work.duration_ms.max - 1000.0).abs() < 1e-9);
        assert!((work.cpu_ms.total - 0.0045).abs() < 1e-12);
        assert!((work.gb_seconds - 1.004 / 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_cost_is_the_sum_of_its_items() {
        let meter = Meter::default();
        for _ in 0..1000 {
            meter.aws_call(&call("UpdateItem", "Work", 200));
        }
        meter.connection_time(Duration::from_secs(90));
        meter.http_request(0);
        let reading = meter.read();
        let expected = (2000.0 * 0.625 + 500.0 * 0.125 + 1.5 * 0.25 + 1.0) / 1e6;
        assert!((reading.cost_usd - expected).abs() < 1e-12, "{reading:?}");
    }

    #[test]
    fn each_64_kb_of_a_payload_counts_as_a_queue_request() {
        let meter = Meter::default();
        for (is_fifo, payload_bytes) in [(false, 0), (false, 64 * 1024 + 1), (true, 64 * 1024)] {
            meter.queue_call(&QueueCall { is_fifo, payload_bytes });
        }
        let reading = meter.read();
        assert_eq!((reading.queues.standard_requests, reading.queues.fifo_requests), (3, 1));
        assert!((reading.cost_usd - (3.0 * 0.4 + 0.5) / 1e6).abs() < 1e-12);
    }

    #[test]
    fn a_reset_returns_the_old_counts_and_starts_again() {
        let meter = Meter::default();
        meter.http_request(1);
        assert_eq!(meter.reset().http.requests, 1);
        assert_eq!(meter.read(), Meter::default().read());
    }

    #[test]
    fn a_reading_can_be_written_as_json_and_read_back() {
        let meter = Meter::default();
        meter.aws_call(&call("GetItem", "Work", 200));
        meter.invocation(&invocation(5, None));
        let reading = meter.read();
        let json = serde_json::to_string(&reading).unwrap();
        assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
    }
}
