//! Quotas of clients: how many bytes they produce and consume, how much of the broker's time they take, how fast they change
//! topics. Arithmetic with the time passed in; who asks delays the client (KIP-13, KIP-124, KIP-219, KIP-599).
//! Source: `ClientQuotaManager`, `ClientRequestQuotaManager`, `ControllerMutationQuotaManager`.

mod limits;
mod meters;
mod mutation;
mod rate;
mod token_bucket;

use std::time::Duration;

use raft::image::ClientQuotas;

pub use meters::{Client, Meters, Throttled};
pub use mutation::Mutations;
pub use rate::{Rate, Windows};
pub use token_bucket::TokenBucket;

/// The name of whoever has not authenticated.
pub const ANONYMOUS: &str = "ANONYMOUS";

/// The quotas of this broker.
#[derive(Debug)]
pub struct Quotas {
    /// Bytes of Produce requests.
    pub produce: Meters<Rate>,
    /// Bytes of records in Fetch answers.
    pub fetch: Meters<Rate>,
    /// Time of the workers, in percent of one.
    pub request: Meters<Rate>,
    /// Partitions created and deleted.
    pub mutation: Meters<TokenBucket>,
}

impl Quotas {
    /// No quotas, to be measured in such windows: clients' in `windows`, those of topic changes in `controller`.
    pub fn new(windows: Windows, controller: Windows) -> Self {
        Self {
            produce: Meters::new("producer_byte_rate", windows, i64::MAX),
            fetch: Meters::new("consumer_byte_rate", windows, i64::MAX),
            request: Meters::new("request_percentage", windows, windows.sample_ms),
            mutation: Meters::new("controller_mutation_rate", controller, i64::MAX),
        }
    }

    /// Takes over what the cluster has stored.
    pub fn update(&self, quotas: &ClientQuotas) {
        self.produce.update(quotas);
        self.fetch.update(quotas);
        self.request.update(quotas);
        self.mutation.update(quotas);
    }

    /// Each kind, by a short name, and how its clients were slowed.
    pub fn throttled(&self) -> [(&'static str, Throttled); 4] {
        [
            ("produce", self.produce.throttled()),
            ("fetch", self.fetch.throttled()),
            ("request", self.request.throttled()),
            ("controller_mutation", self.mutation.throttled()),
        ]
    }
}

/// Time of a worker as `request_percentage` counts it.
pub fn percentage(time: Duration) -> f64 {
    time.as_secs_f64() * 100.0
}

#[cfg(test)]
pub(crate) mod testing {
    use protocol::metadata_record::{ClientQuotaRecord, EntityData};
    use raft::image::{ClientQuotas, Image, ImageBuilder, Provenance};

    /// Quotas of client ids, `None` for the default, with their keys.
    pub(crate) fn quotas(quotas: &[(Option<&str>, &str, f64)]) -> ClientQuotas {
        let mut builder = ImageBuilder::new(&Image::default());
        for (client_id, key, value) in quotas {
            let part = EntityData { entity_type: "client-id".into(), entity_name: client_id.map(Into::into) };
            let record = ClientQuotaRecord { entity: vec![part], key: (*key).into(), value: *value, remove: false };
            builder.apply(record.into()).unwrap();
        }
        builder.finish(Provenance::default()).unwrap().client_quotas().clone()
    }
}
