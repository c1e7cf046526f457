//! The events of a schedule, line by line.
//!
//! Most schedules go well, so a line is put together only when it is read.

use super::scheduler::Fate;
use crate::engine::wire::Call;
use serde_json::Value;
use std::fmt;
use wigwag_domain::task::Task;

/// The events of a run, in order.
///
/// Equal runs show equal traces, although the bytes of their calls may differ in the order of keys.
#[derive(Debug, Default)]
pub(crate) struct Trace(Vec<TraceLine>);

#[derive(Debug)]
enum TraceLine {
    Note(String),
    Turn(Turn),
}

/// A call that had its turn.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) caller: String,
    pub(crate) call: Call,
    pub(crate) fate: Fate,
    /// Whether the caller no longer waits for the answer.
    pub(crate) unheard: bool,
    /// The body of the answer; `None` if the call did not run.
    pub(crate) answer: Option<String>,
}

impl Trace {
    pub(crate) fn note(&mut self, line: &dyn fmt::Display) {
        self.0.push(TraceLine::Note(line.to_string()));
    }

    pub(crate) fn turn(&mut self, turn: Turn) {
        self.0.push(TraceLine::Turn(turn));
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, number) in self.0.iter().zip(1..) {
            match line {
                TraceLine::Note(note) => writeln!(f, "{number:4} {note}")?,
                TraceLine::Turn(turn) => writeln!(f, "{number:4} {turn}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.caller, request(&self.call))?;
        if self.fate != Fate::Done {
            write!(f, " [{:?}]", self.fate)?;
        }
        if self.unheard {
            f.write_str(" (unheard)")?;
        }
        self.answer
            .as_ref()
            .map_or(Ok(()), |answer| f.write_str(&outcome(answer)))
    }
}

/// A call as a line of the trace shows it.
fn request(call: &Call) -> String {
    let body: Value = serde_json::from_str(&call.body).unwrap();
    if let Some(statements) = body["Statements"].as_array() {
        return format!(
            "{} {}",
            call.operation,
            statements.iter().map(statement).collect::<Vec<_>>().join(", ")
        );
    }
    if let Some(bodies) = body.as_array() {
        let tasks = bodies
            .iter()
            .map(|body| Task::from_body(body.as_str().unwrap()).unwrap().deduplication_id());
        return format!("{} {}", call.operation, tasks.collect::<Vec<_>>().join(", "));
    }
    let key = ["Key", "Item"].iter().find_map(|name| body.get(name));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let target = match key {
        Some(key) if key.get("t").is_some() => format!("{} {}", text(&key["t"]["S"]), text(&key["n"]["N"])),
        Some(key) => format!("{} {}", text(&key["pk"]["S"]), text(&key["sk"]["S"])),
        None => match &body["ExpressionAttributeValues"] {
            Value::Null => batch(&body),
            values => format!("{} from {}", text(&values[":t"]["S"]), text(&values[":first"]["N"])),
        },
    };
    let what = match (body["UpdateExpression"].as_str(), &body["Item"]["x"]) {
        (Some(update), _) => format!(" ({update})"),
        (None, Value::Null) => String::new(),
        (None, _) => " (seal)".to_owned(),
    };
    format!("{} {target}{what}", call.operation)
}

/// A statement of a `BatchExecuteStatement`, shortened.
fn statement(statement: &Value) -> String {
    let parameters = statement["Parameters"].as_array().unwrap();
    let parameters: Vec<String> = parameters
        .iter()
        .map(|value| value.to_string().chars().take(24).collect())
        .collect();
    let kind = statement["Statement"]
        .as_str()
        .unwrap()
        .split(' ')
        .next()
        .unwrap_or_default();
    format!("{kind} {}", parameters.join(" ").replace('"', ""))
}

/// The keys of a `BatchGetItem`.
fn batch(body: &Value) -> String {
    let keys = body["RequestItems"]["timelines"]["Keys"].as_array();
    let key = |key: &Value| format!("{} {}", key["t"]["S"], key["n"]["N"]).replace('"', "");
    let keys: Vec<String> = keys.into_iter().flatten().map(key).collect();
    keys.join(", ")
}

/// An answer as a line of the trace shows it.
fn outcome(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap();
    let slot = |item: &Value| {
        if item.get("x").is_some() {
            "seal".to_owned()
        } else if item.get("k").is_some() {
            "entry".to_owned()
        } else {
            format!("head at {}", item["c"]["N"].as_str().unwrap_or("0"))
        }
    };
    if let Some(error) = body["__type"].as_str() {
        let error = error.rsplit('#').next().unwrap_or_default();
        let there = body
            .get("Item")
            .map_or_else(String::new, |item| format!(", there is: {}", slot(item)));
        return format!(" -> {error}{there}");
    }
    if let Some(items) = body["Items"].as_array() {
        let rows: Vec<String> = items
            .iter()
            .map(|item| format!("{} {}", item["n"]["N"].as_str().unwrap_or_default(), slot(item)))
            .collect();
        return format!(" -> [{}]", rows.join(", "));
    }
    if let Some(responses) = body["Responses"].as_array() {
        let ends: Vec<String> = responses
            .iter()
            .map(
                |response| match (response["Error"]["Code"].as_str(), response.get("Item")) {
                    (Some(code), _) => code.to_owned(),
                    (None, Some(item)) => slot(item),
                    (None, None) => "done".to_owned(),
                },
            )
            .collect();
        return format!(" -> [{}]", ends.join(", "));
    }
    let item = ["Attributes", "Item"].iter().find_map(|name| body.get(name));
    item.map_or_else(String::new, |item| format!(" -> {}", slot(item)))
}
