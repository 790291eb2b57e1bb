//! The keys of Aiven's `RemoteStorageManager`, old and new, as settings of the stores that are built in. Sources there:
//! `RemoteStorageManagerConfig`, `S3StorageConfig`, `GcsStorageConfig`, `AzureBlobStorageConfig`.
//! <https://github.com/Aiven-Open/tiered-storage-for-apache-kafka>

use std::path::PathBuf;

use super::ConfigError;
use super::remote::{OwnKeys, bytes, required};
use super::store_location::{Cloud, StoreLocation, StoreOptions};

/// The class's own name.
pub(super) const CLASS: &str = "io.aiven.kafka.tieredstorage.RemoteStorageManager";
const BACKEND: &str = "storage.backend.class";
const FILES: &str = "io.aiven.kafka.tieredstorage.storage.filesystem.FileSystemStorage";
const S3: &str = "io.aiven.kafka.tieredstorage.storage.s3.S3Storage";
const GCS: &str = "io.aiven.kafka.tieredstorage.storage.gcs.GcsStorage";
const AZURE: &str = "io.aiven.kafka.tieredstorage.storage.azure.AzureBlobStorage";

/// What is not done here and must not be left out in silence: what is to be secret would lie open, what is to go through a proxy
/// would go around it, and the wrong account would be used.
const REFUSED: [(&str, &str); 3] = [
    ("encryption.enabled", "Segments are not encrypted here; let the bucket do it"),
    ("storage.proxy.host", "SOCKS proxies are not used"),
    (
        "storage.aws.credentials.file",
        "Give storage.aws.access.key.id and storage.aws.secret.access.key, or AWS_* variables",
    ),
];

/// The store that the keys name, what is put before every key there, and the size of parts in which segments go up.
pub(super) fn location(own: &mut OwnKeys) -> Result<(StoreLocation, String, Option<u64>), ConfigError> {
    for (name, reason) in REFUSED {
        match own.remove(name) {
            Some(value) if value.trim() != "false" => return Err(ConfigError::invalid(name, "(hidden)", reason)),
            _ => {}
        }
    }
    let backend = required(own, BACKEND)?;
    let (location, part_bytes) = match backend.as_str() {
        FILES => {
            own.remove("storage.overwrite.enabled");
            (StoreLocation::Directory(PathBuf::from(required(own, "storage.root")?)), None)
        }
        S3 => s3(own)?,
        GCS => gcs(own)?,
        AZURE => azure(own)?,
        _ => {
            let reason =
                format!("Java classes are not loaded; built in under their names are {FILES}, {S3}, {GCS} and {AZURE}");
            return Err(ConfigError::invalid(BACKEND, backend, reason));
        }
    };
    Ok((location, own.remove("key.prefix").unwrap_or_default(), part_bytes))
}

