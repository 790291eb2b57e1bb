//! Apache Kafka as a process, by the script in `integration/kafka`: default settings, heap 1 GiB.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{Broker, await_answer, free_ports};
use crate::workload::Durability;

pub(crate) struct Kafka {
    script: PathBuf,
    address: SocketAddr,
    pid: u32,
    start_time: Duration,
    folder: TempDir,
}

impl Kafka {
    pub(crate) fn start() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/kafka/kafka");
        let folder = tempfile::tempdir()?;
        let port = free_ports()?;
        // The first start formats the folder; the second is the one that is timed.
        launch(&script, folder.path(), port)?;
        stop(&script, folder.path())?;
        launch(&script, folder.path(), port)?;
        let pid = std::fs::read_to_string(folder.path().join("pid")).context("read Kafka's pid")?.trim().parse()?;
        let mut kafka = Self {
            script,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            pid,
            start_time: Duration::ZERO,
            folder,
        };
        kafka.start_time = kafka.age_at_first_answer()?;
        Ok(kafka)
    }

    /// The script returned when Kafka answered: the age of its process is then the start time.
    fn age_at_first_answer(&self) -> Result<Duration> {
        await_answer(self.address, Instant::now(), Duration::from_secs(60))?;
        crate::process::age(self.pid)
    }
}

fn launch(script: &Path, folder: &Path, port: u16) -> Result<()> {
    let status = Command::new(script)
        .arg("start")
        .arg("--dir")
        .arg(folder)
        .args(["--port", &port.to_string(), "--heap", "1g"])
        .arg("log.segment.delete.delay.ms=1000")
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("run {}", script.display()))?;
    ensure!(status.success(), "Apache Kafka did not start");
    Ok(())
}

fn stop(script: &Path, folder: &Path) -> Result<()> {
    let status = Command::new(script).arg("stop").arg("--dir").arg(folder).status()?;
    ensure!(status.success(), "Apache Kafka did not stop");
    Ok(())
}

impl Broker for Kafka {
    fn name(&self) -> &'static str {
        "Apache Kafka"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.pid
    }

    fn start_time(&self) -> Duration {
        self.start_time
    }

    fn topic_configs(&self, durability: Durability) -> Vec<(String, String)> {
        match durability {
            Durability::Replicated => Vec::new(),
            Durability::Durable => vec![("flush.messages".to_owned(), "1".to_owned())],
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        let _ = stop(&self.script, self.folder.path());
    }
}
