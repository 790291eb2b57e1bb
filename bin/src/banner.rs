//! What a person at a terminal is told: the broker is ready, or why it is not.

use std::io::{IsTerminal, Write, stderr};
use std::path::PathBuf;

use broker::Broker;

use crate::output::with_causes;

/// Says who the broker is, where its data lies, and how to try it. Silent where nobody looks.
pub(crate) fn ready(broker: &Broker, log_dirs: &[PathBuf]) {
    if !stderr().is_terminal() {
        return;
    }
    let addresses: Vec<_> =
        broker.endpoints().iter().map(|endpoint| format!("{}:{}", endpoint.host, endpoint.port)).collect();
    let directories: Vec<_> = log_dirs.iter().map(|path| path.display().to_string()).collect();
    let address = addresses.first().map_or("127.0.0.1:9092", String::as_str);
    let text = format!(
        "\n  Ottla {} is ready.\n  cluster    {}\n  listening  {}\n  data       {}\n  try        kcat -b {address} -t hello -P <<< \
         'hello, world'\n  stop       Ctrl-C\n\n",
        env!("CARGO_PKG_VERSION"),
        broker.cluster_id(),
        addresses.join(", "),
        directories.join(", "),
    );
    // Nobody to tell is no reason to stop.
    let _ = stderr().write_all(text.as_bytes());
}

/// Says in one line why the program ends.
pub(crate) fn failure(error: &anyhow::Error) {
    let _ = writeln!(stderr(), "ottla: {}", with_causes(error));
}