/// Moves what `own` says under the names on the left to the options under those on the right.
fn take(own: &mut OwnKeys, options: &mut StoreOptions, names: &[(&str, &'static str)]) {
    for (theirs, ours) in names {
        if let Some(value) = own.remove(*theirs).filter(|value| !value.is_empty()) {
            options.push(ours, value);
        }
    }
}

fn s3(own: &mut OwnKeys) -> Result<(StoreLocation, Option<u64>), ConfigError> {
    let bucket = required(own, "storage.s3.bucket.name")?;
    let mut options = StoreOptions::default();
    let (key, secret) = ("storage.aws.access.key.id", "storage.aws.secret.access.key");
    if own.contains_key(key) != own.contains_key(secret) {
        return Err(ConfigError::Conflict(format!("{key} and {secret} must be defined together")));
    }
    // As the SDK decides: the bucket is in the host name unless the host is an address or the file says otherwise.
    let is_address = own.get("storage.s3.endpoint.url").is_none_or(|url| has_address(url));
    let is_virtual = match own.remove("storage.s3.path.style.access.enabled") {
        Some(path_style) => path_style.trim() != "true",
        None => !is_address,
    };
    options.push("aws_virtual_hosted_style_request", is_virtual.to_string());
    if own.remove("storage.aws.certificate.check.enabled").is_some_and(|value| value.trim() == "false") {
        options.push("allow_invalid_certificates", "true");
    }
    let names = [
        ("storage.s3.endpoint.url", "aws_endpoint_url_s3"),
        ("storage.s3.region", "aws_region"),
        (key, "aws_access_key_id"),
        (secret, "aws_secret_access_key"),
    ];
    take(own, &mut options, &names);
    let part_bytes = bytes(own, &["storage.s3.multipart.upload.part.size"], 5 << 20)?;
    Ok((StoreLocation::Bucket { cloud: Cloud::S3, bucket, options }, part_bytes))
}

/// Whether the host of a URL is a number.
fn has_address(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    authority.starts_with('[')
        || authority.split(':').next().is_some_and(|host| host.parse::<std::net::Ipv4Addr>().is_ok())
}

fn gcs(own: &mut OwnKeys) -> Result<(StoreLocation, Option<u64>), ConfigError> {
    let bucket = required(own, "storage.gcs.bucket.name")?;
    let mut options = StoreOptions::default();
    own.remove("storage.gcs.credentials.default");
    let names = [
        ("storage.gcs.endpoint.url", "google_base_url"),
        ("storage.gcs.credentials.json", "google_service_account_key"),
        ("storage.gcs.credentials.path", "google_application_credentials"),
    ];
    take(own, &mut options, &names);
    let part_bytes = bytes(own, &["storage.gcs.resumable.upload.chunk.size"], 256 << 10)?;
    Ok((StoreLocation::Bucket { cloud: Cloud::Gcs, bucket, options }, part_bytes.map(|bytes| bytes.max(5 << 20))))
}

fn azure(own: &mut OwnKeys) -> Result<(StoreLocation, Option<u64>), ConfigError> {
    let bucket = required(own, "storage.azure.container.name")?;
    let mut options = StoreOptions::default();
    let names = [
        ("storage.azure.account.name", "azure_storage_account_name"),
        ("storage.azure.account.key", "azure_storage_account_key"),
        ("storage.azure.sas.token", "azure_storage_sas_token"),
        ("storage.azure.endpoint.url", "azure_storage_endpoint"),
    ];
    take(own, &mut options, &names);
    take(own, &mut options, &[("storage.azure.connection.string", "azure_storage_connection_string")]);
    let part_bytes = bytes(own, &["storage.azure.upload.block.size"], 100 << 10)?;
    Ok((StoreLocation::Bucket { cloud: Cloud::Azure, bucket, options }, part_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(keys: &[(&str, &str)]) -> Result<(StoreLocation, String, Option<u64>, OwnKeys), String> {
        let mut own = keys.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (location, prefix, part_bytes) = location(&mut own).map_err(|error| error.to_string())?;
        Ok((location, prefix, part_bytes, own))
    }

    fn options(location: &StoreLocation) -> Vec<(&'static str, &str)> {
        match location {
            StoreLocation::Bucket { options, .. } => options.iter().collect(),
            StoreLocation::Directory(_) => Vec::new(),
        }
    }

    #[test]
    fn the_keys_of_s3() {
        let keys = [
            (BACKEND, S3),
            ("key.prefix", "demo/"),
            ("storage.s3.bucket.name", "cold"),
            ("storage.s3.region", "eu-west-1"),
            ("storage.s3.endpoint.url", "http://127.0.0.1:9000"),
            ("storage.aws.access.key.id", "key"),
            ("storage.aws.secret.access.key", "secret"),
            ("storage.s3.multipart.upload.part.size", "6000000"),
        ];
        let (location, prefix, part_bytes, left) = locate(&keys).unwrap();
        let expected = [
            ("aws_virtual_hosted_style_request", "false"),
            ("aws_endpoint_url_s3", "http://127.0.0.1:9000"),
            ("aws_region", "eu-west-1"),
            ("aws_access_key_id", "key"),
            ("aws_secret_access_key", "secret"),
        ];
        assert_eq!(options(&location), expected);
        assert_eq!(
            (location.to_string().as_str(), prefix.as_str(), part_bytes),
            ("s3://cold", "demo/", Some(6_000_000))
        );
        assert!(left.is_empty(), "{left:?}");
        assert!(locate(&keys[..6]).unwrap_err().contains("must be defined together"));
    }

    #[test]
    fn the_bucket_is_in_the_host_name_as_the_sdk_has_it() {
        let style = |more: &[(&str, &str)]| {
            let (location, ..) = locate(&[&[(BACKEND, S3), ("storage.s3.bucket.name", "b")], more].concat()).unwrap();
            options(&location)[0].1.to_owned()
        };
        let endpoint = |url| ("storage.s3.endpoint.url", url);
        let path_style = |value| ("storage.s3.path.style.access.enabled", value);
        assert_eq!(style(&[]), "false");
        assert_eq!(style(&[endpoint("https://minio.example.com")]), "true");
        assert_eq!(style(&[endpoint("https://minio.example.com"), path_style("true")]), "false");
        assert_eq!(style(&[endpoint("http://10.0.0.1:9000/")]), "false");
        assert_eq!(style(&[path_style("false")]), "true");
    }

    #[test]
    fn the_keys_of_gcs_and_azure() {
        let keys = [
            (BACKEND, GCS),
            ("storage.gcs.bucket.name", "cold"),
            ("storage.gcs.credentials.path", "/key.json"),
            ("storage.gcs.credentials.default", "false"),
        ];
        let (location, _, _, left) = locate(&keys).unwrap();
        assert_eq!(options(&location), [("google_application_credentials", "/key.json")]);
        assert_eq!((location.to_string().as_str(), left.len()), ("gs://cold", 0));
        let keys = [
            (BACKEND, AZURE),
            ("storage.azure.container.name", "cold"),
            ("storage.azure.account.name", "me"),
            ("storage.azure.account.key", "c2VjcmV0"),
        ];
        let (location, _, _, left) = locate(&keys).unwrap();
        assert_eq!(
            options(&location),
            [("azure_storage_account_name", "me"), ("azure_storage_account_key", "c2VjcmV0")]
        );
        assert_eq!((location.to_string().as_str(), left.len()), ("az://cold", 0));
    }

    #[test]
    fn what_must_not_be_left_out_in_silence_is_refused() {
        let files = [(BACKEND, FILES), ("storage.root", "/cold")];
        for (name, value) in
            [("encryption.enabled", "true"), ("storage.proxy.host", "proxy"), ("storage.aws.credentials.file", "/x")]
        {
            let refused = locate(&[&files[..], &[(name, value)]].concat()).unwrap_err();
            assert!(refused.contains(name), "{refused}");
        }
        locate(&[&files[..], &[("encryption.enabled", "false")]].concat()).unwrap();
        let refused = locate(&[(BACKEND, "io.aiven.kafka.tieredstorage.storage.hdfs.HdfsStorage")]).unwrap_err();
        assert!([FILES, S3, GCS, AZURE].iter().all(|known| refused.contains(known)), "{refused}");
    }
}
