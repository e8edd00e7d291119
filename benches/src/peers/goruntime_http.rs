//! What does an HTTP server cost that is written in plain blocking style? A goroutine for each connection reads, parses with httparse, and writes.
//!
//! It does for a request what may_minihttp does, and heeds `Connection` and `Content-Length` besides.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::time::{SystemTime, UNIX_EPOCH};

use ::goruntime::go;
use ::goruntime::net::{TcpListener, TcpStream};
use ::goruntime::sync::Mutex;
use httparse::{Header, Request, Status};

use crate::load;
use crate::shape::HTTP_BODY;

/// Bytes that a connection has room for at first, and at most, with the body of a request.
const ROOM: usize = 1 << 10;
const MOST: usize = 64 << 10;
/// Headers of a request.
const HEADERS: usize = 32;

/// Serves until the process is killed.
pub(super) fn serve() -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    load::announce(listener.local_addr().expect("a bound address"));
    loop {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("an open connection");
        // An error is the client's end, or ends the whole run soon.
        go(move || _ = converse(&stream));
    }
}

/// Reads requests and answers them until the client has had enough, or asks for what cannot be done.
fn converse(mut stream: &TcpStream) -> io::Result<()> {
    let mut room = vec![0; ROOM];
    let mut answers = Vec::new();
    let mut filled = 0;
    loop {
        match stream.read(&mut room[filled..])? {
            0 => return Ok(()),
            count => filled += count,
        }
        let mut done = 0;
        let mut ended = false;
        while !ended && let Some(asked) = next(&room[done..filled])? {
            done += asked.length;
            ended = !asked.keep_alive;
            answer(&mut answers, asked.keep_alive);
        }
        if !answers.is_empty() {
            stream.write_all(&answers)?;
            answers.clear();
        }
        if ended {
            return Ok(());
        }
        room.copy_within(done..filled, 0);
        filled -= done;
        if filled == room.len() {
            if filled == MOST {
                return Err(ErrorKind::FileTooLarge.into());
            }
            room.resize(2 * filled, 0);
        }
    }
}

/// A whole request.
struct Asked {
    /// Of head and body, bytes.
    length: usize,
    keep_alive: bool,
}

/// The request at the front, if all of it is there.
fn next(bytes: &[u8]) -> io::Result<Option<Asked>> {
    let wrong = |what: String| io::Error::new(ErrorKind::InvalidData, what);
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
    let mut request = Request::new(&mut []);
    let head = match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) => return Ok(None),
        Err(err) => return Err(wrong(err.to_string())),
    };
    let mut asked = Asked { length: head, keep_alive: request.version == Some(1) };
    for Header { name, value } in request.headers {
        if name.eq_ignore_ascii_case("content-length") {
            let body = str::from_utf8(value).ok().and_then(|digits| digits.parse::<usize>().ok());
            let body = body.ok_or_else(|| wrong(format!("Content-Length {value:?}")))?;
            asked.length = head.saturating_add(body);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(wrong("Transfer-Encoding is not known here".to_owned()));
        } else if name.eq_ignore_ascii_case("connection") {
            asked.keep_alive = !value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok((asked.length <= bytes.len()).then_some(asked))
}

fn answer(answers: &mut Vec<u8>, keep_alive: bool) {
    answers.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ");
    write!(answers, "{}", HTTP_BODY.len()).expect("a vector takes everything");
    answers.extend_from_slice(b"\r\nDate: ");
    answers.extend_from_slice(&date());
    answers.extend_from_slice(if keep_alive { b"\r\n\r\n" } else { b"\r\nConnection: close\r\n\r\n" });
    answers.extend_from_slice(HTTP_BODY.as_bytes());
}

/// Bytes of a date.
const DATE: usize = "Thu, 01 Jan 1970 00:00:00 GMT".len();

/// The date as of now, put into words once a second.
fn date() -> [u8; DATE] {
    /// Of which second, and how it is written.
    static LAST: Mutex<(u64, [u8; DATE])> = Mutex::new((0, [0; DATE]));
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut last = LAST.lock().expect("nothing panics under it");
    if last.0 != second {
        last.0 = second;
        last.1.copy_from_slice(httpdate::fmt_http_date(now).as_bytes());
    }
    last.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(mut bytes: &[u8]) -> Vec<(usize, bool)> {
        let mut lengths = Vec::new();
        while let Some(asked) = next(bytes).expect("it is right") {
            lengths.push((asked.length, asked.keep_alive));
            bytes = &bytes[asked.length..];
        }
        lengths
    }

    #[test]
    fn requests_follow_each_other_and_the_last_one_may_be_a_part() {
        let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".as_slice();
        let post = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".as_slice();
        let close = b"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n".as_slice();
        let old = b"GET / HTTP/1.0\r\n\r\n".as_slice();
        let all = [get, post, close, old].concat();
        assert_eq!(lengths(&all), [(get.len(), true), (post.len(), true), (close.len(), false), (old.len(), false)]);
        for part in 0..get.len() {
            assert!(next(&get[..part]).is_ok_and(|asked| asked.is_none()), "{part}");
        }
        assert_eq!(lengths(&[get, &post[..post.len() - 1]].concat()), [(get.len(), true)]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in
            ["\0", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"]
        {
            assert!(next(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_has_its_date_and_length() {
        let mut answers = Vec::new();
        answer(&mut answers, true);
        let text = String::from_utf8(answers).expect("it is ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("it has a head");
        assert_eq!(body, HTTP_BODY);
        let date = head.lines().find_map(|line| line.strip_prefix("Date: ")).expect("it has a date");
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
        assert!(head.contains("\r\nContent-Length: 13\r\n"), "{head}");
    }
}
