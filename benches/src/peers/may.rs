//! What do the workloads cost as coroutines of may?
//!
//! may has no bounded channel: capacity is a semaphore beside its own channel, and a rendezvous is an
//! acknowledgement beside it. may cannot hold more than about 32,000 coroutines (`vm.max_map_count`),
//! so it has no row that needs more, and `mem_parked` takes 30,000.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Relaxed},
};
use std::thread;
use std::time::{Duration, Instant};

use ::may::coroutine::{JoinHandle, sleep, yield_now};
use ::may::cqueue;
use ::may::go;
use ::may::net::TcpListener;
use ::may::sync::mpmc::{self, Receiver, Sender};
use ::may::sync::{Mutex, RwLock, Semphore};
use may_minihttp::{HttpServer, HttpService, Request, Response};

use super::UNKNOWN;
use crate::load;
use crate::outcome::{Outcome, Unsupported};
use crate::shape::{
    ARRIVED, BATCH, BLOCK, CAPACITY, ECHO_BUFFER, HTTP_BODY, LOCKERS, Parked, SIDES, SLEEPS, STAGES, Ticker,
    WRITE_EVERY, YIELDERS, hog,
};

/// Most coroutines that fit under the default map limit.
const MOST: u64 = 30_000;

/// Runs one workload.
pub fn run(workload: &str, workers: u32, ops: u64) -> Result<Outcome, Unsupported> {
    ::may::config().set_workers(workers as usize);
    let workload = workload.to_owned();
    go!(move || dispatch(&workload, workers, ops)).join().expect("the measuring coroutine does not panic")
}

fn dispatch(workload: &str, workers: u32, ops: u64) -> Result<Outcome, Unsupported> {
    Ok(match workload {
        "spawn_join" => spawn_join(ops),
        "spawn_wg" => spawn_wg(ops),
        "yield2" => yields(2, ops),
        "yield1000" => yields(YIELDERS, ops),
        "pingpong_unbuf" => pingpong(Rendezvous::new, ops),
        "pingpong_cap1" => pingpong(|| Bounded::new(1), ops),
        "chan_buf" => items(1, Bounded::new(CAPACITY), ops),
        "chan_buf4x4" => items(SIDES, Bounded::new(CAPACITY), ops),
        "chan_unb" => items(1, Unbounded::new(), ops),
        "select_buf" => selecting(|| Bounded::new(CAPACITY), ops),
        "select_cap1" => selecting(|| Bounded::new(1), ops),
        "select_unbuf" => selecting(Rendezvous::new, ops),
        "ring_unbuf" => ring(ops),
        "sieve_unbuf" => sieve(ops),
        "mutex1" => mutex(1, ops),
        "mutex" => mutex(LOCKERS, ops),
        "rwlock" => rwlock(ops),
        "waitgroup" => waitgroup(ops),
        "sleep1us" => sleep1us(ops),
        "mem_queued" => mem_queued(ops),
        "mem_parked_100k" => mem_parked(ops.min(MOST)),
        "hog" => hogs(workers, ops),
        "blocking" => blocking(ops),
        server if server.starts_with(load::ECHO) => tcp_echo(),
        server if server.starts_with(load::HTTP) => http(),
        "spawn_burst" | "skynet" | "timers_rand" | "timers_1ms" | "mem_parked_1m" => {
            return Err("more coroutines than vm.max_map_count allows");
        }
        "blocking_announced" => return Err("has no way to announce a blocking call"),
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
        go!(move || {
            let mut buf = [0; ECHO_BUFFER];
            while let Ok(count @ 1..) = stream.read(&mut buf) {
                if stream.write_all(&buf[..count]).is_err() {
                    return;
                }
            }
        });
    }
}

/// The same with may_minihttp.
fn http() -> Outcome {
    #[derive(Clone)]
    struct Answer;

    impl HttpService for Answer {
        fn call(&mut self, _: Request, response: &mut Response) -> io::Result<()> {
            response.header("Content-Type: text/plain").body(HTTP_BODY);
            Ok(())
        }
    }

    let server = HttpServer(Answer).start("127.0.0.1:0").expect("a free port");
    load::announce(first_bound());
    server.join().expect("the server does not panic");
    unreachable!("the server serves for ever")
}

/// Where the only socket of the process with an address is bound; may_minihttp does not tell.
fn first_bound() -> SocketAddr {
    (3..100)
        .find_map(|fd| {
            // SAFETY: nothing but its address is asked for, of whatever it is, and it is not closed.
            let socket = ManuallyDrop::new(unsafe { std::net::TcpListener::from_raw_fd(fd) });
            socket.local_addr().ok()
        })
        .expect("a server has a socket")
}

/// A channel of any of the three kinds, cloned to share it.
trait Channel: Clone + Send + 'static {
    fn send(&self, value: u64);
    fn recv(&self) -> u64;
}

