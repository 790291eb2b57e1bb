//! Small objects that explain something, of which the newest counts: read, and replaced by who leads what they tell of.

use bytes::Bytes;
use object_store::path::Path;
use protocol::schema::EncodeError;

use super::envelope::ManifestError;
use super::{ManifestVersion, PartitionKeys, RemoteError, RemoteStore};

/// What is told.
pub trait Description: Clone + PartialEq + Send + Sync + Sized {
    /// Which one it is: the highest counts.
    fn version(&self) -> ManifestVersion;

    fn set_version(&mut self, version: ManifestVersion);

    /// The object.
    ///
    /// # Errors
    /// More than a length can say.
    fn encode(&self) -> Result<Bytes, EncodeError>;

    /// What is in an object.
    ///
    /// # Errors
    /// [`ManifestError`] for anything that was not written by [`Description::encode`].
    fn decode(bytes: Bytes) -> Result<Self, ManifestError>;
}

/// Replaces the description in one folder. Only the leader of what it tells of may have one.
#[derive(Debug)]
pub struct Describer<D> {
    folder: Path,
    /// `None`: to be looked up.
    known: Option<Known<D>>,
}

#[derive(Debug)]
struct Known<D> {
    /// Of all that are there, the newest last.
    versions: Vec<ManifestVersion>,
    newest: Option<D>,
}

/// The newest whole description in a folder; `None` if there is none.
///
/// # Errors
/// The store's; one that a later version of this program wrote.
pub async fn newest_description<D: Description>(store: &RemoteStore, folder: &Path) -> Result<Option<D>, RemoteError> {
    Ok(look_up(store, folder).await?.newest)
}

async fn look_up<D: Description>(store: &RemoteStore, folder: &Path) -> Result<Known<D>, RemoteError> {
    let listed = store.list(folder).await?;
    let mut versions: Vec<_> = listed.iter().filter_map(|o| PartitionKeys::manifest_version(&o.location)).collect();
    versions.sort_unstable();
    for version in versions.iter().rev() {
        let key = key(folder, *version);
        match D::decode(store.get(&key).await?) {
            Ok(newest) => return Ok(Known { newest: Some(newest), versions }),
            Err(source @ ManifestError::Version(_)) => return Err(RemoteError::Manifest { key, source }),
            // Who wrote it did not believe it either: the one before is still there.
            Err(error) => tracing::warn!(%key, %error, "a description is not whole; the one before it counts"),
        }
    }
    Ok(Known { versions, newest: None })
}

fn key(folder: &Path, version: ManifestVersion) -> Path {
    folder.clone().join(version.to_string())
}

impl<D: Description> Describer<D> {
    /// Nothing is known yet of what is in `folder`.
    pub fn new(folder: Path) -> Self {
        Self { folder, known: None }
    }

    /// Makes `description` the newest, unless it is. Returns whether anything was written.
    ///
    /// # Errors
    /// The store's; [`RemoteError::Fenced`] if a leader of a later epoch has written. The next try looks into the store first.
    ///
    /// # Cancel safety
    /// As an error.
    pub async fn tell(&mut self, store: &RemoteStore, leader_epoch: i32, description: &D) -> Result<bool, RemoteError> {
        let known = match self.known.take() {
            Some(known) => known,
            None => look_up(store, &self.folder).await?,
        };
        let last = known.versions.last().copied().unwrap_or_default();
        if last.leader_epoch > leader_epoch {
            return Err(RemoteError::Fenced { key: key(&self.folder, last) });
        }
        if known.newest.as_ref().is_some_and(|newest| is_same(newest, description)) {
            self.known = Some(known);
            return Ok(false);
        }
        let mut description = description.clone();
        let version = last.next(leader_epoch);
        description.set_version(version);
        let at = key(&self.folder, version);
        let encoded = description.encode();
        let encoded = encoded.map_err(|error| RemoteError::Corrupt { key: at.clone(), reason: error.to_string() })?;
        store.create(&at, encoded).await?;
        for outdated in &known.versions {
            store.delete(&key(&self.folder, *outdated)).await?;
        }
        self.known = Some(Known { versions: vec![version], newest: Some(description) });
        Ok(true)
    }
}

