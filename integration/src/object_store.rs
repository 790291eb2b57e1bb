//! Object stores that run here: MinIO and versitygw for S3, Azurite for Azure, and MinIO behind a translator for Google's. Each is
//! a process of its own on a free port, its data in a temporary folder, killed with the test.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use object_store::HeaderMap;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::{HttpRequest, HttpRequestBody};

use crate::http_proxy::{self, Fate, Message, Rule};
use crate::monitoring::{HttpResponse, exchange};
use crate::{clients, wait};

const START_LIMIT: Duration = Duration::from_secs(120);
/// How often another port is tried: between the moment that one is seen to be free and its use, anybody may take it.
const TRIES: usize = 10;

/// The bucket that is there.
pub const BUCKET: &str = "cold";
const REGION: &str = "us-east-1";
const KEY: &str = "ottla-test";
const SECRET: &str = "ottla-secret";
const ACCOUNT: &str = "ottla";
/// Base64, as Azure has it.
const ACCOUNT_KEY: &str = "b3R0bGEtc2VjcmV0LW90dGxhLXNlY3JldA==";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    S3,
    Azure,
    Google,
}

/// A running store.
pub struct ObjectStore {
    child: Child,
    protocol: Protocol,
    address: SocketAddr,
    /// Where clients go: the store's own address or that of a proxy.
    door: SocketAddr,
    _folder: tempfile::TempDir,
}

impl ObjectStore {
    /// MinIO, by the S3 protocol.
    pub fn minio() -> Self {
        let start = |folder: &str, port: u16| {
            let mut command = clients::store("minio");
            command.args(["server", folder, "--address", &format!("127.0.0.1:{port}")]);
            command.envs([("MINIO_ROOT_USER", KEY), ("MINIO_ROOT_PASSWORD", SECRET)]);
            command.envs([("MINIO_UPDATE", "off"), ("MINIO_BROWSER", "off")]);
            command
        };
        Self::start(Protocol::S3, start)
    }

    /// versitygw, by the S3 protocol.
    pub fn versitygw() -> Self {
        let start = |folder: &str, port: u16| {
            let mut command = clients::store("versitygw");
            command.args(["--port", &format!("127.0.0.1:{port}"), "posix", folder]);
            command.envs([("ROOT_ACCESS_KEY", KEY), ("ROOT_SECRET_KEY", SECRET)]);
            command
        };
        Self::start(Protocol::S3, start)
    }

    /// Azurite.
    pub fn azurite() -> Self {
        let start = |folder: &str, port: u16| {
            let mut command = clients::store("azurite");
            command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--location", folder]);
            command.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry"]);
            command.env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{ACCOUNT_KEY}"));
            command
        };
        let store = Self::start(Protocol::Azure, start);
        let made = store.signed("PUT", &format!("/{ACCOUNT}/{BUCKET}?restype=container"));
        assert_eq!(made.status, 201, "{}", made.body);
        store
    }

    /// MinIO behind what makes it speak as Google's does.
    pub fn google() -> Self {
        let mut store = Self::minio();
        store.protocol = Protocol::Google;
        store.door = http_proxy::start(store.address, Translator { upstream: store.address });
        store
    }

    fn start(protocol: Protocol, command: impl Fn(&str, u16) -> Command) -> Self {
        for _ in 0..TRIES {
            let folder = tempfile::Builder::new().prefix("store.").tempdir().expect("a temporary folder");
            if protocol == Protocol::S3 {
                // To both a folder is a bucket.
                fs::create_dir(folder.path().join(BUCKET)).expect("a folder in it");
            }
            let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
            let address = free.expect("a free port");
            let log = fs::File::create(folder.path().with_extension("log")).expect("a log");
            let mut command = command(&folder.path().display().to_string(), address.port());
            command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
            let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
            let mut store = Self { child, protocol, address, door: address, _folder: folder };
            if store.is_ready() {
                return store;
            }
        }
        panic!("no store in {TRIES} tries");
    }

    /// False if it ended instead.
    fn is_ready(&mut self) -> bool {
        wait::until("the store's first answer", START_LIMIT, || {
            if self.child.try_wait().expect("a child can be waited for").is_some() {
                return Some(false);
            }
            TcpStream::connect(self.address).ok()?;
            let path = if self.protocol == Protocol::Azure { format!("/{ACCOUNT}?comp=list") } else { "/".to_owned() };
            (self.signed("GET", &path).status == 200).then_some(true)
        })
    }

    /// The store itself, for a proxy.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets clients come through a proxy with that rule.
    #[must_use]
    pub fn behind(mut self, rule: impl Rule) -> Self {
        self.door = http_proxy::start(self.address, rule);
        self
    }

    /// What `ottla.remote.storage.url` is.
    pub fn url(&self) -> String {
        let scheme = match self.protocol {
            Protocol::S3 => "s3",
            Protocol::Azure => "az",
            Protocol::Google => "gs",
        };
        format!("{scheme}://{BUCKET}/kafka")
    }