#[derive(Clone)]
struct Unbounded {
    tx: Sender<u64>,
    rx: Receiver<u64>,
}

impl Unbounded {
    fn new() -> Self {
        let (tx, rx) = mpmc::channel();
        Self { tx, rx }
    }
}

impl Channel for Unbounded {
    fn send(&self, value: u64) {
        self.tx.send(value).expect("a receiver is alive");
    }

    fn recv(&self) -> u64 {
        self.rx.recv().expect("a sender is alive")
    }
}

#[derive(Clone)]
struct Bounded {
    items: Unbounded,
    room: Arc<Semphore>,
}

impl Bounded {
    fn new(capacity: usize) -> Self {
        Self { items: Unbounded::new(), room: Arc::new(Semphore::new(capacity)) }
    }
}

impl Channel for Bounded {
    fn send(&self, value: u64) {
        self.room.wait();
        self.items.send(value);
    }

    fn recv(&self) -> u64 {
        let value = self.items.recv();
        self.room.post();
        value
    }
}

#[derive(Clone)]
struct Rendezvous {
    items: Unbounded,
    taken: Arc<Semphore>,
}

impl Rendezvous {
    fn new() -> Self {
        Self { items: Unbounded::new(), taken: Arc::new(Semphore::new(0)) }
    }
}

impl Channel for Rendezvous {
    fn send(&self, value: u64) {
        self.items.send(value);
        self.taken.wait();
    }

    fn recv(&self) -> u64 {
        let value = self.items.recv();
        self.taken.post();
        value
    }
}

fn join_all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.join().expect("no coroutine panics");
    }
}

fn spawn_join(ops: u64) -> Outcome {
    let mut handles = Vec::with_capacity(BATCH as usize);
    let batches = ops.div_ceil(BATCH);
    let mut start = Instant::now();
    for batch in 0..=batches {
        handles.extend((0..BATCH).map(|_| go!(|| {})));
        join_all(handles.drain(..));
        if batch == 0 {
            start = Instant::now();
        }
    }
    Outcome::per_op(start, batches * BATCH)
}

fn counted_batch(tasks: u64) {
    let left = Arc::new((AtomicU64::new(tasks), Semphore::new(0)));
    for _ in 0..tasks {
        let left = left.clone();
        go!(move || {
            // AcqRel: the last decrement pairs with those before it.
            if left.0.fetch_sub(1, AcqRel) == 1 {
                left.1.post();
            }
        });
    }
    left.1.wait();
}

fn spawn_wg(ops: u64) -> Outcome {
    let batches = ops.div_ceil(BATCH);
    counted_batch(BATCH);
    let start = Instant::now();
    (0..batches).for_each(|_| counted_batch(BATCH));
    Outcome::per_op(start, batches * BATCH)
}

fn yields(tasks: u64, ops: u64) -> Outcome {
    let each = ops / tasks;
    let start = Instant::now();
    let yielder = || move || (0..each).for_each(|_| yield_now());
    let yielders: Vec<_> = (0..tasks).map(|_| go!(yielder())).collect();
    join_all(yielders);
    Outcome::per_op(start, each * tasks)
}

fn pingpong<C: Channel>(channel: impl Fn() -> C, ops: u64) -> Outcome {
    let (ping, pong) = (channel(), channel());
    let (pinged, ponging) = (ping.clone(), pong.clone());
    let echo = go!(move || (0..ops).for_each(|_| ponging.send(pinged.recv())));
    let start = Instant::now();
    for i in 0..ops {
        ping.send(i);
        pong.recv();
    }
    let outcome = Outcome::per_op(start, ops);
    join_all([echo]);
    outcome
}

