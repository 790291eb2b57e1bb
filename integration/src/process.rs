//! Other processes: run one to its end under a deadline, look at one through /proc, signal one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::wait;

/// A process that ended.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Finished {
    /// Checks that it ended well, and gives its standard output.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Both outputs, for messages that tools put on either.
    pub fn everything(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// Runs `command` with `input` on its standard input until it ends.
///
/// # Panics
/// It does not start, or runs longer than `limit`: then it and its children are killed and what they said is shown.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8], limit: Duration) -> Finished {
    let started = Instant::now();
    let mut stdout = tempfile::tempfile().expect("a temporary file");
    let mut stderr = tempfile::tempfile().expect("a temporary file");
    let mut stdin = tempfile::tempfile().expect("a temporary file");
    stdin.write_all(input).and_then(|()| stdin.rewind()).expect("a temporary file takes the input");
    let name = format!("{command:?}");
    command.stdin(stdin).stdout(share(&stdout)).stderr(share(&stderr)).process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
    let Some(status) = wait_for(&mut child, limit) else {
        signal_group(child.id(), libc::SIGKILL);
        let _ = child.wait();
        panic!("not over after {limit:?}: {name}\n{}\n{}", text(&mut stdout), text(&mut stderr));
    };
    Finished { status, stdout: text(&mut stdout), stderr: text(&mut stderr), took: started.elapsed() }
}

fn share(file: &File) -> Stdio {
    file.try_clone().expect("a file handle can be doubled").into()
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes)).expect("a temporary file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until `child` ends, at most `limit`; `None` if it still runs.
pub fn wait_for(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        wait::pause(Duration::from_millis(2));
    }
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: libc::c_int) {
    kill(i32::try_from(pid).expect("a process id is positive"), signal);
}

fn signal_group(pid: u32, signal: libc::c_int) {
    kill(-i32::try_from(pid).expect("a process id is positive"), signal);
}

#[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
fn kill(pid: i32, signal: libc::c_int) {
    // SAFETY: kill takes two integers and touches no memory of ours.
    unsafe { libc::kill(pid, signal) };
}

/// Resident memory of a process in bytes, as the kernel counts it now.
pub fn resident_bytes(pid: u32) -> u64 {
    status_field(pid, "VmRSS:") * 1024
}

/// The most that was ever resident, in bytes.
pub fn peak_resident_bytes(pid: u32) -> u64 {
    status_field(pid, "VmHWM:") * 1024
}

fn status_field(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("/proc has the field");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("the field is a number")
}

/// Open file handles of a process.
pub fn open_handles(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives").count()
}

/// Raises this process's limit of open files to what the machine allows; children inherit it.
#[expect(unsafe_code, reason = "the standard library does not set limits")]
pub fn raise_open_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write exactly one `rlimit`, which lives through them.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    limit.rlim_cur
}

/// Whether a process that is not our child holds nothing any more, its locks among it: it is gone, or waits for its parent to
/// notice. One whose command line is gone may still hold them, and so may its last threads when the first has ended.
pub fn has_ended(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The name before it is in brackets and may hold anything.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    matches!(state, Some('Z' | 'X')) && threads <= 1
}
