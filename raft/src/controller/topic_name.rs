//! Which names a topic may have (`Topic.validate`, `ReplicationControlManager.validateNewTopicNames`).

use crate::error::InvalidTopic;
use crate::image::Topics;
use std::sync::Arc;

/// The longest name, in characters: names are folders', with a partition and a suffix behind.
const MAX_NAME_LENGTH: usize = 249;

/// Checks the name of a topic that does not exist, alone and beside existing ones.
pub(super) fn check_new(name: &Arc<str>, topics: &Topics) -> Result<(), InvalidTopic> {
    check(name)?;
    match colliding("", name, topics) {
        Some(existing) => Err(InvalidTopic::Collision { name: name.clone(), existing }),
        None => Ok(()),
    }
}

/// Checks a name alone (`Topic.validate`).
///
/// # Errors
/// What is wrong with it.
pub fn check(name: &str) -> Result<(), InvalidTopic> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match name {
        "" => Err(InvalidTopic::Empty),
        "." => Err(InvalidTopic::Dots(".")),
        ".." => Err(InvalidTopic::Dots("..")),
        text if text.encode_utf16().count() > MAX_NAME_LENGTH => {
            Err(InvalidTopic::TooLong { name: name.into(), limit: MAX_NAME_LENGTH })
        }
        text if !text.bytes().all(is_legal) => Err(InvalidTopic::Characters(name.into())),
        _ => Ok(()),
    }
}

/// The existing topic whose name begins with `prefix` and then equals `rest` but for `.` and `_`: metrics write both as `_`, so such
/// topics cannot both exist. Each step seeks once in the order of names; only prefixes that some topic has are followed.
fn colliding(prefix: &str, rest: &str, topics: &Topics) -> Option<Arc<str>> {
    let Some(place) = rest.find(['.', '_']) else {
        return topics.by_name(&format!("{prefix}{rest}")).map(|topic| topic.name().clone());
    };
    let (plain, tail) = rest.split_at(place);
    ['.', '_'].into_iter().find_map(|character| {
        let prefix = format!("{prefix}{plain}{character}");
        let exists = topics.starting_at(&prefix).next().is_some_and(|topic| topic.name().starts_with(&prefix));
        if exists { colliding(&prefix, &tail[1..], topics) } else { None }
    })
}
