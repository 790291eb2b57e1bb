//! Between a client and an object store: passes requests on, changed or not, and loses or spoils what it is told to. One request a
//! connection, so that nothing has to be parsed but heads.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is passed on.
    Pass,
    /// It is not, and this status is the answer.
    Refuse(u16),
    /// It is passed on, and the connection ends without an answer.
    LoseAnswer,
    /// It is passed on, and half of the answer's body is missing.
    Truncate,
}

/// A request, or the head of an answer.
#[derive(Clone, Debug)]
pub struct Message {
    /// The first line.
    pub line: String,
    pub headers: Vec<(String, String)>,
    /// Of a request; that of an answer is passed on as it comes.
    pub body: Vec<u8>,
}

impl Message {
    /// The method of a request.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Path and query of a request.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// Asks for something else.
    pub fn set_target(&mut self, target: &str) {
        self.line = format!("{} {target} HTTP/1.1", self.method());
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Takes a header away.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.headers.iter().position(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(self.headers.remove(at).1)
    }

    /// Sets a header.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    fn read(stream: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).ok()?;
            match header.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => return Some(Self { line: line.trim_end().to_owned(), headers, body: Vec::new() }),
            }
        }
    }

    fn head(&self) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{headers}\r\n", self.line)
    }
}

/// What a proxy does: with a request before it is passed on, and with the head of its answer.
pub trait Rule: Send + Sync + 'static {
    /// Decides on a request, and may change it.
    fn request(&self, request: &mut Message) -> Fate;

    /// May change the head of an answer.
    fn answer(&self, _answer: &mut Message) {}
}

impl<F: Fn(&mut Message) -> Fate + Send + Sync + 'static> Rule for F {
    fn request(&self, request: &mut Message) -> Fate {
        self(request)
    }
}

/// Starts a proxy before `upstream` and returns its address. It goes with the process of the test.
///
/// # Panics
/// There is no free port.
pub fn start(upstream: SocketAddr, rule: impl Rule) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let rule = Arc::new(rule);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let rule = Arc::clone(&rule);
            std::thread::spawn(move || serve(client, upstream, &*rule));
        }
    });
    address
}

/// Serves one request; whatever breaks ends the connection, which is what the client is to cope with.
fn serve(mut client: TcpStream, upstream: SocketAddr, rule: &dyn Rule) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut request = Message::read(&mut reader)?;
    if request.remove("Expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let length: usize = request.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    let fate = rule.request(&mut request);
    if let Fate::Refuse(status) = fate {
        let answer = format!("HTTP/1.1 {status} Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return client.write_all(answer.as_bytes()).ok();
    }
    request.set("Connection", "close");
    let mut server = TcpStream::connect(upstream).ok()?;
    server.write_all(request.head().as_bytes()).ok()?;
    server.write_all(&request.body).ok()?;
    let mut from_server = BufReader::new(server);
    let mut answer = Message::read(&mut from_server)?;
    rule.answer(&mut answer);
    answer.set("Connection", "close");
    let mut body = Vec::new();
    // The answer to HEAD names a length and has no body.
    from_server.read_to_end(&mut body).ok()?;
    match fate {
        Fate::LoseAnswer => return client.shutdown(Shutdown::Both).ok(),
        Fate::Truncate => body.truncate(body.len() / 2),
        Fate::Pass | Fate::Refuse(_) => {}
    }
    client.write_all(answer.head().as_bytes()).ok()?;
    client.write_all(&body).ok()
}
