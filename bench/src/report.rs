//! Tables: one row a case and broker, then the ratio between the two.

use std::time::Duration;

use crate::workload::{Case, Direction, Run};

/// The figures of one run.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) micros_per_request: f64,
    pub(crate) seconds_per_gb: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) megabytes_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) resident_mib: f64,
}

impl Figures {
    pub(crate) fn of(run: &Run) -> Self {
        let outcome = &run.outcome;
        let seconds = outcome.elapsed.as_secs_f64();
        let latency = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            micros_per_request: run.cpu.as_secs_f64() * 1e6 / outcome.requests.max(1) as f64,
            seconds_per_gb: run.cpu.as_secs_f64() * 1e9 / outcome.bytes.max(1) as f64,
            requests_per_second: outcome.requests as f64 / seconds,
            megabytes_per_second: outcome.bytes as f64 / seconds / 1e6,
            p50_ms: latency(0.5),
            p99_ms: latency(0.99),
            p999_ms: latency(0.999),
            resident_mib: run.resident_bytes as f64 / 1_048_576.0,
        }
    }

    fn fields(&self) -> [f64; 8] {
        [
            self.micros_per_request,
            self.seconds_per_gb,
            self.requests_per_second,
            self.megabytes_per_second,
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.resident_mib,
        ]
    }

    /// Field by field, the median of `runs`.
    pub(crate) fn median(runs: &[Self]) -> Self {
        let middle = |field: usize| {
            let mut values: Vec<f64> = runs.iter().map(|run| run.fields()[field]).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            micros_per_request: middle(0),
            seconds_per_gb: middle(1),
            requests_per_second: middle(2),
            megabytes_per_second: middle(3),
            p50_ms: middle(4),
            p99_ms: middle(5),
            p999_ms: middle(6),
            resident_mib: middle(7),
        }
    }
}

/// The head of the table, in Markdown.
pub(crate) const HEAD: &str = "\
| case | broker | CPU µs/req | CPU s/GB | req/s | MB/s | p50 ms | p99 ms | p99.9 ms | RSS MiB |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

/// One row of medians.
pub(crate) fn row(case: &Case, broker: &str, figures: &Figures) -> String {
    format!(
        "| {} | {broker} | {:.1} | {:.2} | {:.0} | {:.1} | {:.2} | {:.2} | {:.2} | {:.0} |",
        case.name,
        figures.micros_per_request,
        figures.seconds_per_gb,
        figures.requests_per_second,
        figures.megabytes_per_second,
        figures.p50_ms,
        figures.p99_ms,
        figures.p999_ms,
        figures.resident_mib,
    )
}

/// Ottla against the other broker, below 1 is less: pair by pair, then the median of the pairs.
pub(crate) fn ratio_row(case: &Case, ottla: &[Figures], other: &[Figures]) -> String {
    let ratio = |field: usize| {
        let mut pairs: Vec<f64> = ottla.iter().zip(other).map(|(a, b)| a.fields()[field] / b.fields()[field]).collect();
        pairs.sort_by(f64::total_cmp);
        pairs.get(pairs.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let cells: Vec<String> = (0..8).map(|field| format!("**{:.2}**", ratio(field))).collect();
    format!("| {} | ratio | {} |", case.name, cells.join(" | "))
}

/// One line for a single run.
pub(crate) fn run_line(case: &Case, run: &Run) -> String {
    let figures = Figures::of(run);
    let what = match case.direction {
        Direction::Produce => "produced",
        Direction::Fetch => "fetched",
    };
    format!(
        "{}: {what} {} requests, {} bytes in {:.2} s\n{HEAD}\n{}",
        case.name,
        run.outcome.requests,
        run.outcome.bytes,
        run.outcome.elapsed.as_secs_f64(),
        row(case, "-", &figures),
    )
}

/// Start time and memory before any load.
pub(crate) fn start_row(broker: &str, start: Duration, idle_mib: f64) -> String {
    format!("| {broker} | {:.0} | {idle_mib:.1} |", start.as_secs_f64() * 1e3)
}
