//! What a running broker says of its cold tier, on the port with its metrics.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);
/// An answer that is longer is none of a broker's.
const LONGEST: u64 = 256 << 20;

/// What the broker whose metrics are at `address` says.
///
/// # Errors
/// Nobody answers there, or no broker with a cold tier does.
pub(super) fn ask(address: &str) -> anyhow::Result<Value> {
    let unreached =
        || format!("no broker tells of its cold tier at http://{address}/tier (its ottla.metrics.listener)");
    let answer = get(address).with_context(unreached)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(unreached)?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap_or_default();
    match status {
        "200" => serde_json::from_str(body).with_context(unreached),
        "404" => bail!("the broker at {address} says: {}", body.trim_end()),
        _ => bail!("the broker at {address} answers with {}", head.lines().next().unwrap_or_default()),
    }
}

fn get(address: &str) -> std::io::Result<String> {
    let target = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&target, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(format!("GET /tier HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    Ok(answer)
}
