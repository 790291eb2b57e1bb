//! ApiVersions (key 18), versions 0–4.
//!
//! Behaviour: what the table serves; features with their finalized levels. An unknown version is answered in version 0
//! with error 35 and the range of this API alone, so that any client can find the way down.
//! Versions: v3 flexible, features, client software name and version · v4 features whose minimum is 0 (KAFKA-17492).
//! Source: ApiVersionsRequest.json, `ApiVersionsRequest.isValid`, KIP-511, KIP-584.

use protocol::error_code::ErrorCode;
use protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};

use raft::controller::supported_features;

use super::text::str_bytes;
use super::{APIS, Api, Reply, RequestContext, find};

pub(super) fn handle(context: RequestContext, request: ApiVersionsRequest) -> Reply<ApiVersionsResponse> {
    let version = context.api_version;
    if version >= 3 && !(is_valid(&request.client_software_name) && is_valid(&request.client_software_version)) {
        return Reply::Now(ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code()));
    }
    let image = context.services.metadata.image();
    let supported = supported_features();
    let supported = supported.iter().filter(|(_, levels)| version >= 4 || *levels.start() > 0).map(|(name, levels)| {
        SupportedFeatureKey::default()
            .with_name(str_bytes(name))
            .with_min_version(*levels.start())
            .with_max_version(*levels.end())
    });
    let finalized = image.features().iter().filter(|(_, level)| **level > 0).map(|(name, level)| {
        FinalizedFeatureKey::default()
            .with_name(str_bytes(name))
            .with_min_version_level(*level)
            .with_max_version_level(*level)
    });
    let mut response = ApiVersionsResponse::default().with_api_keys(APIS.iter().map(range).collect());
    if version >= 3 {
        response = response
            .with_supported_features(supported.collect())
            .with_finalized_features(finalized.collect())
            .with_finalized_features_epoch(image.offset());
    }
    Reply::Now(response)
}

/// The answer to a version that is not served, to be encoded as version 0.
pub(super) fn unsupported_version() -> ApiVersionsResponse {
    let own = find(ApiKey::ApiVersions as i16).map(range);
    ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(own.into_iter().collect())
}

fn range(api: &Api) -> ApiVersion {
    ApiVersion::default().with_api_key(api.key as i16).with_min_version(api.advertised_min).with_max_version(api.max)
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_valid(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.iter().all(|byte| inside(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_kafkas_pattern() {
        for text in ["librdkafka", "apache-kafka-java", "2.0.2", "a"] {
            assert!(is_valid(text), "{text}");
        }
        for text in ["", "-a", "a-", "a b", "a_b", "ä"] {
            assert!(!is_valid(text), "{text}");
        }
    }
}
