//! What do the workloads cost as plain threads, with crossbeam-channel and std's locks?
//!
//! "Workers" are CPUs here: the process is confined to as many as there are workers. Workloads with
//! more tasks than a system has threads are left out; `mem_parked` takes fewer.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Relaxed},
};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread::{self, JoinHandle, Thread, sleep, spawn, yield_now};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};

use super::{NO_HTTP, UNKNOWN};
use crate::load;
use crate::outcome::{Outcome, Unsupported};
use crate::shape::{
    ARRIVED, BATCH, BLOCK, CAPACITY, ECHO_BUFFER, LOCKERS, Parked, SIDES, SLEEPS, STAGES, Ticker, WRITE_EVERY,
    YIELDERS, hog,
};

/// Runs one workload.
pub fn run(workload: &str, workers: u32, ops: u64) -> Result<Outcome, Unsupported> {
    confine_to(workers);
    Ok(match workload {
        "spawn_join" => spawn_join(ops),
        "spawn_wg" => spawn_wg(ops),
        "yield2" => yields(2, ops),
        "yield1000" => yields(YIELDERS, ops),
        "pingpong_unbuf" => pingpong(0, ops),
        "pingpong_cap1" => pingpong(1, ops),
        "chan_buf" => items(1, Some(CAPACITY), ops),
        "chan_buf4x4" => items(SIDES, Some(CAPACITY), ops),
        "chan_unb" => items(1, None, ops),
        "select_buf" => selecting(CAPACITY, ops),
        "select_cap1" => selecting(1, ops),
        "select_unbuf" => selecting(0, ops),
        "ring_unbuf" => ring(ops),
        "mutex1" => mutex(1, ops),
        "mutex" => mutex(LOCKERS, ops),
        "rwlock" => rwlock(ops),
        "waitgroup" => waitgroup(ops),
        "sleep1us" => sleep1us(ops),
        "mem_parked_100k" => mem_parked(ops),
        "hog" => hogs(workers, ops),
        "blocking" | "blocking_announced" => blocking(ops),
        server if server.starts_with(load::ECHO) => tcp_echo(),
        server if server.starts_with(load::HTTP) => return Err(NO_HTTP),
        "spawn_burst" | "sieve_unbuf" | "skynet" | "timers_rand" | "timers_1ms" | "mem_queued" | "mem_parked_1m" => {
            return Err("more threads than a system has");
        }
        _ => return Err(UNKNOWN),
    })
}

/// Serves until the process is killed.
fn tcp_echo() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    load::announce(listener.local_addr().expect("a bound address"));
    loop {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("an open connection");
        spawn(move || {
            let mut buf = [0; ECHO_BUFFER];
            while let Ok(count @ 1..) = stream.read(&mut buf) {
                if stream.write_all(&buf[..count]).is_err() {
                    return;
                }
            }
        });
    }
}

/// Confines the process to its first `cpus` CPUs, where the system can.
#[cfg(target_os = "linux")]
fn confine_to(cpus: u32) {
    // SAFETY: a `cpu_set_t` is an array of integers, for which all zero bits are a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for cpu in 0..cpus.min(libc::CPU_SETSIZE as u32) {
        // SAFETY: `cpu` is below CPU_SETSIZE, so the bit lies inside of `set`.
        unsafe { libc::CPU_SET(cpu as usize, &mut set) };
    }
    // SAFETY: the pointer and the size are those of `set`, which outlives the call; pid 0 is the caller.
    let failed = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) } != 0;
    assert!(!failed, "no {cpus} CPUs to run on: {}", std::io::Error::last_os_error());
}

#[cfg(not(target_os = "linux"))]
fn confine_to(_cpus: u32) {}

