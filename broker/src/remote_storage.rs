//! Opens the store that the settings name, with the client of its cloud. Credentials and everything else that the settings do not
//! say come from the environment, in the names that each cloud's own tools have.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use storage::remote_log::object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use storage::remote_log::object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use storage::remote_log::object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use storage::remote_log::object_store::local::LocalFileSystem;
use storage::remote_log::object_store::prefix::PrefixStore;
use storage::remote_log::object_store::{
    BackoffConfig, Certificate, ClientConfigKey, ClientOptions, Error, ObjectStore, Result, RetryConfig,
};

use crate::config::{Cloud, RemoteConfig, StoreLocation, StoreOptions};

/// For one request; the store's own deadline is the same.
const REQUEST: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(5);
/// The client tries a little again by itself; who waits for more is the one who asks, so that the reason is seen.
const RETRIES: usize = 3;

/// The store, with the prefix before every key. Nothing is read or written there yet, but for a directory, which is made; folders
/// in it go with their last file.
///
/// # Errors
/// A directory that cannot be made, credentials that cannot be read, options that contradict each other.
pub fn open(remote: &RemoteConfig) -> Result<Arc<dyn ObjectStore>> {
    let prefix = remote.key_prefix.as_str();
    Ok(match &remote.location {
        StoreLocation::Directory(root) => {
            std::fs::create_dir_all(root).map_err(|error| unusable(error.into()))?;
            let files = LocalFileSystem::new_with_prefix(root)?.with_fsync(true).with_automatic_cleanup(true);
            Arc::new(PrefixStore::new(files, prefix))
        }
        StoreLocation::Bucket { cloud: Cloud::S3, bucket, options } => {
            Arc::new(PrefixStore::new(s3(bucket, options).build()?, prefix))
        }
        StoreLocation::Bucket { cloud: Cloud::Gcs, bucket, options } => {
            Arc::new(PrefixStore::new(gcs(bucket, options).build()?, prefix))
        }
        StoreLocation::Bucket { cloud: Cloud::Azure, bucket, options } => {
            Arc::new(PrefixStore::new(azure(bucket, options).build()?, prefix))
        }
    })
}

/// Where the store's objects are files, if they are.
pub fn directory(remote: &RemoteConfig) -> Option<PathBuf> {
    match &remote.location {
        StoreLocation::Directory(root) => Some(root.join(remote.key_prefix.trim_matches('/'))),
        StoreLocation::Bucket { .. } => None,
    }
}

fn unusable(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: "LocalFileSystem", source }
}

/// What the environment says in variables with that prefix, and over it the options, as far as the client knows them.
fn settings<K: FromStr>(prefix: &str, options: &StoreOptions) -> Vec<(K, String)> {
    let of_environment = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(prefix))?;
        Some((name.to_ascii_lowercase().parse().ok()?, value.into_string().ok()?))
    });
    let own = options.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.to_owned())));
    of_environment.chain(own).collect()
}

fn s3(bucket: &str, options: &StoreOptions) -> AmazonS3Builder {
    let start = AmazonS3Builder::new().with_client_options(client()).with_retry(retry());
    let builder =
        settings("AWS_", options).into_iter().fold(start, |builder, (key, value)| builder.with_config(key, value));
    let builder = builder.with_bucket_name(bucket);
    let value = |key| builder.get_config_value(&key).filter(|value| !value.is_empty());
    let Some(endpoint) = value(AmazonS3ConfigKey::S3Endpoint).or_else(|| value(AmazonS3ConfigKey::Endpoint)) else {
        return builder;
    };
    let is_virtual = value(AmazonS3ConfigKey::VirtualHostedStyleRequest).is_some_and(|value| value == "true");
    let is_plain = endpoint.starts_with("http://");
    let endpoint = if is_virtual { with_bucket(&endpoint, bucket) } else { endpoint };
    // Whoever writes http:// means it.
    let builder = if is_plain { builder.with_allow_http(true) } else { builder };
    builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint)
}

/// The endpoint with the bucket before its host, where it is not there yet.
fn with_bucket(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) if !host.starts_with(&format!("{bucket}.")) => format!("{scheme}://{bucket}.{host}"),
        _ => endpoint.to_owned(),
    }
}

fn gcs(bucket: &str, options: &StoreOptions) -> GoogleCloudStorageBuilder {
    let start = GoogleCloudStorageBuilder::new().with_client_options(client()).with_retry(retry());
    let settings = settings("GOOGLE_", options);
    let is_plain = settings.iter().any(|(key, value)| *key == GoogleConfigKey::BaseUrl && value.starts_with("http://"));
    let builder = settings.into_iter().fold(start, |builder, (key, value)| builder.with_config(key, value));
    let builder = builder.with_bucket_name(bucket);
    if is_plain { builder.with_config(GoogleConfigKey::Client(ClientConfigKey::AllowHttp), "true") } else { builder }
}

