//! `quorum-state`: the vote, in the file that KRaft keeps it in. Losing it lets a node vote twice in a term, so it is replaced
//! atomically and durably, and one that cannot be read is refused. Source: `FileQuorumStateStore`, `QuorumStateData`.
//!
//! ```text
//! {"leaderId":1,"leaderEpoch":7,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}
//! ```
//! A vote that a quorum granted is a known leader; one that it has not is a candidate voted for.

use std::io;
use std::path::{Path, PathBuf};

use protocol::ids::{Uuid, format_uuid};
use storage::file_system::FileSystem;

use super::entry::damaged;
use super::type_config::{Vote, member, node_id};

/// Name of the file in the folder of the metadata log.
const FILE: &str = "quorum-state";

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Reads the vote in the folder of the metadata log; `None` when there is none.
///
/// # Errors
/// A file that is not understood, or whatever the file system says.
pub(super) fn load(file_system: &dyn FileSystem, folder: &Path) -> io::Result<Option<Vote>> {
    match file_system.read(&path(folder)) {
        Ok(bytes) => decode(&bytes).map_err(|error| damaged(format!("{} is damaged: {error}", path(folder).display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file, durably. `directory_id` is that of this node's metadata log, whose candidate it votes for.
///
/// # Errors
/// Whatever the file system says.
pub(super) fn store(file_system: &dyn FileSystem, folder: &Path, vote: &Vote, directory_id: Uuid) -> io::Result<()> {
    file_system.write_atomic(&path(folder), encode(vote, directory_id).as_bytes())
}

/// The file's text. Who leads is not voted for any more, as in Kafka.
fn encode(vote: &Vote, directory_id: Uuid) -> String {
    let node = node_id(vote.leader_id.voted_for);
    let (leader, voted, directory_id) = if vote.committed { (node, -1, Uuid::nil()) } else { (-1, node, directory_id) };
    format!(
        "{{\"leaderId\":{leader},\"leaderEpoch\":{},\"votedId\":{voted},\"votedDirectoryId\":\"{}\",\"data_version\":1}}",
        vote.leader_id.term,
        format_uuid(directory_id),
    )
}

/// Reads the file's text, of versions 0 and 1. `None`: an epoch in which this node has not voted, and that has no leader.
///
/// # Errors
/// Anything that neither Kafka nor this program wrote.
pub(super) fn decode(bytes: &[u8]) -> io::Result<Option<Vote>> {
    let text = std::str::from_utf8(bytes).map_err(damaged)?.trim();
    if !(text.starts_with('{') && text.ends_with('}')) {
        return Err(damaged("not the state of a quorum"));
    }
    if !matches!(number(text, "data_version"), Some(0 | 1)) {
        return Err(damaged("a version that is not known"));
    }
    let field = |name: &str| number(text, name).ok_or_else(|| damaged(format!("no {name}")));
    let term = field("leaderEpoch")?;
    let (leader, voted) = (field("leaderId")?, field("votedId")?);
    let (node, committed) = if leader >= 0 { (leader, true) } else { (voted, false) };
    let (Ok(term), Ok(node)) = (u64::try_from(term), i32::try_from(node)) else {
        return Err(damaged("an epoch or node out of range"));
    };
    if node < 0 {
        return Ok(None);
    }
    let mut vote = Vote::new(term, member(node));
    vote.committed = committed;
    Ok(Some(vote))
}

/// The number behind `"name":`. The file is one flat object (but for the list of voters of version 0, whose only key is another).
fn number(text: &str, name: &str) -> Option<i64> {
    let (_, rest) = text.split_once(&format!("\"{name}\""))?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kafkas_file_is_read_in_both_versions() {
        let mut leads = Vote::new(7, 1);
        leads.committed = true;
        let cases = [
            (
                r#"{"leaderId":1,"leaderEpoch":7,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
                Some(leads),
            ),
            (
                r#"{"clusterId":"","leaderId":1,"leaderEpoch":7,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#,
                Some(leads),
            ),
            (
                r#"{"leaderId":-1,"leaderEpoch":4,"votedId":3,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAyA","data_version":1}"#,
                Some(Vote::new(4, 3)),
            ),
            (
                r#"{"leaderId":-1,"leaderEpoch":4,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
                None,
            ),
        ];
        for (text, vote) in cases {
            assert_eq!(decode(text.as_bytes()).unwrap(), vote, "{text}");
        }
        assert_eq!(encode(&leads, Uuid::from_u128(200)), cases[0].0);
        assert_eq!(encode(&Vote::new(4, 3), Uuid::from_u128(200)), cases[2].0);
    }

    #[test]
    fn another_version_or_a_cut_file_is_refused() {
        let whole = encode(&Vote::new(4, 3), Uuid::nil());
        for text in ["", "{}", &whole[..whole.len() - 1], &whole.replace("version\":1", "version\":2")] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(term in 0u64..=i64::MAX as u64, node in 0i32.., committed: bool) {
            let mut vote = Vote::new(term, member(node));
            vote.committed = committed;
            prop_assert_eq!(decode(encode(&vote, Uuid::from_u128(200)).as_bytes()).unwrap(), Some(vote));
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
