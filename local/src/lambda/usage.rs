//! The processor time and memory that a process has used so far. Known on Linux only.

use std::time::Duration;

/// A reading of a process's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Processor time since its start, over all of its threads.
    pub cpu: Option<Duration>,
    /// Highest resident memory since its start, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

impl Usage {
    /// What the process has used so far.
    pub(super) fn read(pid: u32) -> Self {
        Self {
            cpu: cpu_time(pid),
            peak_memory_bytes: peak_memory_bytes(pid),
        }
    }
}

/// The processor time alone.
#[cfg(target_os = "linux")]
pub(super) fn cpu_time(pid: u32) -> Option<Duration> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?);
    let clock = nix::time::clock_getcpuclockid(pid).ok()?;
    Some(Duration::from(nix::time::clock_gettime(clock).ok()?))
}

/// The processor time alone.
#[cfg(not(target_os = "linux"))]
pub(super) fn cpu_time(_pid: u32) -> Option<Duration> {
    None
}

fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .strip_suffix("kB")?;
    Some(kilobytes.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let usage = Usage::read(std::process::id());
        assert!(usage.cpu.is_some_and(|cpu| !cpu.is_zero()));
        assert!(usage.peak_memory_bytes.is_some_and(|bytes| bytes > 100_000));
    }

    #[test]
    fn the_usage_of_a_process_that_does_not_exist_is_unknown() {
        assert_eq!(Usage::read(u32::MAX), Usage::default());
    }
}
