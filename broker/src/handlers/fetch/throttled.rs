//! What a fetch found, before it is known whether the client gets it now: one that uses too much gets an empty answer, and reads again
//! when its time has come. Source: `KafkaApis.handleFetchRequest`, `FetchContext.getThrottledResponse`.

use protocol::error_code::ErrorCode;
use protocol::response::EncodeError;

use super::Fetch;
use super::response::FetchAnswer;
use crate::handlers::{Answer, ErrorCodes};
use crate::server::Output;

/// The outcome of a fetch.
pub(in crate::handlers) struct Fetched {
    outcome: Outcome,
    /// By the quota of bytes.
    throttle_ms: i32,
}

enum Outcome {
    Read(Fetch),
    Answer(FetchAnswer),
}

impl Fetched {
    /// A fetch that is refused whole.
    pub(super) fn failed(code: ErrorCode) -> Self {
        Self { outcome: Outcome::Answer(FetchAnswer::failed(code)), throttle_ms: 0 }
    }

    /// Records what was read. If that is too much, it is taken back at once: the client does not get it now.
    pub(super) fn read(fetch: Fetch) -> Self {
        let (quota, client) = (&fetch.context.services.quotas.fetch, fetch.context.client());
        if !quota.is_set() {
            return Self { outcome: Outcome::Read(fetch), throttle_ms: 0 };
        }
        let now_ms = fetch.context.services.clock.now_ms();
        let throttle_ms = quota.record(client, fetch.bytes as f64, now_ms);
        Self { outcome: Outcome::Read(fetch), throttle_ms }
    }
}

impl ErrorCodes for Fetched {
    fn for_each_error_code(&self, see: &mut dyn FnMut(i16)) {
        match &self.outcome {
            Outcome::Read(fetch) => fetch.answers.iter().for_each(|answer| see(answer.error_code())),
            Outcome::Answer(answer) => answer.for_each_error_code(see),
        }
    }
}

impl Answer for Fetched {
    fn throttle_time_ms(&self) -> i32 {
        self.throttle_ms
    }

    fn throttle(&mut self, throttle_ms: i32) {
        let answer = match &self.outcome {
            Outcome::Read(fetch) => {
                let services = &fetch.context.services;
                let now_ms = services.clock.now_ms();
                services.quotas.fetch.take_back(fetch.context.client(), fetch.bytes as f64, now_ms);
                fetch.session.throttled(&services.fetch_sessions)
            }
            // An error is told all the same.
            Outcome::Answer(answer) => answer.without_partitions(),
        };
        self.outcome = Outcome::Answer(answer.with_throttle_time_ms(throttle_ms));
    }

    fn put(self, output: &mut Output, version: i16, correlation_id: i32) -> Result<(), EncodeError> {
        let answer = match self.outcome {
            Outcome::Read(fetch) => fetch.into_answer(),
            Outcome::Answer(answer) => answer,
        };
        answer.put(output, version, correlation_id)
    }
}
