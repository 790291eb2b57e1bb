//! Where remote segments are: a directory, or a bucket of one of the clouds and of what speaks their protocols.

use std::fmt;
use std::path::PathBuf;

use super::ConfigError;

pub(super) const URL: &str = "ottla.remote.storage.url";

/// Where remote segments are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// A directory.
    Directory(PathBuf),
    /// A bucket; with Azure it is called container.
    Bucket { cloud: Cloud, bucket: String, options: StoreOptions },
}

/// Whose protocol a store speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    S3,
    Gcs,
    Azure,
}

/// What the store's client is told over what the environment says, by the names of `object_store`'s keys. Values are not shown:
/// some are secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreOptions(Vec<(&'static str, String)>);

impl StoreOptions {
    pub(super) fn push(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(root) => write!(formatter, "{}", root.display()),
            Self::Bucket { cloud, bucket, .. } => {
                let scheme = match cloud {
                    Cloud::S3 => "s3",
                    Cloud::Gcs => "gs",
                    Cloud::Azure => "az",
                };
                write!(formatter, "{scheme}://{bucket}")
            }
        }
    }
}

impl StoreLocation {
    /// The location that a URL names, and what is put before every key there.
    pub(super) fn of_url(url: &str) -> Result<(Self, String), ConfigError> {
        let refuse = |reason: &str| Err(ConfigError::invalid(URL, url, reason));
        let Some((scheme, rest)) = url.split_once("://") else { return refuse(EXPECTED) };
        if rest.contains(['?', '#']) {
            return refuse("Credentials and options come from the environment, not from the URL");
        }
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut options = StoreOptions::default();
        let (cloud, bucket) = match (scheme, authority) {
            ("file", "") if !prefix.is_empty() => {
                return Ok((Self::Directory(PathBuf::from(format!("/{prefix}"))), String::new()));
            }
            ("s3" | "s3a", bucket) => (Cloud::S3, bucket),
            ("gs", bucket) => (Cloud::Gcs, bucket),
            ("az" | "azure" | "abfs" | "abfss", authority) => match authority.split_once('@') {
                // Hadoop's way: abfss://container@account.dfs.core.windows.net/prefix
                Some((container, host)) => {
                    let account = host.split('.').next().unwrap_or_default();
                    options.push("azure_storage_account_name", account);
                    (Cloud::Azure, container)
                }
                None => (Cloud::Azure, authority),
            },
            _ => return refuse(EXPECTED),
        };
        if bucket.is_empty() || bucket.contains('@') {
            return refuse("The URL names no bucket");
        }
        Ok((Self::Bucket { cloud, bucket: bucket.to_owned(), options }, prefix.to_owned()))
    }
}

const EXPECTED: &str = "Expected file:///and/a/path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or \
                        abfss://container@account.dfs.core.windows.net/prefix";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_directories_and_buckets() {
        let shown = |url| StoreLocation::of_url(url).map(|(location, prefix)| (location.to_string(), prefix)).ok();
        let cases = [
            ("file:///mnt/cold", Some(("/mnt/cold", ""))),
            ("s3://bucket", Some(("s3://bucket", ""))),
            ("s3a://bucket/a/b", Some(("s3://bucket", "a/b"))),
            ("gs://bucket/a", Some(("gs://bucket", "a"))),
            ("az://container/a", Some(("az://container", "a"))),
            ("abfss://container@account.dfs.core.windows.net/a", Some(("az://container", "a"))),
            ("file://relative", None),
            ("file:///", None),
            ("/mnt/cold", None),
            ("s3:///prefix", None),
            ("s3://key:secret@bucket", None),
            ("s3://bucket?region=x", None),
            ("https://bucket.s3.amazonaws.com", None),
        ];
        for (url, expected) in cases {
            let expected = expected.map(|(location, prefix)| (location.to_owned(), prefix.to_owned()));
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn the_account_of_hadoops_way_is_an_option_and_values_are_not_shown() {
        let (location, _) = StoreLocation::of_url("abfs://c@someone.dfs.core.windows.net").unwrap();
        let StoreLocation::Bucket { options, .. } = &location else { panic!("{location:?}") };
        assert_eq!(options.iter().collect::<Vec<_>>(), [("azure_storage_account_name", "someone")]);
        assert!(!format!("{location:?}").contains("someone"), "{location:?}");
    }
}
