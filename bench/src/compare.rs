//! `bench compare`: two brokers, the same client, in turn.
//!
//! Both run all the time; only one is under load. Each case runs A B A B …, so that a change in what else
//! the machine does meets both. Kafka's JVM is warmed first, or its compiler would be measured.

use std::time::Duration;

use anyhow::Result;

use crate::broker::{Broker, Kafka, Ottla, pause};
use crate::process;
use crate::report::{self, Figures};
use crate::workload::{self, CASES, Case};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Pairs of runs of each case.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Length of one run in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How long both brokers are warmed with mixed load, in seconds.
    #[arg(long, default_value_t = 30)]
    warm: u64,
    /// Only these cases; `bench cases` lists them.
    #[arg(long = "case")]
    cases: Vec<String>,
}

/// Starts both brokers, runs every case and prints the tables.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cases: Vec<&Case> = if options.cases.is_empty() {
        CASES.iter().collect()
    } else {
        options.cases.iter().map(|name| workload::find(name)).collect::<Result<_>>()?
    };
    let binary = Ottla::build()?;
    let ottla = Ottla::start(&binary)?;
    let kafka = Kafka::start()?;
    print_start(&[&ottla, &kafka])?;
    for broker in [&ottla as &dyn Broker, &kafka] {
        warm(broker, Duration::from_secs(options.warm))?;
    }
    println!("{}", report::HEAD);
    for case in cases {
        compare(case, &ottla, &kafka, options)?;
    }
    Ok(())
}

fn print_start(brokers: &[&dyn Broker]) -> Result<()> {
    pause(Duration::from_secs(2));
    println!("| broker | ready after ms | idle RSS MiB |\n| --- | --- | --- |");
    for broker in brokers {
        let idle = process::resident_bytes(broker.pid())? as f64 / 1_048_576.0;
        println!("{}", report::start_row(broker.name(), broker.start_time(), idle));
    }
    println!();
    Ok(())
}

/// A third of the time each for small, middle and large batches.
fn warm(broker: &dyn Broker, time: Duration) -> Result<()> {
    for name in ["produce-1", "produce-11k", "fetch-1m"] {
        let case = workload::find(name)?;
        let configs = broker.topic_configs(case.durability);
        let pid = Some(broker.pid());
        workload::run(broker.address(), pid, case, &configs, time / 3)?;
    }
    Ok(())
}

fn compare(case: &Case, ottla: &Ottla, kafka: &Kafka, options: &Options) -> Result<()> {
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        for (broker, figures) in [ottla as &dyn Broker, kafka].into_iter().zip(&mut figures) {
            let configs = broker.topic_configs(case.durability);
            let run = workload::run(
                broker.address(),
                Some(broker.pid()),
                case,
                &configs,
                Duration::from_secs(options.seconds),
            )?;
            figures.push(Figures::of(&run));
        }
    }
    let [ours, theirs] = figures;
    println!("{}", report::row(case, ottla.name(), &Figures::median(&ours)));
    println!("{}", report::row(case, kafka.name(), &Figures::median(&theirs)));
    println!("{}", report::ratio_row(case, &ours, &theirs));
    Ok(())
}
