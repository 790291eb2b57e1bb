//! `ottla install-links`: the names of Kafka's scripts as links to this program.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::kafka_names::NAMES;
use crate::output::Output;

/// Makes links with the names of Kafka's scripts (kafka-topics.sh, kafka-server-start.sh, …) to this program.
///
/// Called by one of these names it takes that script's arguments and prints that script's output. Each name comes with and without .sh.
///
/// Examples:
///   ottla install-links /usr/local/bin
///   ottla install-links /opt/kafka/bin --force
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Where to; created when absent.
    directory: PathBuf,
    /// Replaces files of these names that are no links to this program.
    #[arg(long)]
    force: bool,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let directory = &self.directory;
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let mut output = Output::new();
        for name in NAMES {
            for link in [directory.join(format!("{name}.sh")), directory.join(name)] {
                let is_ours = fs::read_link(&link).is_ok_and(|target| target == program);
                if is_ours {
                    continue;
                }
                if self.force && fs::symlink_metadata(&link).is_ok() {
                    fs::remove_file(&link).with_context(|| format!("cannot replace {}", link.display()))?;
                }
                match symlink(&program, &link) {
                    Ok(()) => output.line(link.display())?,
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        bail!("{} exists; --force replaces it", link.display());
                    }
                    Err(error) => return Err(error).with_context(|| format!("cannot create {}", link.display())),
                }
            }
        }
        Ok(output.flush()?)
    }
}