fn azure(container: &str, options: &StoreOptions) -> MicrosoftAzureBuilder {
    let start = MicrosoftAzureBuilder::new().with_client_options(client()).with_retry(retry());
    let mut settings = settings("AZURE_", options);
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let named = options.iter().find(|(name, _)| *name == CONNECTION_STRING).map(|(_, value)| value.to_owned());
    if let Some(text) = named.or_else(|| variable("AZURE_STORAGE_CONNECTION_STRING")) {
        settings.extend(of_connection_string(&text));
    }
    // The names of Azure's own command line.
    for (name, key) in
        [("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName), ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey)]
    {
        settings.splice(0..0, variable(name).map(|value| (key, value)));
    }
    let is_plain = settings.iter().any(|(key, value)| *key == AzureConfigKey::Endpoint && value.starts_with("http://"));
    let builder = settings.into_iter().fold(start, |builder, (key, value)| builder.with_config(key, value));
    let builder = builder.with_container_name(container);
    if is_plain { builder.with_allow_http(true) } else { builder }
}

/// Not a key of the client: it is taken apart.
const CONNECTION_STRING: &str = "azure_storage_connection_string";

/// What `AccountName=…;AccountKey=…` says.
fn of_connection_string(text: &str) -> Vec<(AzureConfigKey, String)> {
    let fields = || text.split(';').filter_map(|field| field.split_once('='));
    let find = |wanted: &str| {
        fields().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
    };
    let account = find("AccountName");
    let endpoint = find("BlobEndpoint").or_else(|| {
        let (account, suffix) = (account.as_ref()?, find("EndpointSuffix")?);
        Some(format!("{}://{account}.blob.{suffix}", find("DefaultEndpointsProtocol").unwrap_or("https".to_owned())))
    });
    let found = [
        (AzureConfigKey::AccountName, account),
        (AzureConfigKey::AccessKey, find("AccountKey")),
        (AzureConfigKey::SasKey, find("SharedAccessSignature")),
        (AzureConfigKey::Endpoint, endpoint),
    ];
    found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn retry() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 };
    RetryConfig { backoff, max_retries: RETRIES, retry_timeout: REQUEST }
}

/// How every client speaks HTTP. Where the machine has no certificates, as in an image with nothing but this binary, Mozilla's
/// are trusted, which are compiled in.
fn client() -> ClientOptions {
    // It fails if there is one already, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT);
    if !rustls_native_certs::load_native_certs().certs.is_empty() {
        return options;
    }
    let trusted = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok());
    trusted.fold(options.with_no_system_certificates(true), ClientOptions::with_root_certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_comes_before_the_host_once() {
        assert_eq!(with_bucket("https://s3.example.com", "cold"), "https://cold.s3.example.com");
        assert_eq!(with_bucket("https://cold.s3.example.com", "cold"), "https://cold.s3.example.com");
    }

    #[test]
    fn a_connection_string_is_taken_apart() {
        let text = "DefaultEndpointsProtocol=https;AccountName=me;AccountKey=a2V5PT0=;EndpointSuffix=core.windows.net";
        let expected = [
            (AzureConfigKey::AccountName, "me".to_owned()),
            (AzureConfigKey::AccessKey, "a2V5PT0=".to_owned()),
            (AzureConfigKey::Endpoint, "https://me.blob.core.windows.net".to_owned()),
        ];
        assert_eq!(of_connection_string(text), expected);
        let text = "BlobEndpoint=http://127.0.0.1:10000/me;SharedAccessSignature=sv=1&sig=2";
        let expected = [
            (AzureConfigKey::SasKey, "sv=1&sig=2".to_owned()),
            (AzureConfigKey::Endpoint, "http://127.0.0.1:10000/me".to_owned()),
        ];
        assert_eq!(of_connection_string(text), expected);
    }

    #[test]
    fn clients_are_made_without_asking_anybody() {
        let mut options = StoreOptions::default();
        assert!(s3("cold", &options).build().is_ok());
        assert!(azure("cold", &options).with_account("me").with_access_key("a2V5").build().is_ok());
        options = StoreOptions::default();
        let key = r#"{"gcs_base_url":"http://127.0.0.1:1","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}"#;
        assert!(gcs("cold", &options).with_service_account_key(key).build().is_ok());
    }
}
