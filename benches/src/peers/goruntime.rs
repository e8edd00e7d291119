//! What do the workloads cost as goroutines of this project?
//!
//! Runs as goroutine 1 of the program `bench_goruntime`. Wait groups are leaked, so that a goroutine
//! captures a plain reference, as Go's closures capture a pointer.

use std::io::{Read, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep as block;
use std::time::{Duration, Instant};

use ::goruntime::future;
use ::goruntime::net::TcpListener;
use ::goruntime::runtime::{self, yield_now};
use ::goruntime::sync::WaitGroup;
use ::goruntime::time::sleep;
use ::goruntime::{JoinHandle, go, spawn};
use ::hyper::server::conn::http1;
use ::hyper::service::service_fn;

use super::UNKNOWN;
use super::answer::answer;
use super::goruntime_http;
use crate::load;
use crate::outcome::{Outcome, Unsupported};
use crate::shape::{ARRIVED, BATCH, BLOCK, ECHO_BUFFER, Parked, SLEEPS, Ticker, YIELDERS, hog, random_millis};
use crate::workload::HYPER;

/// Runs one workload; the caller is a goroutine.
pub fn run(workload: &str, workers: u32, ops: u64) -> Result<Outcome, Unsupported> {
    Ok(match workload {
        "spawn_join" => spawn_join(ops),
        "spawn_wg" => spawn_wg(ops),
        "spawn_burst" => spawn_burst(ops),
        "yield2" => yields(2, ops),
        "yield1000" => yields(YIELDERS, ops),
        "waitgroup" => waitgroup(ops),
        "timers_rand" => timers_rand(ops),
        "timers_1ms" => timers_1ms(ops),
        "sleep1us" => sleep1us(ops),
        "mem_queued" => mem_queued(ops),
        "mem_parked_100k" | "mem_parked_1m" => mem_parked(ops),
        "hog" => hogs(workers, ops),
        "blocking" => blocking(ops, || block(BLOCK)),
        "blocking_announced" => blocking(ops, || runtime::blocking(|| block(BLOCK))),
        server if server.starts_with(load::ECHO) => tcp_echo(),
        server if server.starts_with(load::HTTP) => goruntime_http::serve(),
        server if server.strip_prefix(HYPER).is_some_and(|load| load.starts_with(load::HTTP)) => hyper(),
        other => return with_channels(other, ops),
    })
}

#[cfg(feature = "channels")]
fn with_channels(workload: &str, ops: u64) -> Result<Outcome, Unsupported> {
    super::goruntime_channels::run(workload, ops).ok_or(UNKNOWN)
}

#[cfg(not(feature = "channels"))]
fn with_channels(_workload: &str, _ops: u64) -> Result<Outcome, Unsupported> {
    Err(UNKNOWN)
}

/// A wait group that lives as long as the process.
pub(super) fn wait_group(tasks: u64) -> &'static WaitGroup {
    let group = Box::leak(Box::new(WaitGroup::new()));
    group.add(tasks as i64);
    group
}

/// Serves until the process is killed.
fn tcp_echo() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    load::announce(listener.local_addr().expect("a bound address"));
    loop {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("an open connection");
        go(move || {
            let mut buf = [0; ECHO_BUFFER];
            while let Ok(count @ 1..) = stream.read(&mut buf) {
                if stream.write_all(&buf[..count]).is_err() {
                    return;
                }
            }
        });
    }
}

/// Answers HTTP with hyper until the process is killed.
fn hyper() -> ! {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    load::announce(listener.local_addr().expect("a bound address"));
    loop {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("an open connection");
        // An error is the client's end, or ends the whole run soon.
        future::go(async move { _ = http1::Builder::new().serve_connection(stream, service_fn(answer)).await });
    }
}

fn join_all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.join().expect("no goroutine panics");
    }
}

