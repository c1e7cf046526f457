//! Logging in tells nothing about who has an account, and guesses are counted.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wigwag_cluster::World;
use wigwag_local::meter::Reading;

/// Log-ins that are compared; fewer than may be tried.
const TRIES: usize = 5;

/// What came of log-ins with a number, and what they cost.
#[derive(Debug, PartialEq)]
struct Came {
    /// Status and body of each.
    answers: Vec<(u16, Value)>,
    /// Calls of the function to AWS, by operation, with the write and read units.
    calls: BTreeMap<String, (u64, f64, f64)>,
}

async fn log_in(world: &World, phone_number: &str) -> Result<(Came, f64)> {
    world.reset_meter().await?;
    let body = json!({ "phone_number": phone_number, "password": "not the password", "platform": 7, "device_id": "d" });
    let mut answers = Vec::new();
    for _ in 0..TRIES {
        let answer = world.send("POST", "/login", None, Some(body.to_string())).await?;
        answers.push((answer.status().as_u16(), answer.json().await?));
    }
    let Reading { aws, functions, .. } = world.meter().await?;
    let calls = aws
        .into_iter()
        .map(|row| (row.operation, (row.requests, row.write_units, row.read_units)));
    let calls = calls.collect();
    let cpu_ms = functions
        .get("ApiFunction")
        .map_or(0.0, |function| function.cpu_ms.total);
    Ok((Came { answers, calls }, cpu_ms))
}

/// The answers are the same, the calls are the same, and the password is hashed (`api::password` has the unit test that it is hashed
/// with the same parameters). No clock is looked at: what is compared is processor time, of which a hash takes by far the most.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_number_is_answered_and_costs_as_a_wrong_password() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let (wrong, wrong_cpu_ms) = log_in(&world, &ada.phone_number).await?;
    let (unknown, unknown_cpu_ms) = log_in(&world, "+15559999999").await?;
    assert_eq!(wrong, unknown);
    assert!(wrong.answers.iter().all(|(status, _)| *status == 401), "{wrong:?}");
    if cfg!(target_os = "linux") {
        ensure!(wrong_cpu_ms > 0.0, "nothing was metered");
        assert!(
            unknown_cpu_ms * 4.0 > wrong_cpu_ms,
            "{unknown_cpu_ms} ms and {wrong_cpu_ms} ms: there is no hash in the first"
        );
    }
    world.stop().await;
    Ok(())
}

/// Ten within five minutes, then the right password is refused too: also for a number that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_come_to_an_end_whoever_they_are_about() -> Result<()> {
    let world = World::start().await?;
    let ada = world.account("ada").await?;
    let mut last = Vec::new();
    for number in [ada.phone_number.as_str(), "+15559999999"] {
        for _ in 0..2 {
            log_in(&world, number).await?;
        }
        let right =
            json!({ "phone_number": number, "password": wigwag_cluster::PASSWORD, "platform": 7, "device_id": "d" });
        let (status, failure) = world.refused("/login", None, &right.to_string()).await?;
        last.push((
            status.as_u16(),
            failure.code,
            failure.message,
            failure.retry_after_s.is_some(),
        ));
    }
    assert_eq!(last[0], last[1]);
    assert_eq!((last[0].0, last[0].3), (429, true), "{last:?}");
    world.stop().await;
    Ok(())
}
