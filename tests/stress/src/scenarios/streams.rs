//! Pipes, files and child processes: data through all of them, with closes, deadlines, kills and contexts in between.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use goruntime::context::{background, with_cancel};
use goruntime::fs::{self, File};
use goruntime::io::{Closed, PipeReader, PipeWriter, pipe};
use goruntime::os::unix::process::ExitStatusExt;
use goruntime::process::{Command, Stdio};
use goruntime::{JoinHandle, spawn};

use super::{Context, SLOWER, pause};
use crate::check::{ensure, fail};
use crate::rand::Rand;

/// What an operation that must not fail has returned.
fn must<T>(what: &str, result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| fail(&format!("{what}: {error}")))
}

fn join<T>(what: &str, handle: JoinHandle<T>) -> T {
    handle.join().unwrap_or_else(|_| fail(&format!("{what} panicked")))
}

/// The byte at a place of a stream.
fn byte(mark: u64, place: u64) -> u8 {
    (mark.wrapping_mul(37) + place.wrapping_mul(11)) as u8
}

/// Writes a stream in pieces, and says how much of it.
fn write(mut writer: PipeWriter, mark: u64, length: u64, mut rand: Rand) -> (u64, io::Result<()>) {
    let mut done = 0;
    while done < length {
        let end = (done + rand.range(1, 20_000)).min(length);
        let piece: Vec<u8> = (done..end).map(|place| byte(mark, place)).collect();
        match writer.write(&piece) {
            Ok(count) => done += count as u64,
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

/// Reads a stream in pieces, checks every byte, and says how much of it.
fn read(mut reader: PipeReader, mark: u64, mut rand: Rand) -> (u64, io::Result<()>) {
    let mut done = 0;
    loop {
        let mut piece = vec![0; rand.range(1, 20_000) as usize];
        match reader.read(&mut piece) {
            Ok(0) => return (done, Ok(())),
            Ok(count) => {
                let right = piece[..count].iter().zip(done..).all(|(&found, place)| found == byte(mark, place));
                ensure!(right, "other bytes came out of pipe {mark}");
                done += count as u64;
            }
            Err(error) => return (done, Err(error)),
        }
    }
}

/// Pipes that end by themselves, by a close of either end, or by a deadline.
pub(crate) fn streams(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1, 60 / SLOWER);
    let pipes: Vec<_> = (0..count)
        .map(|mark| {
            let own = rand.fork();
            spawn(move || one_pipe(mark, own))
        })
        .collect();
    pipes.into_iter().map(|pipe| join("a pipe", pipe)).sum()
}

fn one_pipe(mark: u64, mut rand: Rand) -> u64 {
    let (reader, writer) = must("pipe", pipe());
    let other_reader = must("clone", reader.try_clone());
    let other_writer = must("clone", writer.try_clone());
    let length = rand.range(1, 300_000);
    let (for_writer, for_reader) = (rand.fork(), rand.fork());
    let writing = spawn(move || write(writer, mark, length, for_writer));
    let reading = spawn(move || read(reader, mark, for_reader));
    let how = rand.range(0, 5);
    if how < 4 {
        pause(&mut rand);
    }
    match how {
        0 => must("close", other_reader.close()),
        1 => must("close", other_writer.close()),
        2 => must("deadline", other_reader.set_deadline(Some(Instant::now()))),
        3 => must("deadline", other_writer.set_deadline(Some(Instant::now() + rand.micros(1, 500)))),
        _ => {}
    }
    drop((other_reader, other_writer));
    let ((written, write_end), (found, read_end)) = (join("a writer", writing), join("a reader", reading));
    ensure!(found <= written, "{found} bytes of {written} came out of pipe {mark}");
    let is = |end: &io::Result<()>, expected: &dyn Fn(&io::Error) -> bool| end.as_ref().err().is_none_or(expected);
    let late = |error: &io::Error| error.kind() == ErrorKind::TimedOut;
    let broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    let fine = match how {
        0 => is(&read_end, &Closed::is_source_of) && is(&write_end, &broken),
        1 => read_end.is_ok() && is(&write_end, &Closed::is_source_of) && found == written,
        2 => is(&read_end, &late) && is(&write_end, &broken),
        3 => read_end.is_ok() && is(&write_end, &late) && found == written,
        _ => read_end.is_ok() && write_end.is_ok() && found == length,
    };
    ensure!(fine, "pipe {mark} ended by {how} with {write_end:?} and {read_end:?}: {found} of {written} bytes");
    written + found
}

/// Children that end in every way there is, waited for in every way.
pub(crate) fn children(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1, 8);
    let children: Vec<_> = (0..count)
        .map(|_| {
            let own = rand.fork();
            spawn(move || one_child(own))
        })
        .collect();
    children.into_iter().for_each(|child| join("a child", child));
    count
}

fn one_child(mut rand: Rand) {
    match rand.range(0, 5) {
        0 => {
            let code = rand.range(0, 256).to_string();
            let output = must("output", Command::new("sh").args(["-c", "echo $0; exit $0", &code]).output());
            ensure!(output.stdout == format!("{code}\n").as_bytes(), "{output:?} of {code}");
            ensure!(output.status.code().is_some_and(|found| found.to_string() == code), "{output:?} of {code}");
        }
        1 => {
            let sent: Vec<u8> = (0..rand.range(0, 200_000)).map(|place| byte(1, place)).collect();
            let mut cat = must("spawn", Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn());
            let Some(mut input) = cat.stdin.take() else { fail("a piped child without its pipe") };
            let expected = sent.clone();
            let writing = spawn(move || must("write to a child", input.write_all(&sent)));
            let found = must("output of a child", cat_output(cat));
            join("a writer", writing);
            ensure!(found == expected, "{} bytes of {} came back", found.len(), expected.len());
        }
        kind => end_early(kind, rand),
    }
}

/// Reads without closing the input, which somebody else does.
fn cat_output(mut cat: goruntime::process::Child) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    let Some(mut output) = cat.stdout.take() else { fail("a piped child without its pipe") };
    output.read_to_end(&mut found)?;
    ensure!(cat.wait()?.success(), "cat has failed");
    Ok(found)
}

