//! As much of HTTP/1.1 as probes and Prometheus need: GET and HEAD, no body, one request a connection. Pure: bytes in, bytes out.

/// The longest head that is read, in bytes.
const MAX_HEAD: usize = 8 << 10;
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    Unfinished,
    Whole(Request),
    /// What to answer, and then close.
    Refused(Response),
}

/// A request, without what nobody here looks at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// HEAD: the answer has no body.
    pub(super) head_only: bool,
    /// Without the query.
    pub(super) path: String,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    status: u16,
    content_type: &'static str,
    length: usize,
    body: Vec<u8>,
}

/// Looks at the bytes that have come so far.
pub(super) fn parse(input: &[u8]) -> Head {
    let end = input.windows(4).position(|window| window == b"\r\n\r\n");
    if end.unwrap_or(input.len()) > MAX_HEAD {
        return Head::Refused(Response::text(431, "the request's head is too large\n"));
    }
    let Some(end) = end else { return Head::Unfinished };
    let line = input[..end].split(|byte| *byte == b'\r').next().unwrap_or_default();
    let Some((method, target)) = request_line(line) else {
        return Head::Refused(Response::text(400, "not a request of HTTP/1\n"));
    };
    let path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
    match method {
        "GET" => Head::Whole(Request { head_only: false, path }),
        "HEAD" => Head::Whole(Request { head_only: true, path }),
        _ => Head::Refused(Response::text(405, "only GET and HEAD\n")),
    }
}

/// Method and target.
fn request_line(line: &[u8]) -> Option<(&str, &str)> {
    let mut parts = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let is_sound = parts.next().is_none() && version.starts_with("HTTP/1.") && target.starts_with('/');
    (is_sound && !method.is_empty()).then_some((method, target))
}

impl Response {
    /// A line for people and scripts.
    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, TEXT, body.into())
    }

    /// A scrape.
    pub(super) fn metrics(body: String) -> Self {
        Self::new(200, PROMETHEUS, body)
    }

    /// A document.
    pub(super) fn json(body: String) -> Self {
        Self::new(200, JSON, body)
    }

    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, length: body.len(), body: body.into_bytes() }
    }

    /// The answer to HEAD.
    pub(super) fn without_body(self) -> Self {
        Self { body: Vec::new(), ..self }
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Status line and headers.
    pub(super) fn head(&self) -> Vec<u8> {
        let Self { status, content_type, length, .. } = self;
        let reason = match status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            431 => "Request Header Fields Too Large",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let allow = if *status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             {allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        .into_bytes()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(input: &str) -> Option<(bool, String)> {
        match parse(input.as_bytes()) {
            Head::Whole(request) => Some((request.head_only, request.path)),
            _ => None,
        }
    }

    fn refusal(input: &[u8]) -> Option<u16> {
        match parse(input) {
            Head::Refused(response) => Some(response.status),
            _ => None,
        }
    }

    #[test]
    fn what_probes_send_is_understood() {
        assert_eq!(path("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"), Some((false, "/livez".to_owned())));
        assert_eq!(path("HEAD /metrics?name[]=a HTTP/1.0\r\n\r\n"), Some((true, "/metrics".to_owned())));
        assert_eq!(parse(b"GET /livez HTTP/1.1\r\nHost: x\r\n"), Head::Unfinished);
        assert_eq!(parse(b""), Head::Unfinished);
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(refusal(b"POST /metrics HTTP/1.1\r\n\r\n"), Some(405));
        assert_eq!(refusal(b"GET metrics HTTP/1.1\r\n\r\n"), Some(400));
        assert_eq!(refusal(b"GET / HTTP/2\r\n\r\n"), Some(400));
        assert_eq!(refusal(b"GET  / HTTP/1.1\r\n\r\n"), Some(400));
        assert_eq!(refusal(b"\0\0\0\x0c\0\x12\0\x03\r\n\r\n"), Some(400));
        assert_eq!(refusal(&[b'a'; MAX_HEAD + 1]), Some(431));
    }

    #[test]
    fn an_answer_tells_its_length_even_without_its_body() {
        let response = Response::text(405, "only GET and HEAD\n").without_body();
        let head = String::from_utf8(response.head()).unwrap();
        assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n") && head.contains("Content-Length: 18\r\n"));
        assert!(head.contains("Allow: GET, HEAD\r\n") && head.ends_with("\r\n\r\n") && response.body().is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse(&[&bytes[..], b"\r\n\r\n"].concat());
        }

        #[test]
        fn nearly_right_lines_never_panic(line in "(GET|PUT|) ?/?[a-z?#\r]{0,9} ?HTTP/[0-9.]{0,4}") {
            let _ = parse(format!("{line}\r\n\r\n").as_bytes());
        }
    }
}