fn items<C: Channel>(sides: u64, channel: C, ops: u64) -> Outcome {
    let each = ops / sides;
    let start = Instant::now();
    let produce = |tx: C| move || (0..each).for_each(|i| tx.send(i));
    let consume = |rx: C| move || assert_eq!((0..each).filter(|_| rx.recv() < each).count() as u64, each);
    let mut tasks: Vec<_> = (0..sides).map(|_| go!(produce(channel.clone()))).collect();
    tasks.extend((0..sides).map(|_| go!(consume(channel.clone()))));
    join_all(tasks);
    Outcome::per_op(start, each * sides)
}

fn ring(ops: u64) -> Outcome {
    let rounds = ops.div_ceil(STAGES);
    let first = Rendezvous::new();
    let mut last = first.clone();
    for _ in 1..STAGES {
        let next = Rendezvous::new();
        let (from, to) = (last, next.clone());
        go!(move || (0..rounds).for_each(|_| to.send(from.recv() + 1)));
        last = next;
    }
    let start = Instant::now();
    for token in 0..rounds {
        first.send(token);
        last.recv();
    }
    Outcome::per_op(start, rounds * STAGES)
}

/// The filters never end: the process does when the last prime is there.
fn sieve(primes: u64) -> Outcome {
    let start = Instant::now();
    let mut upstream = Rendezvous::new();
    let tx = upstream.clone();
    go!(move || {
        for n in 2.. {
            tx.send(n);
        }
    });
    for _ in 0..primes {
        let prime = upstream.recv();
        let next = Rendezvous::new();
        let (from, to) = (upstream, next.clone());
        go!(move || loop {
            let n = from.recv();
            if n % prime != 0 {
                to.send(n);
            }
        });
        upstream = next;
    }
    Outcome::millis(start)
}

/// may selects by a coroutine for each channel; they live as long as the queue of events.
fn selecting<C: Channel>(channel: impl Fn() -> C, ops: u64) -> Outcome {
    let each = ops / SIDES;
    let start = Instant::now();
    let from: Vec<C> = (0..SIDES).map(|_| channel()).collect();
    for to in &from {
        let to = to.clone();
        go!(move || (0..each).for_each(|i| to.send(i)));
    }
    cqueue::scope(|queue| {
        for from in from {
            go!(queue, 0, move |events| for _ in 0..each {
                from.recv();
                events.send(0);
            });
        }
        for _ in 0..each * SIDES {
            assert!(queue.poll(None).is_ok(), "a coroutine that receives has ended");
        }
    });
    Outcome::per_op(start, each * SIDES)
}

fn mutex(lockers: u64, ops: u64) -> Outcome {
    let shared = Arc::new(Mutex::new(0_u64));
    let each = ops / lockers;
    let start = Instant::now();
    let tasks: Vec<_> = (0..lockers)
        .map(|_| {
            let shared = shared.clone();
            go!(move || (0..each).for_each(|_| *shared.lock().expect("not poisoned") += 1))
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
    let tasks: Vec<_> = (0..LOCKERS).map(|_| go!(task(shared.clone()))).collect();
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

fn mem_queued(ops: u64) -> Outcome {
    let memory = Parked::begin();
    for _ in 0..ops {
        go!(|| ARRIVED.fetch_add(1, Relaxed));
    }
    let outcome = memory.end(ops);
    outcome.with("started", ARRIVED.load(Relaxed) as f64)
}

fn mem_parked(ops: u64) -> Outcome {
    let gate = Arc::new(Semphore::new(0));
    let mut handles = Vec::with_capacity(ops as usize);
    let memory = Parked::begin();
    for _ in 0..ops {
        let gate = gate.clone();
        handles.push(go!(move || {
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
    let ticking = go!(move || {
        while let Some(pause) = ticker.until_next() {
            sleep(pause);
            ticker.tick();
        }
        ticker.outcome()
    });
    for _ in 0..workers {
        go!(move || hog(end));
    }
    ticking.join().expect("the ticker does not panic")
}

fn blocking(ops: u64) -> Outcome {
    let start = Instant::now();
    let tasks: Vec<_> = (0..ops).map(|_| go!(|| (0..SLEEPS).for_each(|_| thread::sleep(BLOCK)))).collect();
    join_all(tasks);
    Outcome::millis(start)
}
