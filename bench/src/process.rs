//! What the kernel says of a broker's process: CPU time and resident memory.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of all threads of process `pid` so far, user and system, living and dead.
///
/// The kernel counts in ticks (10 ms as a rule), so runs should last seconds.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("read the broker's stat")?;
    // The command in parentheses may hold spaces: fields are counted from its end. proc(5): utime and
    // stime are fields 14 and 15, so 11 and 12 after the state.
    let fields: Vec<&str> = stat.rsplit_once(") ").context("unexpected format of stat")?.1.split(' ').collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Resident memory of process `pid` in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).context("empty VmRSS")?.parse()?;
    Ok(kib * 1024)
}

/// Time since process `pid` was started.
pub(crate) fn age(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let start_ticks: u64 = stat
        .rsplit_once(") ")
        .context("unexpected format of stat")?
        .1
        .split(' ')
        .nth(19)
        .context("no start time")?
        .parse()?;
    let uptime = fs::read_to_string("/proc/uptime")?;
    let uptime: f64 = uptime.split(' ').next().context("empty uptime")?.parse()?;
    let started = start_ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(Duration::from_secs_f64((uptime - started).max(0.0)))
}
