//! Metrics and health as a scraper sees them: raw HTTP, and a strict reading of Prometheus' text format.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::broker::Broker;

const LIMIT: Duration = Duration::from_secs(60);

/// An answer over HTTP.
#[derive(Debug)]
pub struct HttpResponse {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Where the broker serves metrics, as its log says.
///
/// # Panics
/// The log does not say.
#[track_caller]
pub fn address(broker: &Broker) -> SocketAddr {
    let log = broker.log();
    let rest = log.split_once("Metrics and health on http://").expect("a line with the address").1;
    let text = rest.split('/').next().unwrap_or_default();
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Sends bytes and reads to the end; `None` if nothing comes back.
///
/// # Panics
/// The answer is not HTTP.
#[track_caller]
pub fn exchange(address: SocketAddr, request: &[u8]) -> Option<HttpResponse> {
    let mut stream = TcpStream::connect(address).expect("the listener accepts");
    stream.set_read_timeout(Some(LIMIT)).expect("a time-out can be set");
    // The server may have answered and closed before it took everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        return None;
    }
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("a status line");
    let status = status.parse().expect("a number");
    Some(HttpResponse { status, head: head.to_owned(), body: body.to_owned() })
}

/// GET, as curl does it.
///
/// # Panics
/// No answer, or one that is not as long as it says.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> HttpResponse {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n");
    let response = exchange(address, request.as_bytes()).expect("an answer");
    let length = response.head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    assert_eq!(length.parse(), Ok(response.body.len()), "{}", response.head);
    response
}

/// Series by name and labels as they stand in the text.
#[derive(Debug)]
pub struct Scrape {
    pub bytes: usize,
    series: BTreeMap<String, f64>,
}

impl Scrape {
    /// Scrapes a broker.
    ///
    /// # Panics
    /// The answer is not what `promtool check metrics` would accept.
    #[track_caller]
    pub fn of(address: SocketAddr) -> Self {
        let response = get(address, "/metrics");
        assert_eq!(response.status, 200);
        assert!(response.head.contains("Content-Type: text/plain; version=0.0.4"), "{}", response.head);
        Self::parse(&response.body)
    }

    /// Reads the text format: every family has a help and a type before its series, stands in one place, and has no series twice.
    #[track_caller]
    fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let mut series = BTreeMap::new();
        let mut families = HashSet::new();
        let (mut helped, mut family) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                helped = rest.split_once(' ').expect("a name and a text").0.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert!(["counter", "gauge"].contains(&kind), "{line}");
                assert_eq!(name, helped, "the help comes first");
                assert!(families.insert(name.to_owned()), "{name} is in two places");
                name.clone_into(&mut family);
            } else {
                let (key, value) = line.rsplit_once(' ').expect("a series and a value");
                let name = key.split('{').next().unwrap_or_default();
                let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
                assert!(!name.is_empty() && name.chars().all(is_word), "{line}");
                assert!(key == name || (key.ends_with("\"}") && key[name.len()..].starts_with('{')), "{line}");
                assert_eq!(name, family, "{line}");
                let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
                assert!(series.insert(key.to_owned(), value).is_none(), "{key} is there twice");
            }
        }
        Self { bytes: text.len(), series }
    }

    /// The value of a series, named as it stands in the text.
    #[track_caller]
    pub fn value(&self, key: &str) -> f64 {
        self.find(key).unwrap_or_else(|| panic!("no series {key} in {:#?}", self.series))
    }

    /// The value of a series, if it is there.
    pub fn find(&self, key: &str) -> Option<f64> {
        self.series.get(key).copied()
    }

    /// Whether a family of that name has a series.
    pub fn has(&self, family: &str) -> bool {
        self.series.keys().any(|key| key.split('{').next() == Some(family))
    }
}
