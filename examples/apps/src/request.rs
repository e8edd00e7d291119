//! The heads of HTTP/1.1 requests.

use std::io::{self, BufRead};

/// Bytes of the longest head.
const LONGEST_HEAD: usize = 16 << 10;
/// Bytes of the longest body.
const LONGEST_BODY: usize = 1 << 20;

/// What the head of a request says.
#[derive(Debug)]
pub struct Request {
    /// GET, POST and so on.
    pub method: String,
    /// What is asked for.
    pub path: String,
    /// Bytes that follow the head.
    pub length: usize,
    /// Whether the client waits for a word before it sends them.
    pub expects_continue: bool,
}

impl Request {
    /// Reads the head of a request up to the empty line.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it is none, is too long, or announces a body in parts or of more than a megabyte.
    pub fn read(stream: &mut impl BufRead) -> io::Result<Request> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let before = head.len();
            io::Read::take(&mut *stream, (LONGEST_HEAD - before) as u64).read_until(b'\n', &mut head)?;
            if head.len() == before {
                return Err(invalid("the head of a request is too long or has no end"));
            }
        }
        parse(&head)
    }
}

fn parse(head: &[u8]) -> io::Result<Request> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).map_err(invalid)?;
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        length: 0,
        expects_continue: false,
    };
    for header in parsed.headers.iter() {
        let value = str::from_utf8(header.value).map_err(invalid)?.trim();
        match header.name.to_ascii_lowercase().as_str() {
            "content-length" => request.length = value.parse().map_err(invalid)?,
            "transfer-encoding" => return Err(invalid("bodies in parts are not supported")),
            "expect" => request.expects_continue = value.eq_ignore_ascii_case("100-continue"),
            _ => {}
        }
    }
    if request.length > LONGEST_BODY {
        return Err(invalid("the body is too long"));
    }
    Ok(request)
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
