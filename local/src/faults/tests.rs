//! Decisions: the same for the same seed, as frequent as the plan says, and none while paused.

use super::*;

fn injector(plan: &str, seed: u64) -> Injector {
    Injector::new(FaultPlan::parse(plan).unwrap(), seed)
}

/// The refusals of calls, one for each of many invocations of a function.
async fn refusals(injector: &Injector) -> Vec<Option<Refusal>> {
    let mut refusals = Vec::new();
    for _ in 0..2000 {
        let process = injector.process("Work");
        let _doom = process.begin();
        refusals.push(
            match injector.call("Work", process.token(), Service::DynamoDb, "PutItem") {
                Some(call) => call.before().await,
                None => None,
            },
        );
    }
    refusals
}

fn count<T: PartialEq>(all: &[T], one: &T) -> usize {
    all.iter().filter(|other| *other == one).count()
}

#[tokio::test]
async fn by_default_nothing_goes_wrong() {
    let injector = Injector::default();
    assert!(refusals(&injector).await.iter().all(Option::is_none));
    let socket = injector.socket();
    assert!(socket.frame_in().is_none() && socket.frame_out().is_none());
    assert!(!socket.loses_disconnect().await);
    assert!(!injector.batch("q", 1, 1).comes_again());
    assert!(injector.injected().values().all(|count| *count == 0));
}

#[tokio::test]
async fn the_same_seed_makes_the_same_faults_and_another_seed_makes_others() {
    let plan = "[dynamodb.all]\nthrottle = 0.2\ncut_before = 0.2";
    let harm = refusals(&injector(plan, 7)).await;
    assert_eq!(harm, refusals(&injector(plan, 7)).await);
    assert_ne!(harm, refusals(&injector(plan, 8)).await);
}

#[tokio::test]
async fn a_fault_happens_as_often_as_its_rate_says() {
    let harm = refusals(&injector("[dynamodb.all]\nthrottle = 0.1\nfail_before = 0.5", 1)).await;
    // Of 2000 calls 200, with a standard deviation of 13; of the 1800 others 900, with one of 21.
    let (throttled, failed) = (
        count(&harm, &Some(Refusal::Throttled)),
        count(&harm, &Some(Refusal::Failed)),
    );
    assert!((140..260).contains(&throttled), "{throttled}");
    assert!((790..1010).contains(&failed), "{failed}");
}

#[tokio::test]
async fn a_further_fault_in_the_plan_does_not_change_the_others() {
    let alone = refusals(&injector("[dynamodb.all]\nthrottle = 0.3", 3)).await;
    let both = refusals(&injector("[dynamodb.all]\nthrottle = 0.3\nfail_before = 0.3", 3)).await;
    for (alone, both) in alone.iter().zip(&both) {
        assert_eq!(alone.is_some(), *both == Some(Refusal::Throttled));
    }
}

#[test]
fn the_key_of_a_call_does_not_depend_on_other_invocations() {
    let keys = |others: u32| {
        let injector = Injector::default();
        let process = injector.process("Work");
        let _doom = process.begin();
        for _ in 0..others {
            let other = injector.process("Other");
            let _doom = other.begin();
            injector.number("Other", other.token(), Service::DynamoDb, "GetItem");
            injector.number("Work", process.token(), Service::DynamoDb, "GetItem");
        }
        injector
            .number("Work", process.token(), Service::DynamoDb, "PutItem")
            .key
    };
    assert_eq!(keys(0), "Work/1/dynamodb.PutItem/1");
    assert_eq!(keys(3), keys(0));
}

#[tokio::test]
async fn the_last_call_of_a_process_ends_it() {
    let injector = injector("[processes]\nkill_after_calls = { rate = 1, calls = 4 }", 1);
    let mut last_calls = Vec::new();
    for _ in 0..100 {
        let process = injector.process("Work");
        let doom = process.begin();
        let calls: Vec<_> = (0..4)
            .map(|_| injector.call("Work", process.token(), Service::Sqs, "SendMessage"))
            .collect();
        assert_eq!(calls.iter().flatten().count(), 1);
        let last = calls.iter().position(Option::is_some).unwrap();
        last_calls.push(last);
        let killing = async {
            doom.comes().await;
            drop(process);
        };
        let (is_ended, ()) = tokio::join!(calls[last].as_ref().unwrap().ends_process(), killing);
        assert!(is_ended);
    }
    assert!((0..4).all(|index| last_calls.contains(&index)), "{last_calls:?}");
    assert_eq!(injector.injected()["processes.kill_after_calls"], 100);
}

#[tokio::test]
async fn a_process_is_killed_within_the_time_of_the_plan() {
    let injector = injector("[processes]\nkill_after_ms = { rate = 1, ms = 5 }", 1);
    let process = injector.process("Work");
    process.begin().comes().await;
    assert_eq!(injector.injected()["processes.kill_after_ms"], 1);
}

#[test]
fn entries_of_a_batch_fail_independently() {
    let injector = injector("[sqs.all]\nentries = 0.5", 1);
    let call = injector.call("Work", "", Service::Sqs, "SendMessageBatch").unwrap();
    let failing = (0..100).filter(|entry| call.leaves_out(*entry)).count();
    assert!((25..75).contains(&failing), "{failing}");
    assert_eq!(injector.injected()["sqs.entries"], u64::try_from(failing).unwrap());
    assert!(injector.call("Work", "", Service::Sqs, "SendMessage").is_none());
}

#[tokio::test]
async fn a_pause_stops_all_faults_and_a_resume_continues_the_plan() {
    let injector = injector(
        "[processes]\nkill_after_calls = { rate = 1, calls = 1 }\n[dynamodb.all]\nthrottle = 1\n\
         [messages]\nagain = 1\n[sockets]\ndrop_disconnect = 1",
        1,
    );
    let decided = injector.batch("q", 1, 1);
    let process = injector.process("Work");
    let _doom = process.begin();
    let call = injector
        .call("Work", process.token(), Service::DynamoDb, "PutItem")
        .unwrap();
    injector.pause();
    assert!(injector.is_paused());
    assert!(!decided.comes_again() && !injector.batch("q", 1, 1).comes_again());
    assert!(call.before().await.is_none() && !call.ends_process().await);
    assert!(!injector.socket().loses_disconnect().await);
    assert!(injector.injected().values().all(|count| *count == 0));
    injector.resume();
    assert!(decided.comes_again());
    assert_eq!(call.before().await, Some(Refusal::Throttled));
    assert!(injector.socket().loses_disconnect().await);
}

#[tokio::test]
async fn a_pause_releases_everything_that_is_held_back() {
    let injector = injector("[sockets]\ndelay_frame_in = { rate = 1, ms = 900000 }", 1);
    let held = tokio::spawn(injector.socket().frame_in().over());
    tokio::task::yield_now().await;
    injector.pause();
    tokio::time::timeout(Duration::from_mins(1), held)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(injector.injected()["sockets.delay_frame_in"], 1);
}

#[test]
fn the_report_has_the_seed_the_plan_and_every_fault() {
    let report = serde_json::to_value(injector(HARSH, 5).report()).unwrap();
    assert_eq!(report["seed"], 5);
    assert_eq!(report["paused"], false);
    assert_eq!(report["plan"]["messages"]["again"], 0.02);
    assert_eq!(report["injected"]["dynamodb.cut_after"], 0);
    assert_eq!(report["injected"].as_object().unwrap().len(), FaultKind::all().count());
}