/// Whether they tell the same, whoever wrote them.
fn is_same<D: Description>(one: &D, other: &D) -> bool {
    let mut one = one.clone();
    one.set_version(other.version());
    one == *other
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::remote_log::testing::{Fault, FaultyStore};
    use crate::remote_log::{StoreLimits, TopicManifest};

    struct Fixture {
        faulty: Arc<FaultyStore>,
        store: RemoteStore,
    }

    impl Fixture {
        fn new() -> Self {
            let faulty = FaultyStore::new();
            let store = RemoteStore::new("faulty".to_owned(), faulty.clone(), StoreLimits::default());
            Self { faulty, store }
        }

        async fn newest(&self) -> TopicManifest {
            newest_description(&self.store, &Path::from("f")).await.unwrap().unwrap()
        }
    }

    fn topic(partitions: i32) -> TopicManifest {
        TopicManifest { name: "t".into(), partitions, ..TopicManifest::default() }
    }

    fn describer() -> Describer<TopicManifest> {
        Describer::new(Path::from("f"))
    }

    #[tokio::test]
    async fn only_news_are_written_and_the_newest_alone_stays() {
        let fixture = Fixture::new();
        let (store, mut describer) = (&fixture.store, describer());
        assert!(describer.tell(store, 2, &topic(1)).await.unwrap());
        let requests = fixture.faulty.requests();
        assert!(!describer.tell(store, 2, &topic(1)).await.unwrap());
        assert_eq!(fixture.faulty.requests(), requests, "nobody asks the store for nothing");
        assert!(describer.tell(store, 2, &topic(3)).await.unwrap());
        assert_eq!(fixture.faulty.keys().await, ["f/0000000002-00000000000000000002"]);
        // The next leader finds it.
        let mut next = Describer::<TopicManifest>::new(Path::from("f"));
        assert!(!next.tell(store, 4, &topic(3)).await.unwrap());
        assert!(next.tell(store, 4, &topic(5)).await.unwrap());
        assert_eq!((fixture.newest().await.partitions, fixture.newest().await.sequence), (5, 3));
    }

    #[tokio::test]
    async fn a_deposed_leader_tells_nothing() {
        let fixture = Fixture::new();
        let mut new = describer();
        new.tell(&fixture.store, 5, &topic(2)).await.unwrap();
        let refused = describer().tell(&fixture.store, 4, &topic(1)).await;
        assert!(matches!(refused, Err(RemoteError::Fenced { .. })), "{refused:?}");
        assert_eq!(fixture.newest().await.partitions, 2);
    }

    /// Whatever happens to one request, the newest that was told whole is read, and the next try goes on.
    #[tokio::test]
    async fn a_failure_at_any_request_loses_nothing() {
        for fault in [Fault::Unavailable, Fault::LostAnswer, Fault::Torn] {
            for at in 0..8 {
                let fixture = Fixture::new();
                let mut describer = describer();
                describer.tell(&fixture.store, 1, &topic(1)).await.unwrap();
                fixture.faulty.fail(move |number| (number == at).then_some(fault));
                let told = describer.tell(&fixture.store, 1, &topic(2)).await;
                fixture.faulty.heal();
                let read = fixture.newest().await.partitions;
                assert!(read == 2 || told.is_err() && read == 1, "{fault:?} at {at}: {told:?}, then {read}");
                describer.tell(&fixture.store, 1, &topic(2)).await.unwrap();
                assert_eq!(fixture.newest().await.partitions, 2);
                describer.tell(&fixture.store, 1, &topic(3)).await.unwrap();
                assert_eq!(fixture.faulty.keys().await.len(), 1, "{fault:?} at {at}");
            }
        }
    }
}
