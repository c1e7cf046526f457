//! Kills functions in the middle of their work. Linux only: `/proc` tells which processes to kill.

use crate::Cluster;
use nix::sys::signal::{Signal, kill as send};
use nix::unistd::Pid;
use std::time::Duration;

impl Cluster {
    /// Kills the stack's processes with this name. Other clusters of this test process keep theirs.
    pub fn kill(&self, binary: &str) {
        kill(&self.stack.aws_endpoint_url, binary);
    }

    /// Kills the stack's processes with this name again and again, after pauses of varying length.
    pub fn kill_repeatedly(&self, binary: &'static str) -> impl Future<Output = ()> + Send + 'static {
        let endpoint = self.stack.aws_endpoint_url.clone();
        async move {
            for round in 0_u64.. {
                tokio::time::sleep(Duration::from_millis(150 + round % 7 * 31)).await;
                kill(&endpoint, binary);
            }
        }
    }
}

/// A stack's processes have its AWS endpoint in their environment.
fn kill(endpoint: &str, binary: &str) {
    let variable = format!("AWS_ENDPOINT_URL={endpoint}");
    let of_stack = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable.as_bytes())
    };
    for child in children(binary).into_iter().filter(of_stack) {
        // It may have ended by itself meanwhile.
        let _ = send(Pid::from_raw(child), Signal::SIGKILL);
    }
}

/// Process ids of this process's children with this name. The fields of `/proc/<pid>/stat` are:
/// pid, (name), state, parent.
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
