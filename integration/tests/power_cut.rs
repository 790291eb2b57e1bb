//! The power goes out under a broker whose data lies on a file system of its own: what is not fsynced is gone, and nothing
//! that was acknowledged may be among it.
//!
//! Needs root, loop devices and `mkfs.ext4`: without them the test fails, it does not skip itself.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use integration::broker::Setup;
use integration::load::Load;
use integration::{process, wait};
use tempfile::TempDir;

const IMAGE_BYTES: u64 = 512 << 20;
const LIMIT: Duration = Duration::from_secs(60);
const CUTS: usize = 4;
const RECORDS_A_ROUND: usize = 500;
const PARTITIONS: i32 = 4;

/// `FS_IOC_SHUTDOWN` with "go down without flushing the log".
const SHUTDOWN: libc::c_ulong = 0x8004_587d;
static WITHOUT_FLUSH: u32 = 2;

/// An ext4 file system in a file.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        let disk = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let image = File::create(disk.image()).expect("the image can be made");
        image.set_len(IMAGE_BYTES).expect("the image can be sized");
        run("mkfs.ext4", &["-q", "-F", text(&disk.image())]);
        std::fs::create_dir(disk.mount_point()).expect("the mount point can be made");
        disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.folder.path().join("mount")
    }

    fn mount(&self) {
        run("mount", &["-o", "loop", text(&self.image()), text(&self.mount_point())]);
    }

    /// From here on every call fails, and nothing more reaches the image.
    #[expect(unsafe_code, reason = "no crate has this ioctl")]
    fn cut_power(&self) {
        let folder = File::open(self.mount_point()).expect("the mount point can be opened");
        // SAFETY: the ioctl reads one u32, which lives through the call; the descriptor is open.
        let result = unsafe { libc::ioctl(folder.as_raw_fd(), SHUTDOWN, &raw const WITHOUT_FLUSH) };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }

    /// The machine is on again: the file system replays its journal.
    fn mount_again(&self) {
        let mount_point = self.mount_point();
        wait::until_true("the end of the mount", LIMIT, || {
            process::run(Command::new("umount").arg(&mount_point), b"", LIMIT).status.success()
        });
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.mount_point()).status();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

fn run(program: &str, arguments: &[&str]) {
    process::run(Command::new(program).args(arguments), b"", LIMIT).ok();
}

/// Stops every thread where it is: without power the processor does nothing either. ext4 calls a sync a success that was under way
/// while its journal was aborted, and nobody may acknowledge what such a sync was about.
fn freeze(pid: u32) {
    process::signal(pid, libc::SIGSTOP);
    wait::until_true("all threads stand still", LIMIT, || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the broker runs");
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // T stopped; D in the middle of a call, and stops before it sees the result.
            matches!(stat.rsplit(") ").next().and_then(|rest| rest.chars().next()), Some('T' | 'D'))
        })
    });
}

#[test]
fn what_is_acknowledged_survives_the_power_cut() {
    let disk = Disk::new();
    let mut broker = Setup::new().folder(&disk.mount_point()).start();
    // The default for a single replica; Apache Kafka has it only where it is told to flush after every message.
    let durable: &[_] = if broker.is_apache_kafka() { &[("flush.messages", "1")] } else { &[] };
    let configs = [durable, &[("segment.bytes", "1048576")]].concat();
    broker.connect().create_topic("durable", PARTITIONS, &configs);
    if broker.is_apache_kafka() {
        // It does not fsync what formatting writes, and would not start again after the first cut.
        run("sync", &["--file-system", text(&disk.mount_point())]);
    }
    let load = Load::start(broker.address(), "durable", PARTITIONS);
    for cut in 0..CUTS {
        load.await_more(RECORDS_A_ROUND);
        freeze(broker.pid());
        disk.cut_power();
        broker.kill9();
        disk.mount_again();
        let took = broker.restart();
        eprintln!("cut {cut}: {} records acknowledged, serving again after {took:?}", load.acknowledged());
    }
    load.await_more(RECORDS_A_ROUND);
    load.assert_kept(&mut broker.connect());
}
