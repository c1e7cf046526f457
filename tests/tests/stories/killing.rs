//! Killing functions under a story. On Linux, where `/proc` tells which processes those are.

use nix::sys::signal::{Signal, kill as send};
use nix::unistd::Pid;
use std::time::Duration;

/// Kills this test process's own children of that name, a little later each time.
pub(crate) async fn kill_now_and_then(binary: &str) {
    for round in 0_u64.. {
        tokio::time::sleep(Duration::from_millis(150 + round % 7 * 31)).await;
        kill(binary);
    }
}

/// Kills this test process's own children of that name.
pub(crate) fn kill(binary: &str) {
    for child in children(binary) {
        // It may have ended by itself meanwhile.
        let _ = send(Pid::from_raw(child), Signal::SIGKILL);
    }
}

/// Process ids of this process's children of that name, as the fields of `/proc/<pid>/stat` tell: pid (name) state parent.
fn children(name: &str) -> Vec<i32> {
    let me = std::process::id().to_string();
    let is_child = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(' ').nth(stat.matches(' ').count().saturating_sub(3));
        stat.contains(&format!("({name})")) && parent == Some(me.as_str())
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_child).collect()
}
