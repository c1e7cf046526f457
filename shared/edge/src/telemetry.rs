//! Logs of the functions.
//!
//! Our crates log at the level of `RUST_LOG`, all others from `warn` on, because the debug output
//! of the SDK would show requests. Lines are text, or JSON if the function's logging is set to
//! that, as `template.yaml` does. A line of JSON is flat and names its invocation:
//!
//! - `request_id` is Lambda's, which the access logs of API Gateway call `functionRequestId`;
//!   `trace_id` is X-Ray's
//! - `connection_id` and `user` are those of the event, if it has any: see [`connection`] and
//!   [`request`]
//! - every other field of the line and of the spans around it is next to these; the innermost wins
//! - `timestamp` and `level` are the names that Lambda looks for

use crate::Caller;
use crate::config::{ConfigError, parsed};
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequestContext;
use serde_json::{Map, Value};
use std::fmt;
use tracing::field::{Empty, Field, Visit};
use tracing::{Event, Span, Subscriber, error_span};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt as lines, registry};
use wigwag_domain::UserId;

pub use tracing::Instrument;

/// The runtime's span around an invocation: it has the ids of the request and of the trace.
const INVOCATION: &str = "lambda_runtime::layers::trace";

/// The fields of that span, and our names for them.
const RENAMED: [(&str, &str); 2] = [("requestId", "request_id"), ("xrayTraceId", TRACE_ID)];

const TRACE_ID: &str = "trace_id";

/// Starts logging to standard output. To be called once, first of all.
pub fn init() -> Result<(), ConfigError> {
    let level: LevelFilter = parsed("RUST_LOG", "error, warn, info or debug")?;
    let as_json = std::env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    let layer = lines::layer().with_ansi(false);
    let layer = if as_json {
        layer.fmt_fields(JsonFields::new()).event_format(Line).boxed()
    } else {
        layer.without_time().boxed()
    };
    registry().with(layer.with_filter(targets(level))).init();
    Ok(())
}

fn targets(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("wigwag", level)
        .with_target(INVOCATION, LevelFilter::INFO)
}

/// The span of a WebSocket event: all lines within name its connection and its user. It exists at
/// every level.
pub fn connection(context: &ApiGatewayWebsocketProxyRequestContext) -> Span {
    let span = error_span!("connection", connection_id = context.connection_id, user = Empty);
    if let Some(caller) = Caller::from_context(&context.authorizer.fields) {
        span.record("user", caller.user.0);
    }
    span
}

/// The span of an event whose sender is not known yet.
pub fn request() -> Span {
    error_span!("request", user = Empty)
}

/// Records who sent the event, in the current span.
pub fn sent_by(user: UserId) {
    Span::current().record("user", user.0);
}

/// Writes an event as one line of JSON.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Map::new();
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            let fields = fields.and_then(|fields| serde_json::from_str::<Map<String, Value>>(&fields.fields).ok());
            line.extend(fields.into_iter().flatten().map(renamed));
        }
        event.record(&mut Fields(&mut line));
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        line.insert("timestamp".to_owned(), timestamp.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Our name of a field of a span, and its value. Of the trace header, the part that is the id.
fn renamed((name, value): (String, Value)) -> (String, Value) {
    let ours = RENAMED.iter().find(|(theirs, _)| *theirs == name);
    let Some((_, ours)) = ours else { return (name, value) };
    let root = value.as_str().filter(|_| *ours == TRACE_ID).and_then(|header| {
        let mut parts = header.split(';');
        parts.find_map(|part| part.trim().strip_prefix("Root="))
    });
    ((*ours).to_owned(), root.map_or(value.clone(), Value::from))
}

/// Takes the fields of an event as JSON.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};
    use tracing::level_filters::LevelFilter;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that are logged meanwhile, as JSON, without the time.
    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let sink = written.clone();
        let layer = lines::layer()
            .with_writer(move || sink.clone())
            .fmt_fields(JsonFields::new())
            .event_format(Line)
            .with_filter(targets(level));
        tracing::subscriber::with_default(registry().with(layer), work);
        let bytes = written.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .map(|line| {
                let mut line: Map<String, Value> = serde_json::from_str(line).unwrap();
                let time = line.remove("timestamp").unwrap();
                assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
                assert_eq!(line.remove("target"), Some(json!("wigwag_edge::telemetry::tests")));
                Value::Object(line)
            })
            .collect()
    }

    fn invocation() -> Span {
        let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
        tracing::info_span!(
            target: "lambda_runtime::layers::trace",
            "Lambda runtime invoke",
            requestId = "r-1",
            xrayTraceId = trace
        )
    }

    fn context() -> ApiGatewayWebsocketProxyRequestContext {
        let authorizer =
            json!({ "user": "7", "device": wigwag_domain::DeviceKey::derive(1, "phone").as_str(), "platform": "1" });
        let context = json!({
            "connectionId": "c=", "connectedAt": 1, "requestTimeEpoch": 1, "identity": {}, "authorizer": authorizer,
        });
        serde_json::from_value(context).unwrap()
    }

    #[test]
    fn a_log_line_names_its_invocation_and_connection_at_every_level() {
        for level in [LevelFilter::ERROR, LevelFilter::DEBUG] {
            let lines = logged(level, || {
                invocation().in_scope(|| {
                    connection(&context()).in_scope(|| {
                        tracing::error!(user.id = 8, done = true, share = 0.5, "a \"task\" failed");
                    });
                });
            });
            assert_eq!(
                lines,
                [json!({
                    "level": "ERROR", "message": "a \"task\" failed", "request_id": "r-1",
                    "trace_id": "1-5759e988-bd862e3fe1be46a994272793", "connection_id": "c=", "user": 7,
                    "user.id": 8, "done": true, "share": 0.5,
                })]
            );
        }
    }

    #[test]
    fn the_user_of_an_event_may_be_added_later() {
        let lines = logged(LevelFilter::INFO, || {
            request().in_scope(|| {
                tracing::info!("before");
                sent_by(UserId(9));
                tracing::info!("after");
                tracing::debug!("too much");
            });
        });
        assert_eq!(
            lines,
            [
                json!({ "level": "INFO", "message": "before" }),
                json!({ "level": "INFO", "message": "after", "user": 9 }),
            ]
        );
    }
}
