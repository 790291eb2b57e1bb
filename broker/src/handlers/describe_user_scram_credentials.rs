//! DescribeUserScramCredentials (key 50), version 0.
//!
//! Behaviour: which mechanisms a user has credentials for, and their iterations; never the credentials themselves (KIP-554). Without
//! names, all users. `kafka-configs` asks for it whenever it describes a user.
//! Source: DescribeUserScramCredentialsRequest.json, `ScramImage.describe`.

use std::collections::BTreeMap;

use protocol::StrBytes;
use protocol::error_code::ErrorCode;
use protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};
use raft::image::Security;

use super::text::str_bytes;
use super::{Reply, RequestContext};

pub(super) fn handle(
    context: RequestContext,
    request: DescribeUserScramCredentialsRequest,
) -> Reply<DescribeUserScramCredentialsResponse> {
    let image = context.services.metadata.image();
    let security = image.security();
    // How often each is asked for.
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    match request.users.as_ref().filter(|users| !users.is_empty()) {
        Some(named) => named.iter().for_each(|user| *users.entry(user.name.as_str()).or_default() += 1),
        None => users.extend(security.scram_credentials().keys().map(|(_, user)| (&**user, 1))),
    }
    let results = users.into_iter().map(|(user, times)| result(security, user, times)).collect();
    Reply::Now(DescribeUserScramCredentialsResponse::default().with_results(results))
}

fn result(security: &Security, user: &str, times: usize) -> DescribeUserScramCredentialsResult {
    let result = DescribeUserScramCredentialsResult::default().with_user(str_bytes(user)).with_error_message(None);
    let refused = |code: ErrorCode, message: String| {
        result.clone().with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
    };
    if times > 1 {
        let message = "Cannot describe SCRAM credentials for the same user twice in a single request: ";
        return refused(ErrorCode::DuplicateResource, format!("{message}{user}"));
    }
    let of_user = security.scram_credentials().iter().filter(|((_, name), _)| &**name == user);
    let infos: Vec<_> = of_user
        .map(|((mechanism, _), credential)| {
            CredentialInfo::default().with_mechanism(*mechanism).with_iterations(credential.iterations)
        })
        .collect();
    if infos.is_empty() {
        let message = "Attempt to describe a user credential that does not exist: ";
        return refused(ErrorCode::ResourceNotFound, format!("{message}{user}"));
    }
    result.with_credential_infos(infos)
}
