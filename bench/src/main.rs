//! `bench`: how much a broker costs, measured from outside.
//!
//! `bench compare` runs Ottla and Apache Kafka in turn, A B A B, with the same client on the same
//! machine, and prints broker CPU, latency and memory with ratios. `bench groups` does that for groups of consumers, `bench tier` measures the cold tier. `bench load` drives one broker that
//! is already running. Trust the CPU columns: wall times depend on whatever else the machine does.
#![allow(clippy::print_stdout, reason = "the tables on standard output are what this program is for")]

mod broker;
mod client;
mod compare;
mod generator;
mod groups;
mod process;
mod report;
mod request;
mod tier;
mod workload;

use std::net::SocketAddr;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Kafka brokers over the wire.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs Ottla and Apache Kafka in turn with the same load and prints a table with ratios.
    Compare(compare::Options),
    /// Measures rebalances and heartbeats of 1,000 groups of 10 and of one group of 1,000, by each protocol, with both brokers in turn.
    Groups(groups::Options),
    /// Measures how fast consumers drain the cold tier, and what producers feel of it. Ottla only.
    Tier(tier::Options),
    /// Runs one case against a broker that is already running.
    Load(LoadOptions),
    /// Lists the cases by name.
    Cases,
}

#[derive(clap::Args)]
struct LoadOptions {
    /// Address of the broker.
    #[arg(long, default_value = "127.0.0.1:9092")]
    bootstrap: SocketAddr,
    /// Process id of the broker, for its CPU time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Name of a case, as `bench cases` lists them.
    case: String,
    /// Length of the run in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Requests a second over all connections; without it the next request follows the last answer.
    #[arg(long)]
    rate: Option<u64>,
    /// Topic configuration, KEY=VALUE; may be repeated.
    #[arg(long = "config", value_parser = workload::key_value)]
    configs: Vec<(String, String)>,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Compare(options) => compare::run(&options),
        Command::Groups(options) => groups::run(&options),
        Command::Tier(options) => tier::run(&options),
        Command::Load(options) => load(&options),
        Command::Cases => {
            for case in workload::CASES {
                println!("{:<22} {}", case.name, case.text);
            }
            Ok(())
        }
    }
}

fn load(options: &LoadOptions) -> Result<()> {
    let case = workload::find(&options.case)?;
    let mut case = case.clone();
    if let Some(rate) = options.rate {
        case.rate = Some(rate);
    }
    let run = workload::run(
        options.bootstrap,
        options.pid,
        &case,
        &options.configs,
        std::time::Duration::from_secs(options.seconds),
    )?;
    println!("{}", report::run_line(&case, &run));
    Ok(())
}
