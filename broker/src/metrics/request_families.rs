//! What a scrape says of requests: Kafka's beans `kafka.network:type=RequestMetrics` as Strimzi's rules spell them. Times that a
//! broker without queues between its threads does not have (`RequestQueueTimeMs`, `ResponseQueueTimeMs`) are not told.

use protocol::error_code::ErrorCode;
use protocol::messages::ApiKey;
use tokio::time::Instant;

use super::distribution::Distribution;
use super::exposition::{Exposition, Kind};
use super::families::Scrape;
use super::requests::{OfApi, Totals};
use crate::handlers::APIS;
use Kind::{Counter, Gauge};

/// The bean's percentiles as the rules name them.
const QUANTILES: [(&str, f64); 6] =
    [("0.50", 0.5), ("0.75", 0.75), ("0.95", 0.95), ("0.98", 0.98), ("0.99", 0.99), ("0.999", 0.999)];

type OfTotals = fn(&Totals) -> Distribution;

const TIMES: [(&str, &str, OfTotals); 3] = [
    (
        "totaltimems",
        "Milliseconds from a request to its answer, of those in the last minutes, 0 if there were none.",
        Totals::total_time,
    ),
    ("localtimems", "Milliseconds of it that the broker worked.", Totals::local_time),
    (
        "remotetimems",
        "Milliseconds of it that the request waited for disks, replicas, records or members.",
        Totals::remote_time,
    ),
];

impl Scrape<'_> {
    pub(super) fn requests(&self, out: &mut Exposition) {
        let apis = self.services.metrics.requests.read(Instant::now());
        counts(out, &apis);
        errors(out, &apis);
        for (name, help, times) in TIMES {
            let name = format!("kafka_network_requestmetrics_{name}");
            let mut family = out.family(&name, Gauge, help);
            for api in &apis {
                let (request, times) = (request(api.key), times(&api.recent));
                for (label, quantile) in QUANTILES {
                    family.series(&[("request", &request), ("quantile", label)], times.quantile_ms(quantile));
                }
            }
            let name = format!("{name}_count");
            let mut family = out.family(&name, Counter, "Requests answered.");
            for api in &apis {
                family.series(&[("request", &request(api.key))], api.all.count());
            }
        }
    }
}

/// Of every API that is served.
fn counts(out: &mut Exposition, apis: &[OfApi]) {
    let name = "kafka_network_requestmetrics_requests_total";
    let mut family = out.family(name, Counter, "Requests answered, by API.");
    for served in APIS {
        let key = served.key as i16;
        let count = apis.iter().find(|api| api.key == key).map_or(0, |api| api.all.count());
        family.series(&[("request", &request(key))], count);
    }
}

fn errors(out: &mut Exposition, apis: &[OfApi]) {
    let name = "kafka_network_requestmetrics_errors_total";
    let mut family = out.family(name, Counter, "Error codes in answers, by API; those of success are not counted.");
    for api in apis {
        for (code, count) in &api.errors {
            family.series(&[("request", &request(api.key)), ("error", &error_name(*code))], count);
        }
    }
}

fn request(api_key: i16) -> String {
    ApiKey::try_from(api_key).map_or_else(|_| api_key.to_string(), |key| format!("{key:?}"))
}

/// As the constants of `Errors.java` are called.
fn error_name(code: i16) -> String {
    let error = match ErrorCode::try_from_code(code) {
        None | Some(ErrorCode::Unknown(_)) => return code.to_string(),
        Some(error) => error,
    };
    let mut name = String::new();
    for char in format!("{error:?}").chars() {
        if char.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(char.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_called_as_in_kafka() {
        let names = [-1, 1, 3, 6, 87, 110].map(error_name);
        let expected = [
            "UNKNOWN_SERVER_ERROR",
            "OFFSET_OUT_OF_RANGE",
            "UNKNOWN_TOPIC_OR_PARTITION",
            "NOT_LEADER_OR_FOLLOWER",
            "INVALID_RECORD",
            "FENCED_MEMBER_EPOCH",
        ];
        assert_eq!(names, expected);
        assert_eq!(error_name(1000), "1000");
        assert_eq!(request(18), "ApiVersions");
    }
}
