//! When is an HTTP answer complete, and is it the right one? Reads the head line by line, then as much as `Content-Length` says.

use super::connections::Protocol;
use crate::shape::HTTP_BODY;

/// A head that is longer than this has no end.
const LONGEST_HEAD: usize = 8192;

/// What has come of an answer, and how much of that has been looked at.
#[derive(Debug, Default)]
pub(super) struct Http {
    received: Vec<u8>,
    at: Part,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, Default)]
enum Part {
    /// The first line.
    #[default]
    Status,
    /// A header or the empty line, from an offset on; and the length of the body, if a header has told it.
    Header { start: usize, length: Option<usize> },
    /// So many bytes, from an offset on.
    Body { start: usize, length: usize },
}

impl Protocol for Http {
    const REQUEST: &'static [u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    fn take(&mut self, piece: &[u8]) -> Result<bool, String> {
        self.received.extend_from_slice(piece);
        loop {
            self.at = match self.at {
                Part::Status => match line(&self.received) {
                    Some((status, next)) => {
                        check_status(status)?;
                        Part::Header { start: next, length: None }
                    }
                    None => return self.wants_more(),
                },
                Part::Header { start, length } => match line(&self.received[start..]) {
                    Some(([], next)) => {
                        Part::Body { start: start + next, length: length.ok_or("the answer has no Content-Length")? }
                    }
                    Some((header, next)) => {
                        Part::Header { start: start + next, length: content_length(header)?.or(length) }
                    }
                    None => return self.wants_more(),
                },
                Part::Body { start, length } => return self.take_body(start, length),
            };
        }
    }
}

impl Http {
    fn wants_more(&self) -> Result<bool, String> {
        match self.received.len() {
            ..=LONGEST_HEAD => Ok(false),
            _ => Err(format!("the head of the answer does not end within {LONGEST_HEAD} bytes")),
        }
    }

    fn take_body(&mut self, start: usize, length: usize) -> Result<bool, String> {
        if length != HTTP_BODY.len() {
            return Err(format!("the body has {length} bytes instead of {}", HTTP_BODY.len()));
        }
        let body = &self.received[start..];
        if body.len() < length {
            return Ok(false);
        }
        if body != HTTP_BODY.as_bytes() {
            return Err(format!("the body is `{}` instead of `{HTTP_BODY}`", String::from_utf8_lossy(body)));
        }
        // The room is kept for the next answer.
        self.received.clear();
        self.at = Part::Status;
        Ok(true)
    }
}

/// The first line without its end, if that has come, and where the next one starts.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

fn check_status(line: &[u8]) -> Result<(), String> {
    match line.strip_prefix(b"HTTP/1.1 200") {
        Some([] | [b' ', ..]) => Ok(()),
        _ => Err(format!("the server answers `{}`", String::from_utf8_lossy(line))),
    }
}

/// The length that a header tells, if it is that header.
fn content_length(header: &[u8]) -> Result<Option<usize>, String> {
    const NAME: &[u8] = b"content-length:";
    let Some((name, value)) = header.split_at_checked(NAME.len()) else { return Ok(None) };
    if !name.eq_ignore_ascii_case(NAME) {
        return Ok(None);
    }
    let value = String::from_utf8_lossy(value);
    value.trim().parse().map(Some).map_err(|_| format!("the Content-Length is `{}`", value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [&str; 4] = [
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!",
        "HTTP/1.1 200 OK\r\ncontent-length: 13\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nHello, World!",
        "HTTP/1.1 200\r\nServer: M\r\nCONTENT-LENGTH:13 \r\nX-Content-Length: 14\r\n\r\nHello, World!",
        "HTTP/1.1 200 Ok\nContent-Length: 13\n\nHello, World!",
    ];

    fn taken(answer: &str) -> Result<bool, String> {
        Http::default().take(answer.as_bytes())
    }

    #[test]
    fn an_answer_is_complete_with_its_last_byte_in_whatever_pieces_it_comes() {
        for answer in ANSWERS {
            for size in 1..=answer.len() {
                let mut http = Http::default();
                let ends: Vec<_> = answer.as_bytes().chunks(size).map(|piece| http.take(piece)).collect();
                let (last, rest) = ends.split_last().expect("an answer has a piece");
                assert_eq!(last, &Ok(true), "{answer:?} by {size}");
                assert!(rest.iter().all(|end| end == &Ok(false)), "{answer:?} by {size}");
            }
        }
    }

    #[test]
    fn the_next_answer_begins_after_the_last_one() {
        let mut http = Http::default();
        for answer in ANSWERS {
            let (begin, end) = answer.split_at(20);
            assert_eq!(http.take(begin.as_bytes()), Ok(false));
            assert_eq!(http.take(end.as_bytes()), Ok(true));
        }
    }

    #[test]
    fn another_status_is_an_error_with_the_line() {
        for status in ["HTTP/1.1 404 Not Found", "HTTP/1.1 2000 OK", "HTTP/1.0 200 OK", "HTTP/1.1 100 Continue", ""] {
            let answer = format!("{status}\r\nContent-Length: 13\r\n\r\nHello, World!");
            assert_eq!(taken(&answer), Err(format!("the server answers `{status}`")));
        }
    }

    #[test]
    fn a_body_of_another_length_is_an_error() {
        let short = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello, World";
        assert_eq!(taken(short), Err("the body has 12 bytes instead of 13".to_owned()));
        let longer = format!("{}!", ANSWERS[0]);
        assert_eq!(taken(&longer), Err("the body is `Hello, World!!` instead of `Hello, World!`".to_owned()));
    }

    #[test]
    fn a_head_without_a_length_is_an_error() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nHello, World!\r\n0\r\n\r\n";
        assert_eq!(taken(chunked), Err("the answer has no Content-Length".to_owned()));
        let wrong = "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n";
        assert_eq!(taken(wrong), Err("the Content-Length is `-1`".to_owned()));
    }

    #[test]
    fn a_head_without_an_end_is_an_error() {
        let mut http = Http::default();
        assert_eq!(http.take(b"HTTP/1.1 200 OK\r\nx: "), Ok(false));
        let endless = (0..3).map(|_| http.take(&[b'y'; 4000])).collect::<Vec<_>>();
        assert_eq!(endless[..2], [Ok(false), Ok(false)]);
        assert_eq!(endless[2], Err("the head of the answer does not end within 8192 bytes".to_owned()));
    }
}
