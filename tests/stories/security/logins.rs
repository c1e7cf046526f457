//! A log-in does not tell whether a phone number has an account, and guesses are counted.
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wigwag_cluster::{Cluster, PASSWORD};
use wigwag_local::meter::Reading;

/// Log-ins that are compared: fewer than the limit of attempts.
const TRIES: usize = 5;

/// Answers and calls are the same, and the password is hashed in both cases. `api::password` has
/// the unit test that the hash has the same parameters. This test compares processor time, not
/// elapsed time; hashing takes by far the most of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_number_gets_the_answer_and_the_cost_of_a_wrong_password() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let (wrong, wrong_cpu_ms) = log_in(&cluster, &ada.phone_number).await?;
    let (unknown, unknown_cpu_ms) = log_in(&cluster, "+15559999999").await?;
    assert_eq!(wrong, unknown);
    assert!(wrong.answers.iter().all(|(status, _)| *status == 401), "{wrong:?}");
    if cfg!(target_os = "linux") {
        ensure!(wrong_cpu_ms > 0.0, "the meter counted no processor time");
        assert!(
            unknown_cpu_ms * 4.0 > wrong_cpu_ms,
            "{unknown_cpu_ms} ms and {wrong_cpu_ms} ms: the first did not hash"
        );
    }
    cluster.stop().await;
    Ok(())
}

/// After ten attempts within five minutes the right password is refused too. The same holds for a
/// number that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_limited_for_known_and_unknown_numbers() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let mut last = Vec::new();
    for number in [ada.phone_number.as_str(), "+15559999999"] {
        for _ in 0..2 {
            log_in(&cluster, number).await?;
        }
        let right = json!({ "phone_number": number, "password": PASSWORD, "platform": 7, "device_id": "d" });
        let (status, failure) = cluster.refused("/login", None, &right.to_string()).await?;
        last.push((
            status.as_u16(),
            failure.code,
            failure.message,
            failure.retry_after_s.is_some(),
        ));
    }
    assert_eq!(last[0], last[1]);
    assert_eq!((last[0].0, last[0].3), (429, true), "{last:?}");
    cluster.stop().await;
    Ok(())
}

/// The answers to log-ins with one phone number, and their cost.
#[derive(Debug, PartialEq)]
struct LogIns {
    /// Status and body of each.
    answers: Vec<(u16, Value)>,
    /// Calls, write units and read units of the function, by AWS operation.
    calls: BTreeMap<String, (u64, f64, f64)>,
}

async fn log_in(cluster: &Cluster, phone_number: &str) -> Result<(LogIns, f64)> {
    cluster.reset_meter().await?;
    let body = json!({ "phone_number": phone_number, "password": "not the password", "platform": 7, "device_id": "d" });
    let mut answers = Vec::new();
    for _ in 0..TRIES {
        let answer = cluster.send("POST", "/login", None, Some(body.to_string())).await?;
        answers.push((answer.status().as_u16(), answer.json().await?));
    }
    let Reading { aws, functions, .. } = cluster.meter().await?;
    let calls = aws
        .into_iter()
        .map(|row| (row.operation, (row.requests, row.write_units, row.read_units)));
    let calls = calls.collect();
    let cpu_ms = functions
        .get("ApiFunction")
        .map_or(0.0, |function| function.cpu_ms.total);
    Ok((LogIns { answers, calls }, cpu_ms))
}