fn join_all(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no thread panics");
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

/// Counts threads down and unparks the waiter.
struct Countdown {
    left: AtomicU64,
    waiter: Thread,
}

fn counted_batch(tasks: u64) {
    let left = Arc::new(Countdown { left: AtomicU64::new(tasks), waiter: thread::current() });
    for _ in 0..tasks {
        let left = left.clone();
        spawn(move || {
            // AcqRel: the last decrement pairs with those before it.
            if left.left.fetch_sub(1, AcqRel) == 1 {
                left.waiter.unpark();
            }
        });
    }
    while left.left.load(Relaxed) != 0 {
        thread::park();
    }
}

fn spawn_wg(ops: u64) -> Outcome {
    let batches = ops.div_ceil(BATCH);
    counted_batch(BATCH);
    let start = Instant::now();
    (0..batches).for_each(|_| counted_batch(BATCH));
    Outcome::per_op(start, batches * BATCH)
}

fn yields(threads: u64, ops: u64) -> Outcome {
    let each = ops / threads;
    // The clock starts when all are there: starting a thread costs more than its yields.
    let gate = Arc::new(Barrier::new(threads as usize + 1));
    let yielders: Vec<_> = (0..threads)
        .map(|_| {
            let gate = gate.clone();
            spawn(move || {
                gate.wait();
                (0..each).for_each(|_| yield_now());
            })
        })
        .collect();
    gate.wait();
    let start = Instant::now();
    join_all(yielders);
    Outcome::per_op(start, each * threads)
}

fn pingpong(capacity: usize, ops: u64) -> Outcome {
    let (ping, pinged) = bounded(capacity);
    let (pong, ponged) = bounded(capacity);
    spawn(move || {
        for i in pinged {
            if pong.send(i).is_err() {
                break;
            }
        }
    });
    let start = Instant::now();
    for i in 0..ops {
        ping.send(i).expect("the echo is alive");
        ponged.recv().expect("the echo is alive");
    }
    Outcome::per_op(start, ops)
}

fn items(sides: u64, capacity: Option<usize>, ops: u64) -> Outcome {
    let (tx, rx) = capacity.map_or_else(unbounded, bounded);
    let each = ops / sides;
    let start = Instant::now();
    let produce = |tx: Sender<u64>| move || (0..each).for_each(|i| tx.send(i).expect("a consumer"));
    let consume = |rx: Receiver<u64>| move || rx.iter().for_each(drop);
    let mut threads: Vec<_> = (0..sides).map(|_| spawn(produce(tx.clone()))).collect();
    drop(tx);
    threads.extend((0..sides).map(|_| spawn(consume(rx.clone()))));
    join_all(threads);
    Outcome::per_op(start, each * sides)
}

fn ring(ops: u64) -> Outcome {
    let (first, mut upstream) = bounded::<u64>(0);
    for _ in 1..STAGES {
        let (tx, rx) = bounded(0);
        let from = std::mem::replace(&mut upstream, rx);
        spawn(move || {
            for token in from {
                if tx.send(token + 1).is_err() {
                    break;
                }
            }
        });
    }
    let rounds = ops.div_ceil(STAGES);
    let start = Instant::now();
    for token in 0..rounds {
        first.send(token).expect("the ring is alive");
        upstream.recv().expect("the ring is alive");
    }
    Outcome::per_op(start, rounds * STAGES)
}

fn selecting(capacity: usize, ops: u64) -> Outcome {
    let each = ops / SIDES;
    let start = Instant::now();
    let ends: Vec<(Sender<u64>, Receiver<u64>)> = (0..SIDES).map(|_| bounded(capacity)).collect();
    for (tx, _) in &ends {
        let tx = tx.clone();
        spawn(move || (0..each).for_each(|i| tx.send(i).expect("the consumer is alive")));
    }
    for _ in 0..each * SIDES {
        let item = select! {
            recv(ends[0].1) -> item => item,
            recv(ends[1].1) -> item => item,
            recv(ends[2].1) -> item => item,
            recv(ends[3].1) -> item => item,
        };
        assert!(item.is_ok(), "a producer's channel was closed");
    }
    Outcome::per_op(start, each * SIDES)
}

fn mutex(lockers: u64, ops: u64) -> Outcome {
    let shared = Arc::new(Mutex::new(0_u64));
    let each = ops / lockers;
    let start = Instant::now();
    let tasks: Vec<_> = (0..lockers)
        .map(|_| {
            let shared = shared.clone();
            spawn(move || (0..each).for_each(|_| *shared.lock().expect("not poisoned") += 1))
        })
        .collect();
    join_all(tasks);
    Outcome::per_op(start, each * lockers)
}

fn rwlock(ops: u64) -> Outcome {
    let shared = Arc::new(RwLock::new(0_u64));
    let each = ops / LOCKERS;
    let start = Instant::now();
    let task = |shared: Arc<RwLock<u64>>| {
        move || {
            let mut seen = 0;
            for i in 0..each {
                if i % WRITE_EVERY == 0 {
                    *shared.write().expect("not poisoned") += 1;
                } else {
                    seen += *shared.read().expect("not poisoned");
                }
            }
            black_box(seen);
        }
    };
    let tasks: Vec<_> = (0..LOCKERS).map(|_| spawn(task(shared.clone()))).collect();
    join_all(tasks);
    Outcome::per_op(start, each * LOCKERS)
}

fn waitgroup(ops: u64) -> Outcome {
    let start = Instant::now();
    (0..ops).for_each(|_| counted_batch(1));
    Outcome::per_op(start, ops)
}

fn sleep1us(ops: u64) -> Outcome {
    let start = Instant::now();
    (0..ops).for_each(|_| sleep(Duration::from_micros(1)));
    Outcome::new(start.elapsed().as_secs_f64() * 1e6 / ops as f64)
}

fn mem_parked(ops: u64) -> Outcome {
    let gate = Arc::new((Mutex::new(()), Condvar::new()));
    let mut handles = Vec::with_capacity(ops as usize);
    let memory = Parked::begin();
    for _ in 0..ops {
        let gate = gate.clone();
        handles.push(spawn(move || {
            let guard = gate.0.lock().expect("not poisoned");
            ARRIVED.fetch_add(1, Relaxed);
            drop(gate.1.wait(guard));
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
    for _ in 0..workers {
        spawn(move || hog(end));
    }
    while let Some(pause) = ticker.until_next() {
        sleep(pause);
        ticker.tick();
    }
    ticker.outcome()
}

fn blocking(ops: u64) -> Outcome {
    let start = Instant::now();
    let threads = (0..ops).map(|_| spawn(|| (0..SLEEPS).for_each(|_| sleep(BLOCK))));
    join_all(threads.collect::<Vec<_>>());
    Outcome::millis(start)
}
