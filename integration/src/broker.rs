//! A broker for a test: its own process on a free port, its data in a temporary folder, killed with the test.

use std::fs::{self, File};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use protocol::messages::ApiVersionsRequest;
use tempfile::TempDir;

use crate::wire::Connection;
use crate::{kafka, process, wait, workspace};

/// Longest wait for a start on an empty or cleanly closed folder, and for a clean stop. Generous: other tests run too.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const LOG_LINES_SHOWN: usize = 60;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Ottla,
    Kafka,
    /// Somebody else's, named by `OTTLA_TEST_BOOTSTRAP`.
    Given,
}

/// What to start, before it is started.
pub struct Setup {
    kind: Option<Kind>,
    standalone: bool,
    folder: Option<PathBuf>,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

impl Setup {
    pub fn new() -> Self {
        Self { kind: None, standalone: false, folder: None, settings: Vec::new(), environment: Vec::new() }
    }

    /// A variable in the environment of Ottla.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// One key of `server.properties`.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Starts Apache Kafka, whatever the environment says: for tests that compare.
    #[must_use]
    pub fn apache_kafka(self) -> Self {
        Self { kind: Some(Kind::Kafka), ..self }
    }

    /// Starts Ottla, whatever the environment says: for tests in which both take part.
    #[must_use]
    pub fn ottla(self) -> Self {
        Self { kind: Some(Kind::Ottla), ..self }
    }

    /// Kafka keeps its voter in the metadata log (KIP-853), not in its configuration.
    #[must_use]
    pub fn standalone(self) -> Self {
        Self { standalone: true, ..self }
    }

