//! Where the cold tier of the bench is: a directory, or a bucket of MinIO, which is built with Go and started for it.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use rustix::process::Pid;
use tempfile::TempDir;

use crate::broker::{free_ports, pause};

const BUCKET: &str = "cold";
const REGION: &str = "us-east-1";
const KEY: &str = "ottla-bench";
const SECRET: &str = "ottla-secret";
const START_LIMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    Directory,
    Minio,
}

/// A store with nothing in it.
pub(super) struct Store {
    folder: TempDir,
    minio: Option<Minio>,
}

struct Minio {
    child: Child,
    endpoint: String,
}

impl Store {
    pub(super) fn start(kind: Kind) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let minio = match kind {
            Kind::Directory => None,
            Kind::Minio => Some(Minio::start(folder.path())?),
        };
        Ok(Self { folder, minio })
    }

    /// What `ottla.remote.storage.url` is.
    pub(super) fn url(&self) -> String {
        match self.minio {
            None => format!("file://{}", self.folder.path().display()),
            Some(_) => format!("s3://{BUCKET}"),
        }
    }

    /// How a broker gets there.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let Some(minio) = &self.minio else { return Vec::new() };
        vec![
            ("AWS_ENDPOINT_URL", minio.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
        ]
    }

    /// Lets the store have only what processor time nobody else wants, as if it were on a machine of its own, if it is a process.
    /// Returns whether it is.
    pub(super) fn give_way(&self) -> Result<bool> {
        self.minio.as_ref().map(Minio::give_way).transpose().map(|is_process| is_process.is_some())
    }

    /// The client that a program has which wants no more than the objects.
    pub(super) fn client(&self) -> Result<Arc<dyn ObjectStore>> {
        let Some(minio) = &self.minio else {
            return Ok(Arc::new(LocalFileSystem::new_with_prefix(self.folder.path())?));
        };
        // It fails if there is one already, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = AmazonS3Builder::new().with_endpoint(&minio.endpoint).with_allow_http(true);
        let builder = builder.with_bucket_name(BUCKET).with_region(REGION);
        Ok(Arc::new(builder.with_access_key_id(KEY).with_secret_access_key(SECRET).build()?))
    }
}

/// Of a thread that gives way to everybody.
pub(super) const LOWEST: i32 = 19;

impl Minio {
    /// Each of its threads from now on, and those that they begin.
    fn give_way(&self) -> Result<()> {
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let id = task?.file_name().to_string_lossy().parse()?;
            let thread = Pid::from_raw(id).context("a thread has a number above 0")?;
            // It fails for one that has ended meanwhile, which is as well.
            let _ = rustix::process::setpriority_process(Some(thread), LOWEST);
        }
        Ok(())
    }

    fn start(folder: &Path) -> Result<Self> {
        // To MinIO a folder is a bucket.
        std::fs::create_dir(folder.join(BUCKET))?;
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/clients/install");
        let installed = Command::new(&install).arg("minio").output().context("run integration/clients/install")?;
        ensure!(installed.status.success(), "MinIO is not built: {}", String::from_utf8_lossy(&installed.stderr));
        let address = format!("127.0.0.1:{}", free_ports()?);
        let child = Command::new(Path::new(String::from_utf8(installed.stdout)?.trim()).join("minio"))
            .args(["server", &folder.display().to_string(), "--address", &address])
            .envs([("MINIO_ROOT_USER", KEY), ("MINIO_ROOT_PASSWORD", SECRET)])
            .envs([("MINIO_UPDATE", "off"), ("MINIO_BROWSER", "off")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start MinIO")?;
        let minio = Self { child, endpoint: format!("http://{address}") };
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            ensure!(started.elapsed() < START_LIMIT, "MinIO does not listen after {START_LIMIT:?}");
            pause(Duration::from_millis(10));
        }
        Ok(minio)
    }
}

impl Drop for Minio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
