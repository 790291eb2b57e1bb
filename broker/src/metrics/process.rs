//! The process, as the kernel sees it: `/proc/self`. Names as Prometheus' own clients have them.

use std::fs;

use super::exposition::{Exposition, Kind};

/// Clock ticks a second in `/proc`: fixed on Linux, whatever the kernel's own clock does.
const TICKS: f64 = 100.0;

pub(super) fn put(out: &mut Exposition) {
    if let Some(seconds) = cpu_seconds() {
        out.single("process_cpu_seconds_total", Kind::Counter, "CPU time used, in seconds.", seconds);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        out.single("process_open_fds", Kind::Gauge, "Open file descriptors.", descriptors.count());
    }
    if let Some(limit) = field("/proc/self/limits", "Max open files") {
        out.single("process_max_fds", Kind::Gauge, "File descriptors that may be open.", limit);
    }
    if let Some(kilobytes) = field("/proc/self/status", "VmRSS:") {
        let name = "process_resident_memory_bytes";
        out.single(name, Kind::Gauge, "Resident memory in bytes.", kilobytes.saturating_mul(1024));
    }
    if let Some(kilobytes) = field("/proc/self/status", "VmSize:") {
        let name = "process_virtual_memory_bytes";
        out.single(name, Kind::Gauge, "Address space in bytes.", kilobytes.saturating_mul(1024));
    }
    for (name, line) in [("read", "read_bytes:"), ("write", "write_bytes:")] {
        if let Some(bytes) = field("/proc/self/io", line) {
            let family = format!("kafka_server_kafkaserver_linux_disk_{name}_bytes");
            out.single(&family, Kind::Counter, "Bytes that went to or came from storage devices.", bytes);
        }
    }
}

/// The first number behind `key` at the beginning of a line.
fn field(path: &str, key: &str) -> Option<u64> {
    number_behind(&fs::read_to_string(path).ok()?, key)
}

fn number_behind(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    ticks(&fs::read_to_string("/proc/self/stat").ok()?).map(|ticks| ticks as f64 / TICKS)
}

/// User and system time: the 14th and 15th field, counted behind the name, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_understood() {
        assert_eq!(ticks("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 23 0 0"), Some(123));
        assert_eq!(number_behind("Name:\tx\nVmRSS:\t  123 kB\n", "VmRSS:"), Some(123));
        assert_eq!(number_behind("VmRSS:\n", "VmRSS:"), None);
        assert!(cpu_seconds().is_some());
        assert!(field("/proc/self/limits", "Max open files").is_some());
    }
}
