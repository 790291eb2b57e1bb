//! Who may do what: access control entries, SCRAM credentials, delegation tokens, as their records say.

use bytes::Bytes;
use imbl::OrdMap;
use protocol::ids::Uuid;
use protocol::metadata_record::{AccessControlEntryRecord, DelegationTokenRecord, UserScramCredentialRecord};
use std::sync::Arc;

/// Access control entries, SCRAM credentials and delegation tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Security {
    pub(crate) acls: OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
    pub(crate) scram: OrdMap<(i8, Arc<str>), Arc<UserScramCredentialRecord>>,
    pub(crate) tokens: OrdMap<Arc<str>, Arc<DelegationTokenRecord>>,
}

impl Security {
    /// Access control entries by id.
    #[must_use]
    pub fn acls(&self) -> &OrdMap<Uuid, Arc<AccessControlEntryRecord>> {
        &self.acls
    }

    /// SCRAM credentials by mechanism and user.
    #[must_use]
    pub fn scram_credentials(&self) -> &OrdMap<(i8, Arc<str>), Arc<UserScramCredentialRecord>> {
        &self.scram
    }

    /// Delegation tokens by id.
    #[must_use]
    pub fn delegation_tokens(&self) -> &OrdMap<Arc<str>, Arc<DelegationTokenRecord>> {
        &self.tokens
    }

    pub(crate) fn set_scram_credential(&mut self, mut record: UserScramCredentialRecord) {
        // The record's bytes are slices of a whole batch of the log, which must not stay in memory for them.
        for bytes in [&mut record.salt, &mut record.stored_key, &mut record.server_key] {
            *bytes = Bytes::copy_from_slice(bytes);
        }
        self.scram.insert((record.mechanism, record.name.clone()), Arc::new(record));
    }
}
