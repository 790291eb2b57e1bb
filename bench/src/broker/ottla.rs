//! Ottla as a process: the release binary, built first if it must be.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::{Broker, await_answer, free_ports};
use crate::workload::Durability;

pub(crate) struct Ottla {
    command: Command,
    child: Child,
    address: SocketAddr,
    start_time: Duration,
    _folder: TempDir,
}

impl Ottla {
    /// Builds the release binary of this checkout and returns its path.
    pub(crate) fn build() -> Result<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the checkout")?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--package", "ottla"]).current_dir(root);
        // What `cargo run` tells of this crate: ring, and so everything above it, would be built anew each time.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|it| it.starts_with("CARGO_PKG_") || it.starts_with("CARGO_MANIFEST_")) {
                cargo.env_remove(name);
            }
        }
        let status = cargo.status()?;
        ensure!(status.success(), "cargo build failed");
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => PathBuf::from(target),
            None => root.join("target"),
        };
        Ok(target.join("release/ottla"))
    }

    pub(crate) fn start(binary: &Path) -> Result<Self> {
        Self::start_with(binary, "", &[])
    }

    /// Starts it with lines of properties besides those that it needs, and with those variables.
    pub(crate) fn start_with(binary: &Path, more: &str, environment: &[(&str, String)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_ports()?;
        let (address, controller) = (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), port + 1);
        let properties = folder.path().join("server.properties");
        std::fs::write(
            &properties,
            format!(
                "process.roles=broker,controller\nnode.id=1\n\
                 listeners=PLAINTEXT://{address},CONTROLLER://127.0.0.1:{controller}\n\
                 controller.listener.names=CONTROLLER\n\
                 log.dirs={}\nlog.segment.delete.delay.ms=1000\n{more}",
                folder.path().join("data").display()
            ),
        )?;
        let mut command = Command::new(binary);
        command.arg("server").arg(&properties).envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::null()).stderr(std::fs::File::create(folder.path().join("log"))?);
        let (child, start_time) = launch(&mut command, address)?;
        Ok(Self { command, child, address, start_time, _folder: folder })
    }

    /// Kills it and starts it again on the same folder.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        (self.child, self.start_time) = launch(&mut self.command, self.address)?;
        Ok(())
    }
}

/// Returns how long it took to the first answer, too.
fn launch(command: &mut Command, address: SocketAddr) -> Result<(Child, Duration)> {
    let started = Instant::now();
    let child = command.spawn().with_context(|| format!("start {command:?}"))?;
    Ok((child, await_answer(address, started, Duration::from_secs(10))?))
}

impl Broker for Ottla {
    fn name(&self) -> &'static str {
        "Ottla"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn start_time(&self) -> Duration {
        self.start_time
    }

    fn topic_configs(&self, durability: Durability) -> Vec<(String, String)> {
        let class = match durability {
            Durability::Replicated => "replicated",
            Durability::Durable => "durable",
        };
        vec![("ottla.durability".to_owned(), class.to_owned())]
    }
}

impl Drop for Ottla {
    fn drop(&mut self) {
        // Nothing of the data is kept, so there is nothing to stop cleanly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