    /// How a broker gets there.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let door = self.door;
        match self.protocol {
            Protocol::S3 => vec![
                ("AWS_ENDPOINT_URL", format!("http://{door}")),
                ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
                ("AWS_REGION", REGION.to_owned()),
            ],
            Protocol::Azure => vec![
                ("AZURE_STORAGE_ACCOUNT", ACCOUNT.to_owned()),
                ("AZURE_STORAGE_KEY", ACCOUNT_KEY.to_owned()),
                ("AZURE_STORAGE_ENDPOINT", format!("http://{door}/{ACCOUNT}")),
            ],
            Protocol::Google => {
                let nobody = r#"{"disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}"#;
                vec![("GOOGLE_BASE_URL", format!("http://{door}")), ("GOOGLE_SERVICE_ACCOUNT_KEY", nobody.to_owned())]
            }
        }
    }

    /// Keys of all objects in the bucket.
    ///
    /// # Panics
    /// The store does not say.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        let (path, tag) = match self.protocol {
            Protocol::Azure => (format!("/{ACCOUNT}/{BUCKET}?comp=list&restype=container"), "<Name>"),
            _ => (format!("/{BUCKET}?list-type=2"), "<Key>"),
        };
        let listed = self.signed("GET", &path);
        assert_eq!(listed.status, 200, "{}", listed.body);
        let names = listed.body.split(tag).skip(1);
        names.map(|rest| rest.split('<').next().unwrap_or_default().to_owned()).collect()
    }

    /// Deletes everything that is in the bucket, behind everybody's back.
    ///
    /// # Panics
    /// The store does not do it, or it is not one of S3's protocol.
    #[track_caller]
    pub fn empty(&self) {
        assert!(self.protocol == Protocol::S3, "others have other paths");
        for key in self.keys() {
            let deleted = self.signed("DELETE", &format!("/{BUCKET}/{key}"));
            assert_eq!(deleted.status, 204, "{}", deleted.body);
        }
    }

    /// A request with our signature to the store itself.
    #[track_caller]
    fn signed(&self, method: &str, target: &str) -> HttpResponse {
        let headers = match self.protocol {
            Protocol::Azure => sign_for_azure(self.address, method, target),
            _ => sign_for_s3(self.address, method, target),
        };
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let address = self.address;
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n");
        let nothing = HttpResponse { status: 0, head: String::new(), body: String::new() };
        exchange(address, format!("{head}{lines}\r\n").as_bytes()).unwrap_or(nothing)
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(address: SocketAddr, method: &str, target: &str) -> HttpRequest {
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = method.parse().expect("a method");
    *request.uri_mut() = format!("http://{address}{target}").parse().expect("a path");
    request
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &object_store::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// The headers that make a request ours; its body is not signed.
fn sign_for_s3(address: SocketAddr, method: &str, target: &str) -> Vec<(String, String)> {
    let credential = AwsCredential { key_id: KEY.to_owned(), secret_key: SECRET.to_owned(), token: None };
    let mut request = request(address, method, target);
    let authorizer = AwsAuthorizer::new(&credential, "s3", REGION).with_sign_payload(false);
    authorizer.try_authorize(&mut request, None).expect("a request can be signed");
    pairs(request.headers())
}

fn sign_for_azure(address: SocketAddr, method: &str, target: &str) -> Vec<(String, String)> {
    let key = AzureAccessKey::try_new(ACCOUNT_KEY).expect("a key");
    let credential = AzureCredential::AccessKey(key);
    let mut request = request(address, method, target);
    AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request).expect("a request can be signed");
    pairs(request.headers())
}

/// Takes the signature of a request away and puts ours there, after whatever was changed.
pub fn sign_again(upstream: SocketAddr, request: &mut Message) {
    for name in ["authorization", "x-amz-date", "x-amz-content-sha256", "host"] {
        request.remove(name);
    }
    for (name, value) in sign_for_s3(upstream, request.method(), request.target()) {
        request.set(&name, value);
    }
    request.set("Host", upstream.to_string());
}

/// Google's XML interface over that of S3: preconditions by generation are preconditions by tag.
struct Translator {
    upstream: SocketAddr,
}

/// The target with a path as S3 signs it: Google's client escapes what needs no escape.
fn decoded(target: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let mut pieces = path.split('%');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).expect("two digits");
        plain.push(char::from(byte));
        plain.push_str(&piece[2..]);
    }
    query.map_or(plain.clone(), |query| format!("{plain}?{query}"))
}

impl Rule for Translator {
    fn request(&self, request: &mut Message) -> Fate {
        if request.remove("x-goog-if-generation-match").is_some_and(|generation| generation == "0") {
            request.set("If-None-Match", "*");
        }
        request.set("Accept-Encoding", "identity");
        request.set_target(&decoded(request.target()));
        sign_again(self.upstream, request);
        Fate::Pass
    }

    fn answer(&self, answer: &mut Message) {
        let Some(tag) = answer.header("ETag") else { return };
        let mut hasher = DefaultHasher::new();
        tag.hash(&mut hasher);
        let generation = hasher.finish() >> 1;
        answer.set("x-goog-generation", generation.to_string());
    }
}
