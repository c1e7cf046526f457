//! The known differences from AWS, target by target, with their reasons.
//!
//! A marked case may fail and must not conform, so a mark is removed together with its difference.
//! The documentation lists the marks; a test compares both.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::target::TargetKind;

/// A case in which a target differs from AWS.
#[derive(Debug)]
pub(crate) struct Difference {
    /// Name of the case.
    pub(crate) case: &'static str,
    /// What the target does instead.
    pub(crate) reason: &'static str,
    /// Whether the case never conforms.
    pub(crate) always: bool,
}

impl Difference {
    /// A difference that always shows.
    pub(crate) const fn always(case: &'static str, reason: &'static str) -> Self {
        Self {
            case,
            reason,
            always: true,
        }
    }

    /// A difference that shows only sometimes; its reason says when.
    pub(crate) const fn sometimes(case: &'static str, reason: &'static str) -> Self {
        Self {
            case,
            reason,
            always: false,
        }
    }
}

/// Empty: differences of the local stack must be fixed instead.
const LOCAL: [Difference; 0] = [];

/// The differences of ministack 1.5.33.
const MINISTACK: [Difference; 37] = [
    Difference::always(
        "handshake::a_301_of_connect_is_the_status_of_the_handshake",
        "any refusal is 403",
    ),
    Difference::always(
        "handshake::a_400_of_connect_is_the_status_of_the_handshake",
        "any refusal is 403",
    ),
    Difference::always(
        "handshake::a_401_of_connect_is_the_status_of_the_handshake",
        "any refusal is 403",
    ),
    Difference::always(
        "handshake::a_501_of_connect_is_the_status_of_the_handshake",
        "any refusal is 403",
    ),
    Difference::always("handshake::a_failing_connect_is_502", "it is 403, as any refusal"),
    Difference::always("handshake::a_plain_get_is_asked_to_upgrade", "it is 200"),
    Difference::always(
        "handshake::connect_cannot_post_to_its_own_connection",
        "any refusal is 403, so what came of the post cannot be seen",
    ),
    Difference::always(
        "handshake::the_function_chooses_a_subprotocol_that_was_offered",
        "none is negotiated",
    ),
    Difference::always(
        "handshake::the_connect_event_has_these_members",
        "an empty `body`; no `messageDirection`",
    ),
    Difference::always(
        "handshake::the_connect_event_has_the_clients_headers_and_query",
        "header names in lower case; of those that the gateway adds, `host` alone",
    ),
    Difference::always(
        "handshake::without_a_user_agent_there_is_none_in_the_event",
        "it is empty",
    ),
    Difference::always(
        "handshake::the_authorizer_event_has_these_members",
        "`extendedRequestId` is not the `requestId`",
    ),
    Difference::always("handshake::unauthorized_is_401", "it is 500, as any error"),
    Difference::always("handshake::the_authorizers_latency_is_only_in_connect", "there is none"),
    Difference::always("messages::the_result_is_dropped_without_a_route_response", "it is sent"),
    Difference::always(
        "messages::without_a_default_route_a_message_that_names_none_is_forbidden",
        "nothing is sent",
    ),
    Difference::always(
        "messages::a_failing_function_is_an_internal_server_error",
        "the error itself is sent, with its type and message",
    ),
    Difference::always("messages::the_message_event_has_these_members", "no `messageDirection`"),
    Difference::always(
        "messages::each_message_has_its_own_ids_and_those_of_its_connection",
        "`connectedAt` is the time of the message",
    ),
    Difference::always(
        "messages::messages_of_one_connection_run_at_the_same_time",
        "one after the other",
    ),
    Difference::always("closing::a_binary_frame_closes_with_1003", "it is taken as text"),
    Difference::always("closing::a_frame_of_a_byte_more_closes_with_1009", "it passes"),
    Difference::always("closing::a_message_of_a_byte_more_closes_with_1009", "it passes"),
    Difference::always("closing::disconnect_gets_the_clients_code", "it is always 1006"),
    Difference::always("closing::a_close_without_a_code_is_1005", "it is always 1006"),
    Difference::always(
        "closing::the_disconnect_event_has_these_members",
        "an empty `body`; no headers; no `messageDirection`",
    ),
    Difference::always("connections::a_post_of_more_than_128_kilobytes_is_413", "it passes"),
    Difference::always(
        "connections::a_get_returns_the_times_and_the_client",
        "names in upper camel case, times as numbers",
    ),
    Difference::always(
        "connections::a_410_has_its_type_in_a_header_and_no_body",
        "it has a body",
    ),
    Difference::always("connections::a_malformed_id_is_400", "it is 410"),
    Difference::always("connections::an_unsigned_call_is_403", "signatures are not asked for"),
    Difference::always("http_api::the_event_is_of_format_2_0", "no `domainPrefix`"),
    Difference::always(
        "http_api::headers_and_parameters_that_come_twice_are_joined",
        "headers are joined with a space after the comma",
    ),
    Difference::always("http_api::cookies_are_not_among_the_headers", "they are a header"),
    Difference::always("http_api::absent_members_are_left_out", "it is null"),
    Difference::always("http_api::a_failing_function_is_500", "it is 502"),
    Difference::always(
        "queues::a_group_does_not_wait_for_another",
        "all mappings are served one after the other",
    ),
];

/// The known differences of a kind of target.
pub(crate) fn differences(kind: TargetKind) -> &'static [Difference] {
    match kind {
        TargetKind::Local => &LOCAL,
        TargetKind::Ministack => &MINISTACK,
        TargetKind::Localstack | TargetKind::Aws => &[],
    }
}

/// The mark of the case, if it has one.
pub(crate) fn find(kind: TargetKind, case: &str) -> Option<&'static Difference> {
    differences(kind).iter().find(|difference| difference.case == case)
}

/// Each mark names an existing case, only once, and the documentation lists all marks.
pub(crate) fn check_the_marks(cases: &[&str]) -> Result<()> {
    let text = page("docs/conformity.md")?;
    for kind in [TargetKind::Local, TargetKind::Ministack] {
        let marks = differences(kind);
        for mark in marks {
            ensure!(
                cases.contains(&mark.case),
                "{} of {} is not a case",
                mark.case,
                kind.name()
            );
            let count = marks.iter().filter(|other| other.case == mark.case).count();
            ensure!(count == 1, "{} of {} is marked {count} times", mark.case, kind.name());
        }
        let table = table(marks);
        ensure!(
            text.contains(&table),
            "docs/conformity.md must contain this table, but does not:\n\n{table}"
        );
    }
    Ok(())
}

/// The documentation says for each unknown what is assumed.
pub(crate) fn check_the_unknown(cases: &[&str]) -> Result<()> {
    let text = page("docs/aws-unknowns.md")?;
    for case in cases {
        let name = case.rsplit("::").next().unwrap_or_default();
        ensure!(
            text.contains(&format!("`{name}`")),
            "docs/aws-unknowns.md does not have `{name}`"
        );
    }
    Ok(())
}

fn page(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

/// The marks as the documentation lists them.
fn table(marks: &[Difference]) -> String {
    if marks.is_empty() {
        return String::new();
    }
    let mut table = "| case | what it does instead |\n|---|---|\n".to_owned();
    for mark in marks {
        let sometimes = if mark.always { "" } else { " (by chance)" };
        let _ = writeln!(table, "| `{}` | {}{sometimes} |", mark.case, mark.reason);
    }
    table
}
