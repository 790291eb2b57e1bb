//! What a supervisor like systemd sees of a broker: `READY=1` when clients are served, `STOPPING=1` when it was told to stop.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use integration::{process, workspace};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_supervisor_is_told_when_the_broker_serves_and_when_it_stops() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).expect("a socket can be made");
    supervisor.set_read_timeout(Some(LIMIT)).expect("a limit can be set");
    let mut command = Command::new(workspace::ottla());
    command.args(["server", "--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override"]);
    command.arg(format!("log.dirs={}", folder.path().join("data").display()));
    command.env("NOTIFY_SOCKET", &path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary starts");
    let next = || {
        let mut text = [0; 64];
        let size = supervisor.recv(&mut text).expect("the broker says something");
        String::from_utf8_lossy(&text[..size]).into_owned()
    };
    assert_eq!(next(), "READY=1");
    process::signal(child.id(), libc::SIGTERM);
    assert_eq!(next(), "STOPPING=1");
    let status = process::wait_for(&mut child, LIMIT).expect("it ends");
    assert!(status.success(), "{status}");
}