/// A child that would run for ever is killed, or its context ends, while it is waited for or not.
fn end_early(kind: u64, mut rand: Rand) {
    let (ctx, cancel) = with_cancel(&background());
    let mut command = Command::new("sleep");
    let mut child = must("spawn", command.arg("1000").context(&ctx).spawn());
    if rand.one_in(2) {
        let ended = must("wait", child.wait_timeout(rand.micros(1, 2_000)));
        ensure!(ended.is_none(), "a child that sleeps has ended: {ended:?}");
    }
    let killer = match kind {
        2 => {
            must("kill", child.kill());
            None
        }
        3 => {
            cancel.cancel();
            None
        }
        _ => Some(spawn(move || {
            pause(&mut rand);
            cancel.cancel();
        })),
    };
    let status = match kind {
        2 => must("wait", child.wait_timeout(Duration::from_secs(1_000))),
        _ => Some(must("wait", child.wait())),
    };
    ensure!(status.is_some_and(|status| status.signal() == Some(9)), "{status:?} of a child that was killed");
    killer.into_iter().for_each(|killer| join("a killer", killer));
}

/// Files that are written, read by several at a time, and removed.
pub(crate) fn files(_: &Context, mut rand: Rand) -> u64 {
    let name = format!("goruntime-stress-{}-{}", std::process::id(), rand.next());
    let dir = std::env::temp_dir().join(name);
    must("directory", fs::create_dir(&dir));
    let (count, readers) = (rand.range(1, 10), rand.range(1, 20));
    for number in 0..count {
        let contents: Vec<u8> = (0..number * 3_000).map(|place| byte(number, place)).collect();
        must("write", fs::write(dir.join(number.to_string()), contents));
    }
    let readers: Vec<_> = (0..readers)
        .map(|_| {
            let (dir, number) = (dir.clone(), rand.range(0, count));
            spawn(move || {
                let mut file = must("open", File::open(dir.join(number.to_string())));
                let (mut piece, mut done) = ([0; 1_000], 0);
                loop {
                    let found = must("read", file.read(&mut piece));
                    let right = piece[..found].iter().zip(done..).all(|(&one, place)| one == byte(number, place));
                    ensure!(right, "file {number} has other bytes");
                    done += found as u64;
                    if found == 0 {
                        break ensure!(done == number * 3_000, "file {number} has {done} bytes");
                    }
                }
            })
        })
        .collect();
    let read = readers.len() as u64;
    readers.into_iter().for_each(|reader| join("a reader", reader));
    let entries: io::Result<Vec<_>> = must("list", fs::read_dir(&dir)).collect();
    ensure!(must("entries", entries).len() as u64 == count, "a directory has not {count} files");
    must("remove", fs::remove_dir_all(&dir));
    count + read
}
