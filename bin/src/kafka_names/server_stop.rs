//! `kafka-server-stop`: SIGTERM to the brokers that run from this very program. Source: `kafka-server-stop.sh`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::Failure;

/// What the kernel puts behind the path of a program that was replaced while it runs.
const REPLACED: &str = " (deleted)";

pub(super) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(argument) = arguments.first() {
        return Err(Failure::error(format!(
            "{argument} is not supported: without it every broker of this program is stopped; to stop one, send SIGTERM to it"
        )));
    }
    let brokers = find_brokers()?;
    if brokers.is_empty() {
        return Err(Failure { said: Some("No kafka server to stop".to_owned()), error: None, is_success: false });
    }
    for pid in brokers {
        // One that ended meanwhile is stopped too.
        if let Err(error) = kill_process(pid, Signal::TERM)
            && error != rustix::io::Errno::SRCH
        {
            return Err(Failure::error(format!("cannot stop process {}: {error}", pid.as_raw_nonzero())));
        }
    }
    Ok(())
}

fn find_brokers() -> Result<Vec<Pid>, Failure> {
    let own = std::env::current_exe()?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let folder = entry?.path();
        let number = folder.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else { continue };
        let is_self = u32::try_from(pid.as_raw_nonzero().get()) == Ok(std::process::id());
        // Processes that end meanwhile, and those of other users, cannot be looked at.
        if !is_self && program(&folder).is_some_and(|program| program == own) && serves(&folder) {
            found.push(pid);
        }
    }
    Ok(found)
}

fn program(folder: &Path) -> Option<PathBuf> {
    let program = fs::read_link(folder.join("exe")).ok()?;
    let path = program.as_os_str().as_bytes();
    let path = path.strip_suffix(REPLACED.as_bytes()).unwrap_or(path);
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

fn serves(folder: &Path) -> bool {
    fs::read(folder.join("cmdline")).is_ok_and(|line| is_server(&line))
}

/// True for `ottla`, `ottla server …`, `ottla --override …` and `kafka-server-start …`.
fn is_server(command_line: &[u8]) -> bool {
    let mut words = command_line.split(|byte| *byte == 0);
    let program = words.next().unwrap_or_default();
    if super::called_as(OsStr::from_bytes(program)) == Some("kafka-server-start") {
        return true;
    }
    match words.next() {
        None | Some(b"" | b"server") => true,
        Some(first) => first.starts_with(b"--override"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_from_commands() {
        for line in [&b"ottla\0"[..], b"/usr/bin/ottla\0server\0a.properties\0", b"ottla\0--override\0a=b\0"] {
            assert!(is_server(line), "{}", line.escape_ascii());
        }
        assert!(is_server(b"/opt/kafka/bin/kafka-server-start.sh\0a.properties\0"));
        for line in [&b"ottla\0consume\0t\0"[..], b"kafka-topics.sh\0--list\0", b"ottla\0log\0verify\0"] {
            assert!(!is_server(line), "{}", line.escape_ascii());
        }
    }
}
