//! A worker of Kafka Connect: its own process, and its REST interface.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::monitoring::{HttpResponse, exchange};
use crate::{kafka, process, wait};

/// Connect looks through its whole class path before it serves.
const START_LIMIT: Duration = Duration::from_secs(240);
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// A running worker; dropping it kills it.
pub struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts one under `folder`, in `mode`: `standalone` or `distributed`, with the settings of the worker and, standalone, those
    /// of its connectors.
    ///
    /// # Panics
    /// It cannot be started.
    #[track_caller]
    pub fn start(folder: &Path, mode: &str, settings: &[(&str, &str)], connectors: &[&[(&str, &str)]]) -> Self {
        fs::create_dir_all(folder).expect("the folder can be made");
        let common = [
            ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
            ("offset.flush.interval.ms", "500"),
            // A stop takes the time it needs, however slow the machine.
            ("offset.flush.timeout.ms", "120000"),
            ("task.shutdown.graceful.timeout.ms", "120000"),
            ("plugin.discovery", "service_load"),
            ("listeners", "http://127.0.0.1:0"),
        ];
        let mut command = kafka::tool_command(&format!("connect-{mode}"), "INFO");
        let mut add = |name: String, settings: Vec<(&str, &str)>| {
            let path = folder.join(name);
            let text: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
            fs::write(&path, text).expect("the settings can be written");
            command.arg(path);
        };
        add("worker.properties".to_owned(), [&common, settings].concat());
        for (number, connector) in connectors.iter().enumerate() {
            add(format!("connector-{number}.properties"), connector.to_vec());
        }
        let log = folder.join("log");
        let output = File::options().create(true).append(true).open(&log).expect("the log can be made");
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a file handle can be doubled")).stderr(output);
        Self { child: command.spawn().expect("the script starts"), log }
    }

    /// Where its REST interface is, as soon as it serves.
    ///
    /// # Panics
    /// It ends or does not serve.
    #[track_caller]
    pub fn rest(&mut self) -> SocketAddr {
        wait::until("the worker's address", START_LIMIT, || {
            self.assert_alive();
            let log = self.log();
            let address = log.rsplit_once("Advertised URI: http://")?.1.split(['/', ' ', '\n']).next()?.parse().ok();
            address.filter(|_| log.contains("Kafka Connect started") || log.contains("REST resources initialized"))
        })
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// # Panics
    /// It has ended; its log is shown.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("a child can be waited for");
        assert!(ended.is_none(), "the worker ended, {ended:?}\n{}", self.log());
    }

    /// Kills it as a crash does.
    pub fn kill9(mut self) {
        process::signal(self.child.id(), libc::SIGKILL);
        let _ = self.child.wait();
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Panics
    /// It does not.
    #[track_caller]
    pub fn stop(mut self) {
        process::signal(self.child.id(), libc::SIGTERM);
        assert!(process::wait_for(&mut self.child, STOP_LIMIT).is_some(), "still running\n{}", self.log());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- the worker's log\n{}\n", lines[lines.len().saturating_sub(60)..].join("\n")).as_bytes(),
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends `body` as JSON to a path of the REST interface, or asks for the path where there is none.
///
/// # Panics
/// There is no answer.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> HttpResponse {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    exchange(address, request.as_bytes()).expect("an answer")
}