fn spawn_join(ops: u64) -> Outcome {
    let mut handles = Vec::with_capacity(BATCH as usize);
    let batches = ops.div_ceil(BATCH);
    let mut start = Instant::now();
    for batch in 0..=batches {
        handles.extend((0..BATCH).map(|_| spawn(|| {})));
        join_all(handles.drain(..));
        if batch == 0 {
            start = Instant::now();
        }
    }
    Outcome::per_op(start, batches * BATCH)
}

fn counted_batch(group: &'static WaitGroup) {
    group.add(BATCH as i64);
    for _ in 0..BATCH {
        go(|| group.done());
    }
    group.wait();
}

fn spawn_wg(ops: u64) -> Outcome {
    let group = wait_group(0);
    let batches = ops.div_ceil(BATCH);
    counted_batch(group);
    let start = Instant::now();
    for _ in 0..batches {
        counted_batch(group);
    }
    Outcome::per_op(start, batches * BATCH)
}

fn spawn_burst(ops: u64) -> Outcome {
    let start = Instant::now();
    let group = wait_group(ops);
    for _ in 0..ops {
        go(|| group.done());
    }
    group.wait();
    Outcome::per_op(start, ops)
}

fn yields(tasks: u64, ops: u64) -> Outcome {
    let each = ops / tasks;
    let start = Instant::now();
    let group = wait_group(tasks);
    for _ in 0..tasks {
        go(move || {
            for _ in 0..each {
                yield_now();
            }
            group.done();
        });
    }
    group.wait();
    Outcome::per_op(start, each * tasks)
}

fn waitgroup(ops: u64) -> Outcome {
    let group = wait_group(0);
    let start = Instant::now();
    for _ in 0..ops {
        group.add(1);
        go(|| group.done());
        group.wait();
    }
    Outcome::per_op(start, ops)
}

fn timers_rand(ops: u64) -> Outcome {
    let start = Instant::now();
    let group = wait_group(ops);
    for id in 0..ops {
        go(move || {
            sleep(random_millis(id));
            group.done();
        });
    }
    group.wait();
    Outcome::millis(start)
}

fn timers_1ms(ops: u64) -> Outcome {
    let start = Instant::now();
    let group = wait_group(ops);
    for _ in 0..ops {
        go(|| {
            for _ in 0..SLEEPS {
                sleep(Duration::from_millis(1));
            }
            group.done();
        });
    }
    group.wait();
    Outcome::millis(start)
}

fn sleep1us(ops: u64) -> Outcome {
    let start = Instant::now();
    for _ in 0..ops {
        sleep(Duration::from_micros(1));
    }
    Outcome::new(start.elapsed().as_secs_f64() * 1e6 / ops as f64)
}

fn mem_queued(ops: u64) -> Outcome {
    let memory = Parked::begin();
    for _ in 0..ops {
        go(|| {
            ARRIVED.fetch_add(1, Relaxed);
        });
    }
    let outcome = memory.end(ops);
    outcome.with("started", ARRIVED.load(Relaxed) as f64)
}

fn mem_parked(ops: u64) -> Outcome {
    let gate = wait_group(1);
    let mut handles = Vec::with_capacity(ops as usize);
    let memory = Parked::begin();
    for _ in 0..ops {
        handles.push(spawn(|| {
            ARRIVED.fetch_add(1, Relaxed);
            gate.wait();
        }));
    }
    while !Parked::all_arrived(ops) {
        sleep(Duration::from_millis(1));
    }
    memory.end(ops)
}

fn hogs(workers: u32, millis: u64) -> Outcome {
    let mut ticker = Ticker::new(millis);
    let end = ticker.end();
    let ticking = spawn(move || {
        while let Some(pause) = ticker.until_next() {
            sleep(pause);
            ticker.tick();
        }
        ticker.outcome()
    });
    for _ in 0..workers {
        go(move || hog(end));
    }
    ticking.join().expect("the ticker does not panic")
}

fn blocking(ops: u64, call: fn()) -> Outcome {
    let start = Instant::now();
    let group = wait_group(ops);
    for _ in 0..ops {
        go(move || {
            (0..SLEEPS).for_each(|_| call());
            group.done();
        });
    }
    group.wait();
    Outcome::millis(start)
}
