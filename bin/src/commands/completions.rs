//! `ottla completions`: what a shell needs to complete this program's command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::output::Output;

/// Prints a completion script for a shell.
///
/// Examples:
///   ottla completions bash > /etc/bash_completion.d/ottla
///   ottla completions fish > ~/.config/fish/completions/ottla.fish
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Which shell it is for.
    shell: Shell,
}

impl Arguments {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::CommandLine::command(), "ottla", &mut script);
        let mut output = Output::new();
        output.bytes(&script)?;
        Ok(output.flush()?)
    }
}
