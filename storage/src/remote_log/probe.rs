//! Whether a store keeps what this tier relies on. Some widely used ones accept a create-only put and overwrite all the same
//! (Garage 2.5 does): two leaders would then overwrite each other's manifests.

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::PutMode;
use object_store::path::Path;
use protocol::ids::{Uuid, format_uuid};

use super::{RemoteError, RemoteStore};

/// The folder in that of a cluster in which probes are.
pub(super) const PROBES: &str = "probe";
/// How many create the same key at once.
const RACERS: usize = 4;

/// Why a store cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProbeError {
    /// It was not reached, or refused.
    #[error(transparent)]
    Store(#[from] RemoteError),
    /// A key was created although it existed.
    #[error("the store overwrites an object that was to be created only if absent; segments would not be safe there")]
    Overwrites,
    /// Of several that created one key at once, nobody was told that he had: an answer was lost.
    #[error("of {RACERS} that created one object at once none was told that it succeeded")]
    Unclear,
    /// Of several that created one key at once, more than one were told that they had.
    #[error("of {RACERS} that created one object at once {winners} succeeded; segments would not be safe there")]
    Races { winners: usize },
    /// It does not return what was written.
    #[error("the store does not return what was written to it")]
    Forgets,
}

/// Writes, reads, lists and deletes an object below `folder` in every way that the tier does.
///
/// # Errors
/// [`ProbeError`]; the store is then of no use.
pub async fn probe(store: &RemoteStore, folder: &Path) -> Result<(), ProbeError> {
    let unique = format_uuid(Uuid::new_v4());
    let result = try_out(store, &folder.clone().join(PROBES).join(unique.as_str())).await;
    // What stays is small and has a name that says what it is.
    let _ = store.delete_all(&folder.clone().join(PROBES).join(unique.as_str())).await;
    result
}

async fn try_out(store: &RemoteStore, folder: &Path) -> Result<(), ProbeError> {
    let key = folder.clone().join("serial");
    let bytes = Bytes::from_static(b"0123456789");
    store.create(&key, bytes.clone()).await?;
    if create_again(store, &key).await? {
        return Err(ProbeError::Overwrites);
    }
    let listed = store.list(folder).await?;
    let is_listed = listed.iter().any(|object| object.location == key && object.size == bytes.len() as u64);
    if !is_listed || store.get(&key).await? != bytes || store.get_range(&key, 3..5).await? != bytes.slice(3..5) {
        return Err(ProbeError::Forgets);
    }
    let raced = folder.clone().join("raced");
    let winners = join_all((0..RACERS).map(|_| create_again(store, &raced))).await;
    let winners = winners.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().filter(|won| *won).count();
    match winners {
        0 => Err(ProbeError::Unclear),
        1 => Ok(()),
        _ => Err(ProbeError::Races { winners }),
    }
}

/// Whether the store says that it created the object.
async fn create_again(store: &RemoteStore, key: &Path) -> Result<bool, RemoteError> {
    match store.inner().put_opts(key, Bytes::from_static(b"another").into(), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
        Err(source) => Err(RemoteError::Store { action: "probing", key: key.clone(), source: source.into() }),
    }
}
