//! Passwords: wrong ones, guesses, and the memory that hashing takes.
use anyhow::Result;
use serde_json::json;
use wigwag_cluster::{Cluster, PASSWORD};
use wigwag_protocol::Code;
use wigwag_store::directory::ATTEMPTS_PER_WINDOW;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_number_get_the_same_answer_at_the_same_cost() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let login = |phone: &str| {
        json!({ "phone_number": phone, "password": "wrong", "platform": 7, "device_id": "d" }).to_string()
    };
    let mut seen = Vec::new();
    for phone in [ada.phone_number.as_str(), "+15559999999"] {
        cluster.reset_meter().await?;
        let (status, failure) = cluster.refused("/login", None, &login(phone)).await?;
        let calls = cluster.meter().await?.aws_total(|_| true);
        seen.push((
            status.as_u16(),
            failure,
            calls.requests,
            calls.write_units.to_bits(),
            calls.read_units.to_bits(),
        ));
    }
    assert_eq!(seen[0].0, 401);
    assert_eq!(seen[0].1.code, Code::WRONG_CREDENTIALS.number());
    assert_eq!(seen[0], seen[1]);
    cluster.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_wrong_passwords_make_a_phone_number_wait() -> Result<()> {
    let cluster = Cluster::start().await?;
    let ada = cluster.account("ada").await?;
    let login = |phone: &str, password: &str| {
        json!({ "phone_number": phone, "password": password, "platform": 7, "device_id": "d" }).to_string()
    };
    for phone in [ada.phone_number.as_str(), "+15559999999"] {
        for _ in 0..ATTEMPTS_PER_WINDOW {
            assert_eq!(cluster.refused("/login", None, &login(phone, "wrong")).await?.0, 401);
        }
        let (status, failure) = cluster.refused("/login", None, &login(phone, PASSWORD)).await?;
        assert_eq!(
            (status.as_u16(), failure.code, failure.retryable),
            (429, Code::TOO_MANY_ATTEMPTS.number(), true)
        );
        assert!(
            failure
                .retry_after_s
                .is_some_and(|seconds| (1..=301).contains(&seconds))
        );
    }
    cluster.stop().await;
    Ok(())
}

/// glibc would keep the memory from one log-in to the next until the function has none left. See
/// `MALLOC_MMAP_THRESHOLD_` in the template.
#[tokio::test]
async fn the_memory_for_hashing_a_password_is_given_back() -> Result<()> {
    let cluster = Cluster::start().await?;
    let account = cluster.account("ada").await?;
    for n in 1..=8 {
        cluster.another_device(&account, &format!("device {n}")).await?;
    }
    let peak_bytes = cluster.meter().await?.functions["ApiFunction"].peak_memory_bytes;
    assert!(peak_bytes < 100 << 20, "{peak_bytes}");
    cluster.stop().await;
    Ok(())
}
