//! `.kafka_cleanshutdown`: written last at a clean stop, removed first at the next start. While it is there, every log
//! in the directory is whole. Source: `CleanShutdownFileHandler`, KIP-966 for the broker epoch in it.

use std::io;
use std::path::Path;
use std::str;

use crate::file_system::FileSystem;

/// Name of the file in a log directory.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// How the last run of a directory's owner ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastShutdown {
    /// Whether the marker was there.
    pub clean: bool,
    /// The broker epoch in the marker; none in those of Kafka before 3.8, which are empty.
    pub broker_epoch: Option<i64>,
}

/// Reads the marker and removes it durably: were it to come back after a power cut, damaged logs would be trusted.
///
/// # Errors
/// Whatever the file system says.
pub(super) fn take(file_system: &dyn FileSystem, log_dir: &Path) -> io::Result<LastShutdown> {
    let path = log_dir.join(CLEAN_SHUTDOWN);
    let bytes = match file_system.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LastShutdown::default()),
        Err(error) => return Err(error),
    };
    file_system.remove_file(&path)?;
    file_system.sync_dir(log_dir)?;
    Ok(LastShutdown { clean: true, broker_epoch: decode(&bytes) })
}

/// Writes the marker, atomically and durably.
///
/// # Errors
/// Whatever the file system says.
pub(super) fn put(file_system: &dyn FileSystem, log_dir: &Path, broker_epoch: i64) -> io::Result<()> {
    file_system.write_atomic(&log_dir.join(CLEAN_SHUTDOWN), encode(broker_epoch).as_bytes())
}

fn encode(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The number behind `"brokerEpoch"`: all that is needed of the JSON.
fn decode(bytes: &[u8]) -> Option<i64> {
    let (_, rest) = str::from_utf8(bytes).ok()?.split_once("\"brokerEpoch\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file_system::{LosingFileSystem, Survival};

    #[test]
    fn text_is_what_kafka_writes() {
        assert_eq!(encode(37), "{\"version\":0,\"brokerEpoch\":37}");
        assert_eq!(decode(encode(-1).as_bytes()), Some(-1));
        assert_eq!(decode(b"{ \"brokerEpoch\" : 5 , \"later\": true }"), Some(5));
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"{\"version\":0}"), None);
    }

    #[test]
    fn a_marker_counts_once_even_if_the_power_is_cut_after() {
        let file_system = LosingFileSystem::new();
        let path = Path::new("/");
        assert_eq!(take(&file_system, path).unwrap(), LastShutdown::default());
        put(&file_system, path, 9).unwrap();
        file_system.power_cut(Survival::Nothing);
        assert_eq!(take(&file_system, path).unwrap(), LastShutdown { clean: true, broker_epoch: Some(9) });
        file_system.power_cut(Survival::Nothing);
        assert_eq!(take(&file_system, path).unwrap(), LastShutdown::default());
    }

    #[test]
    fn an_empty_marker_of_an_older_kafka_is_clean() {
        let file_system = LosingFileSystem::new();
        file_system.write_atomic(&Path::new("/").join(CLEAN_SHUTDOWN), b"").unwrap();
        let taken = take(&file_system, Path::new("/")).unwrap();
        assert_eq!(taken, LastShutdown { clean: true, broker_epoch: None });
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn round_trip(broker_epoch in any::<i64>()) {
            prop_assert_eq!(decode(encode(broker_epoch).as_bytes()), Some(broker_epoch));
        }
    }
}