    /// Keeps the data here instead of in a folder that goes away with the broker.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// It does not serve.
    #[track_caller]
    pub fn start(self) -> Broker {
        let kind = self.kind.unwrap_or_else(Kind::from_environment);
        let temporary = tempfile::Builder::new().prefix("ottla-test.").tempdir().expect("a temporary folder");
        let folder = self.folder.unwrap_or_else(|| temporary.path().to_owned());
        fs::create_dir_all(&folder).expect("the folder can be made");
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let (standalone, settings, environment) = (self.standalone, self.settings, self.environment);
        let mut broker = Broker {
            kind,
            standalone,
            address,
            folder,
            settings,
            environment,
            child: None,
            pid: 0,
            starts: 0,
            temporary,
        };
        broker.launch();
        broker
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Kind {
    fn from_environment() -> Self {
        match std::env::var("OTTLA_TEST_BROKER").as_deref() {
            _ if std::env::var_os("OTTLA_TEST_BOOTSTRAP").is_some() => Self::Given,
            Ok("kafka") => Self::Kafka,
            Ok("ottla") | Err(_) => Self::Ottla,
            Ok(other) => panic!("OTTLA_TEST_BROKER is kafka or ottla, not {other}"),
        }
    }
}

/// A running (or killed) broker. Dropping it kills the process; a panicking test also shows the end of its log.
pub struct Broker {
    kind: Kind,
    standalone: bool,
    address: SocketAddr,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    pid: u32,
    starts: u32,
    /// Logs, and the data unless the test keeps it elsewhere.
    temporary: TempDir,
}

impl Broker {
    /// A broker with nothing but its defaults.
    #[track_caller]
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as clients' settings want it.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// A new connection of the raw client.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// True where the test runs against Apache Kafka, for the few places in which we promise more than it does.
    pub fn is_apache_kafka(&self) -> bool {
        self.kind != Kind::Ottla
    }

    /// The folder with the partitions, `log.dirs`.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Process id.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        assert!(self.kind != Kind::Given, "this test needs a broker of its own: unset OTTLA_TEST_BOOTSTRAP");
        self.pid
    }

    /// Resident memory in bytes.
    #[track_caller]
    pub fn resident_bytes(&self) -> u64 {
        process::resident_bytes(self.pid())
    }

    /// True while the process runs, even if it serves nobody.
    pub fn is_alive(&mut self) -> bool {
        match (&mut self.child, self.kind) {
            (Some(child), _) => child.try_wait().expect("a child can be waited for").is_none(),
            (None, Kind::Kafka) => is_java(self.pid),
            (None, _) => false,
        }
    }

    /// Kills the process at once, as a crash does: nothing is flushed, nothing is closed.
    #[track_caller]
    pub fn kill9(&mut self) {
        process::signal(self.pid(), libc::SIGKILL);
        self.reap();
    }

    fn reap(&mut self) -> Option<ExitStatus> {
        match (self.child.as_mut(), self.kind) {
            (Some(child), _) => {
                let status = process::wait_for(child, STOP_LIMIT);
                assert!(status.is_some(), "still running after {STOP_LIMIT:?}\n{}", self.log_tail());
                self.child = None;
                status
            }
            (None, Kind::Kafka) => {
                wait::until_true("the end of Kafka", STOP_LIMIT, || process::has_ended(self.pid));
                None
            }
            (None, _) => None,
        }
    }

    /// Asks the process to stop with SIGTERM and waits until it is gone.
    ///
    /// # Panics
    /// It does not stop, or Ottla's exit status is not 0.
    #[track_caller]
    pub fn stop(&mut self) {
        if self.kind == Kind::Kafka {
            assert!(kafka::stop(&self.folder), "Kafka does not stop");
            return;
        }
        process::signal(self.pid(), libc::SIGTERM);
        let status = self.reap().expect("the process was running");
        assert!(status.success(), "stopped with {status}, signal {:?}\n{}", status.signal(), self.log_tail());
    }

    /// Starts it again on the same folder and port, after [`Self::stop`] or [`Self::kill9`]; returns how long it took
    /// until the first answer.
    #[track_caller]
    pub fn restart(&mut self) -> Duration {
        self.launch()
    }

    /// As [`Self::restart`], with one more setting, which wins over an earlier one.
    #[track_caller]
    pub fn restart_with(&mut self, key: &str, value: impl ToString) -> Duration {
        self.settings.retain(|(other, _)| other != key);
        self.settings.push((key.to_owned(), value.to_string()));
        self.launch()
    }

    /// Starts Ottla on the files that Kafka has left, with the same `server.properties`.
    ///
    /// # Panics
    /// It does not serve.
    #[track_caller]
    pub fn become_ottla(&mut self) {
        self.kind = Kind::Ottla;
        self.launch();
    }

    /// Starts Apache Kafka on the files that Ottla has left.
    ///
    /// # Panics
    /// It does not serve.
    #[track_caller]
    pub fn become_apache_kafka(&mut self) {
        self.kind = Kind::Kafka;
        if !self.kafkas_file().exists() {
            // Kafka's controller wants the next port too, which nobody has kept free.
            self.address.set_port(0);
        }
        self.launch();
    }

    /// `server.properties` of an Apache Kafka that has run here.
    fn kafkas_file(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn launch(&mut self) -> Duration {
        let started = Instant::now();
        self.starts += 1;
        match self.kind {
            Kind::Ottla => self.launch_ottla(),
            Kind::Kafka => self.launch_kafka(),
            Kind::Given => self.use_given(),
        }
        self.await_answer();
        started.elapsed()
    }

    fn launch_ottla(&mut self) {
        let log = File::create(self.log_path()).expect("the log file can be made");
        let mut command = Command::new(workspace::ottla());
        command.arg("server");
        if self.kafkas_file().exists() {
            command.arg(self.kafkas_file());
        } else {
            command.args(["--override", &format!("listeners=PLAINTEXT://{}", self.address)]);
            command.args(["--override", &format!("log.dirs={}", self.data().display())]);
            for (key, value) in &self.settings {
                command.args(["--override", &format!("{key}={value}")]);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file handle can be doubled")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        self.pid = child.id();
        self.child = Some(child);
        self.address = wait::until("the line that names the port", START_LIMIT, || {
            let found = listening_address(&self.log());
            assert!(found.is_some() || self.is_alive(), "the broker ended instead of serving\n{}", self.log_tail());
            found
        });
    }

    fn launch_kafka(&mut self) {
        if !self.kafkas_file().exists() {
            // A broker that is killed holds its place until its session ends: do not wait the default 9 s for that.
            self.settings.insert(0, ("broker.session.timeout.ms".to_owned(), "2000".to_owned()));
            self.settings.insert(0, ("broker.heartbeat.interval.ms".to_owned(), "500".to_owned()));
            // Retention begins to run 30 s after the start.
            self.settings.insert(0, ("log.initial.task.delay.ms".to_owned(), "200".to_owned()));
        }
        let settings: Vec<_> = self.settings.iter().filter(|(key, _)| !key.starts_with("ottla.")).cloned().collect();
        let address = kafka::start(&self.folder, self.address.port(), self.standalone, &settings);
        self.address = address.parse().expect("the script prints HOST:PORT");
        let pid = fs::read_to_string(self.folder.join("pid")).expect("the script leaves the process id");
        self.pid = pid.trim().parse().expect("a process id is a number");
    }

    fn use_given(&mut self) {
        let given = std::env::var("OTTLA_TEST_BOOTSTRAP").expect("this kind comes from the variable");
        let mut found = given.to_socket_addrs().expect("OTTLA_TEST_BOOTSTRAP is HOST:PORT");
        self.address = found.next().expect("the host has an address");
    }

    /// Accepting a connection proves nothing; an answer does.
    fn await_answer(&mut self) {
        wait::until("the first answer", START_LIMIT, || {
            let answer =
                Connection::try_open(self.address).and_then(|mut c| c.try_send(&ApiVersionsRequest::default(), 0));
            let alive = self.kind == Kind::Given || self.is_alive();
            assert!(answer.is_ok() || alive, "the broker ended instead of serving\n{}", self.log_tail());
            answer.ok()
        });
    }

    fn log_path(&self) -> PathBuf {
        match self.kind {
            Kind::Ottla => self.temporary.path().join(format!("log.{}", self.starts)),
            _ => self.folder.join("log"),
        }
    }

    /// What the process printed since it was last started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        format!("--- the broker's log, last lines\n{}", lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n"))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), self.log_tail().as_bytes());
        }
        if self.kind == Kind::Given {
            return;
        }
        match &mut self.child {
            Some(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            None if self.kind == Kind::Kafka && is_java(self.pid) => process::signal(self.pid, libc::SIGKILL),
            None => {}
        }
    }
}

/// Kafka is not our child, so its process id might be someone else's by now.
fn is_java(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(11).any(|part| part == b"kafka.Kafka"))
}

/// `127.0.0.1:4711` of Kafka's own line `Awaiting socket connections on 127.0.0.1:4711.`; the controller's does not count.
fn listening_address(log: &str) -> Option<SocketAddr> {
    let mut lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n') && !line.contains("CONTROLLER"));
    let rest = lines.find_map(|line| line.split_once("Awaiting socket connections on "))?.1;
    rest.split(|c: char| c.is_whitespace() || c == '"' || c == '\u{1b}').next()?.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_client_listener() {
        let log = "INFO [SocketServer listenerType=CONTROLLER] Awaiting socket connections on 127.0.0.1:1.\n\
                   INFO [SocketServer listenerType=BROKER] Awaiting socket connections on 127.0.0.1:4711. (x)\n";
        assert_eq!(listening_address(log), Some(SocketAddr::from(([127, 0, 0, 1], 4711))));
        let json = "{\"level\":\"INFO\",\"message\":\"Awaiting socket connections on 127.0.0.1:4711.\"}\n";
        assert_eq!(listening_address(json), Some(SocketAddr::from(([127, 0, 0, 1], 4711))));
        assert_eq!(listening_address("Awaiting socket connections on 127.0.0.1:47"), None, "the line is not whole yet");
    }
}
