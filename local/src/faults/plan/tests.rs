//! Plans that are accepted, and the errors of those that are not.

use super::*;

fn refused(text: &str) -> String {
    FaultPlan::parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_plan_has_no_faults() {
    assert_eq!(FaultPlan::parse("").unwrap(), FaultPlan::default());
}

#[test]
fn the_built_in_plan_has_many_faults() {
    let plan = FaultPlan::load(Path::new(HARSH_NAME)).unwrap();
    assert!(plan.processes.kill_after_calls.rate.get() > 0.0);
    assert!(plan.call(Service::DynamoDb, "PutItem").cut_after.is_some());
}

#[test]
fn an_operation_inherits_what_it_does_not_set() {
    let plan =
        FaultPlan::parse("[dynamodb]\nall.throttle = 0.5\nall.cut_after = 0.25\nPutItem.throttle = 0\n").unwrap();
    let (put, get) = (
        plan.call(Service::DynamoDb, "PutItem"),
        plan.call(Service::DynamoDb, "GetItem"),
    );
    assert_eq!((put.throttle, put.cut_after), (Some(Rate(0.0)), Some(Rate(0.25))));
    assert_eq!((get.throttle, get.cut_after), (Some(Rate(0.5)), Some(Rate(0.25))));
    assert_eq!(plan.call(Service::Sqs, "SendMessage"), CallFaults::default());
}

#[test]
fn an_error_shows_the_line() {
    insta::assert_snapshot!(refused("[sockets]\ndrop_disconect = 0.5"), @r"
    the fault plan is not valid: TOML parse error at line 2, column 1
      |
    2 | drop_disconect = 0.5
      | ^^^^^^^^^^^^^^
    unknown field `drop_disconect`, expected one of `delay_frame_in`, `delay_frame_out`, `cut`, `drop_disconnect`, `delay_disconnect`
    ");
    insta::assert_snapshot!(refused("[sqs]\nall.throttle = 1.5"), @r"
    the fault plan is not valid: TOML parse error at line 2, column 16
      |
    2 | all.throttle = 1.5
      |                ^^^
    a rate must be from 0 to 1, not 1.5
    ");
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (text, reason) in [
        ("[messages]\nagain = -0.1", "a rate must be from 0 to 1, not -0.1"),
        ("[messages]\nagain = nan", "a rate must be from 0 to 1, not NaN"),
        (
            "[messages]\nlate = { rate = 1, ms = 900001 }",
            "ms must be at most 900000",
        ),
        ("[messages]\nlate = { rate = 1, ms = -1 }", "integer `-1`"),
        ("[messages]\nlate = { rate = 1 }", "missing field `ms`"),
        (
            "[messages]\nlate = 1",
            "expected a table such as { rate = 0.1, ms = 100 }",
        ),
        (
            "[processes]\nkill_after_calls = { rate = 1, calls = 0 }",
            "calls must be from 1 to 10000, not 0",
        ),
        (
            "[dynamodb]\nthrottle = 1",
            "expected a table such as { throttle = 0.1 }",
        ),
        ("[other]", "unknown field `other`"),
    ] {
        let refusal = refused(text);
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn a_fault_that_could_never_happen_is_refused() {
    let start = |text: &str, expected: &str| {
        let refusal = refused(text);
        assert!(refusal.starts_with(expected), "{refusal}");
    };
    start(
        "[dynamodb.PutItme]\nthrottle = 1",
        "the fault plan is not valid: dynamodb.PutItme: there is no such operation; use one of all, Batch",
    );
    start(
        "[dynamodb.all]\ngone = 1",
        "the fault plan is not valid: dynamodb.all.gone: calls of dynamodb cannot",
    );
    start(
        "[connections.all]\nentries = 1",
        "the fault plan is not valid: connections.all.entries: calls of",
    );
    start(
        "[sqs.SendMessage]\nentries = 1",
        "the fault plan is not valid: sqs.SendMessage.entries: the operation has no entries",
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = FaultPlan::load(Path::new("no/such/plan")).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot read the fault plan no/such/plan; pass a file, or harsh for the built-in plan"
    );
}
