//! UpdateFeatures (key 57), versions 0–2.
//!
//! Behaviour: all levels change or none; the first refusal is the whole answer.
//! Versions: v0 a downgrade is allowed or not, which the controller does not look at · v1 the kind of upgrade, validation only (KIP-778) ·
//! v2 no result for each feature.
//! Source: UpdateFeaturesRequest.json, `QuorumController.updateFeatures`, `FeatureControlManager.updateFeatures`.

use protocol::StrBytes;
use protocol::error_code::{ErrorCode, NONE};
use protocol::messages::update_features_request::FeatureUpdateKey;
use protocol::messages::update_features_response::UpdatableFeatureResult;
use protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use raft::controller::{FeatureUpdate, UpgradeType};

use super::{Reply, RequestContext};
use crate::error_code;

const LAST_VERSION_WITH_RESULTS: i16 = 1;

pub(super) fn handle(context: RequestContext, request: UpdateFeaturesRequest) -> Reply<UpdateFeaturesResponse> {
    Reply::Later(Box::pin(async move {
        let updates = request.feature_updates.iter().map(update).collect();
        let services = &context.services;
        let node_id = services.settings.node_id;
        let updated = services.controller.update_features(node_id, updates, request.validate_only).await;
        services.caught_up().await;
        match updated {
            Ok(Ok(())) => UpdateFeaturesResponse::default()
                .with_error_message(None)
                .with_results(results(&request, context.api_version)),
            Ok(Err(error)) => failed(
                error_code::feature(&error.refusal),
                format!("The update failed for all features since the following feature had an error: {error}"),
            ),
            Err(error) => failed(error_code::controller(&error), error.to_string()),
        }
    }))
}

fn update(key: &FeatureUpdateKey) -> FeatureUpdate {
    let upgrade_type = match key.upgrade_type {
        1 => UpgradeType::Upgrade,
        2 => UpgradeType::SafeDowngrade,
        3 => UpgradeType::UnsafeDowngrade,
        _ => UpgradeType::Unknown,
    };
    FeatureUpdate { name: key.feature.as_str().into(), level: key.max_version_level, upgrade_type }
}

fn results(request: &UpdateFeaturesRequest, version: i16) -> Vec<UpdatableFeatureResult> {
    if version > LAST_VERSION_WITH_RESULTS {
        return Vec::new();
    }
    let result = |key: &FeatureUpdateKey| {
        UpdatableFeatureResult::default()
            .with_feature(key.feature.clone())
            .with_error_code(NONE)
            .with_error_message(Some(StrBytes::from_static_str("NONE")))
    };
    request.feature_updates.iter().map(result).collect()
}

fn failed(code: ErrorCode, message: String) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(message)))
}
