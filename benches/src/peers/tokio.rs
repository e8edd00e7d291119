//! What do the workloads cost as tasks of tokio's multi-thread runtime?
//!
//! The measuring task is spawned, not run by `block_on`, so that it runs on a worker as in the other
//! peers. Channels are tokio's own where it has them, else async-channel's and flume's.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Relaxed},
};
use std::thread;
use std::time::{Duration, Instant};

use ::hyper::server::conn::http1;
use ::hyper::service::service_fn;
use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
use ::tokio::net::TcpListener;
use ::tokio::sync::{Mutex, Notify, RwLock, mpsc};
use ::tokio::task::{JoinHandle, spawn_blocking, yield_now};
use ::tokio::time::sleep;
use ::tokio::{runtime, select, spawn};
use hyper_util::rt::TokioIo;

use super::UNKNOWN;
use super::answer::answer;
use super::rendezvous::{self, Detach};
use crate::load;
use crate::outcome::{Outcome, Unsupported};
use crate::shape::{
    ARRIVED, BATCH, BLOCK, CAPACITY, ECHO_BUFFER, LOCKERS, Parked, SIDES, SLEEPS, Ticker, WRITE_EVERY, YIELDERS, hog,
    random_millis,
};

/// Runs one workload.
pub fn run(workload: &str, workers: u32, ops: u64) -> Result<Outcome, Unsupported> {
    let workload = workload.to_owned();
    let rt = runtime::Builder::new_multi_thread()
        .worker_threads(workers as usize)
        .enable_all()
        .build()
        .expect("a tokio runtime");
    let answer = rt.block_on(async move { spawn(dispatch(workload, workers, ops)).await });
    rt.shutdown_background();
    answer.expect("the measuring task does not panic")
}

async fn dispatch(workload: String, workers: u32, ops: u64) -> Result<Outcome, Unsupported> {
    Ok(match workload.as_str() {
        "spawn_join" => spawn_join(ops).await,
        "spawn_wg" => spawn_wg(ops).await,
        "spawn_burst" => spawn_burst(ops).await,
        "yield2" => yields(2, ops).await,
        "yield1000" => yields(YIELDERS, ops).await,
        "pingpong_unbuf" => rendezvous::pingpong(OnTokio, ops).await,
        "pingpong_cap1" => pingpong_cap1(ops).await,
        "chan_buf" => chan_buf(ops).await,
        "chan_buf4x4" => chan_buf4x4(ops).await,
        "chan_unb" => chan_unb(ops).await,
        "select_buf" => selecting(CAPACITY, ops).await,
        "select_cap1" => selecting(1, ops).await,
        "select_unbuf" => rendezvous::selecting(OnTokio, ops).await,
        "ring_unbuf" => rendezvous::ring(OnTokio, ops).await,
        "sieve_unbuf" => rendezvous::sieve(OnTokio, ops).await,
        "skynet" => rendezvous::skynet(OnTokio, ops).await,
        "mutex1" => mutex(1, ops).await,
        "mutex" => mutex(LOCKERS, ops).await,
        "rwlock" => rwlock(ops).await,
        "waitgroup" => waitgroup(ops).await,
        "timers_rand" => timers_rand(ops).await,
        "timers_1ms" => timers_1ms(ops).await,
        "sleep1us" => sleep1us(ops).await,
        "mem_queued" => mem_queued(ops),
        "mem_parked_100k" | "mem_parked_1m" => mem_parked(ops).await,
        "hog" => hogs(workers, ops).await,
        "blocking" => blocking(ops).await,
        server if server.starts_with(load::ECHO) => tcp_echo().await,
        server if server.starts_with(load::HTTP) => http().await,
        "blocking_announced" => blocking_announced(ops).await,
        _ => return Err(UNKNOWN),
    })
}

/// Serves until the process is killed.
async fn tcp_echo() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    load::announce(listener.local_addr().expect("a bound address"));
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an open connection");
        spawn(async move {
            let mut buf = [0; ECHO_BUFFER];
            while let Ok(count @ 1..) = stream.read(&mut buf).await {
                if stream.write_all(&buf[..count]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// The same with hyper.
async fn http() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    load::announce(listener.local_addr().expect("a bound address"));
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an open connection");
        spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
    }
}

#[derive(Clone, Copy)]
struct OnTokio;

impl Detach for OnTokio {
    fn detach(self, task: impl Future<Output = ()> + Send + 'static) {
        spawn(task);
    }
}

/// Counts tasks down and wakes one waiter: the wait group that tokio's users write.
struct Countdown {
    left: AtomicU64,
    done: Notify,
}

impl Countdown {
    fn new(tasks: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(tasks), done: Notify::new() })
    }

    fn count(&self) {
        // AcqRel: the last decrement pairs with those before it.
        if self.left.fetch_sub(1, AcqRel) == 1 {
            self.done.notify_one();
        }
    }
}

async fn join_all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.await.expect("no task panics");
    }
}

async fn spawn_join(ops: u64) -> Outcome {
    let mut handles = Vec::with_capacity(BATCH as usize);
    let batches = ops.div_ceil(BATCH);
    let mut start = Instant::now();
    for batch in 0..=batches {
        handles.extend((0..BATCH).map(|_| spawn(async {})));
        join_all(handles.drain(..)).await;
        if batch == 0 {
            start = Instant::now();
        }
    }
    Outcome::per_op(start, batches * BATCH)
}

async fn counted_batch(tasks: u64) {
    let left = Countdown::new(tasks);
    for _ in 0..tasks {
        let left = left.clone();
        spawn(async move { left.count() });
    }
    left.done.notified().await;
}

async fn spawn_wg(ops: u64) -> Outcome {
    let batches = ops.div_ceil(BATCH);
    counted_batch(BATCH).await;
    let start = Instant::now();
    for _ in 0..batches {
        counted_batch(BATCH).await;
    }
    Outcome::per_op(start, batches * BATCH)
}

async fn spawn_burst(ops: u64) -> Outcome {
    let start = Instant::now();
    counted_batch(ops).await;
    Outcome::per_op(start, ops)
}

async fn yields(tasks: u64, ops: u64) -> Outcome {
    let each = ops / tasks;
    let start = Instant::now();
    let yielders: Vec<_> = (0..tasks)
        .map(|_| {
            spawn(async move {
                for _ in 0..each {
                    yield_now().await;
                }
            })
        })
        .collect();
    join_all(yielders).await;
    Outcome::per_op(start, each * tasks)
}

async fn pingpong_cap1(ops: u64) -> Outcome {
    let (ping, mut pinged) = mpsc::channel(1);
    let (pong, mut ponged) = mpsc::channel(1);
    spawn(async move {
        while let Some(i) = pinged.recv().await {
            if pong.send(i).await.is_err() {
                break;
            }
        }
    });
    let start = Instant::now();
    for i in 0..ops {
        ping.send(i).await.expect("the echo is alive");
        ponged.recv().await.expect("the echo is alive");
    }
    Outcome::per_op(start, ops)
}

async fn chan_buf(ops: u64) -> Outcome {
    let (tx, mut rx) = mpsc::channel(CAPACITY);
    let start = Instant::now();
    spawn(async move {
        for i in 0..ops {
            tx.send(i).await.expect("the consumer is alive");
        }
    });
    let consumer = spawn(async move { while rx.recv().await.is_some() {} });
    join_all([consumer]).await;
    Outcome::per_op(start, ops)
}

async fn chan_buf4x4(ops: u64) -> Outcome {
    let (tx, rx) = async_channel::bounded(CAPACITY);
    let each = ops / SIDES;
    let start = Instant::now();
    for _ in 0..SIDES {
        let tx = tx.clone();
        spawn(async move {
            for i in 0..each {
                tx.send(i).await.expect("the consumers are alive");
            }
        });
    }
    drop(tx);
    let consume = |rx: async_channel::Receiver<u64>| async move { while rx.recv().await.is_ok() {} };
    let consumers: Vec<_> = (0..SIDES).map(|_| spawn(consume(rx.clone()))).collect();
    join_all(consumers).await;
    Outcome::per_op(start, each * SIDES)
}

async fn chan_unb(ops: u64) -> Outcome {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let start = Instant::now();
    spawn(async move {
        for i in 0..ops {
            tx.send(i).expect("the consumer is alive");
        }
    });
    let consumer = spawn(async move { while rx.recv().await.is_some() {} });
    join_all([consumer]).await;
    Outcome::per_op(start, ops)
}

async fn selecting(capacity: usize, ops: u64) -> Outcome {
    let each = ops / SIDES;
    let start = Instant::now();
    let mut from = Vec::new();
    // Kept, so that no channel is closed before the last item has come.
    let mut kept = Vec::new();
    for _ in 0..SIDES {
        let (tx, rx) = mpsc::channel(capacity);
        from.push(rx);
        kept.push(tx.clone());
        spawn(async move {
            for i in 0..each {
                tx.send(i).await.expect("the consumer is alive");
            }
        });
    }
    let [a, b, c, d] = &mut from[..] else { unreachable!("there are four producers") };
    for _ in 0..each * SIDES {
        let item = select! {
            item = a.recv() => item,
            item = b.recv() => item,
            item = c.recv() => item,
            item = d.recv() => item,
        };
        assert!(item.is_some(), "a producer's channel was closed");
    }
    Outcome::per_op(start, each * SIDES)
}

async fn mutex(lockers: u64, ops: u64) -> Outcome {
    let shared = Arc::new(Mutex::new(0_u64));
    let each = ops / lockers;
    let start = Instant::now();
    let tasks: Vec<_> = (0..lockers)
        .map(|_| {
            let shared = shared.clone();
            spawn(async move {
                for _ in 0..each {
                    *shared.lock().await += 1;
                }
            })
        })
        .collect();
    join_all(tasks).await;
    assert_eq!(*shared.lock().await, each * lockers, "the mutex lost an addition");
    Outcome::per_op(start, each * lockers)
}

async fn rwlock(ops: u64) -> Outcome {
    let shared = Arc::new(RwLock::new(0_u64));
    let each = ops / LOCKERS;
    let start = Instant::now();
    let tasks: Vec<_> = (0..LOCKERS)
        .map(|_| {
            let shared = shared.clone();
            spawn(async move {
                let mut seen = 0;
                for i in 0..each {
                    if i % WRITE_EVERY == 0 {
                        *shared.write().await += 1;
                    } else {
                        seen += *shared.read().await;
                    }
                }
                black_box(seen);
            })
        })
        .collect();
    join_all(tasks).await;
    assert_eq!(*shared.read().await, each.div_ceil(WRITE_EVERY) * LOCKERS, "the lock lost an addition");
    Outcome::per_op(start, each * LOCKERS)
}

async fn waitgroup(ops: u64) -> Outcome {
    let start = Instant::now();
    for _ in 0..ops {
        counted_batch(1).await;
    }
    Outcome::per_op(start, ops)
}

async fn timers_rand(ops: u64) -> Outcome {
    let start = Instant::now();
    let left = Countdown::new(ops);
    for id in 0..ops {
        let left = left.clone();
        spawn(async move {
            sleep(random_millis(id)).await;
            left.count();
        });
    }
    left.done.notified().await;
    Outcome::millis(start)
}

async fn timers_1ms(ops: u64) -> Outcome {
    let start = Instant::now();
    let left = Countdown::new(ops);
    for _ in 0..ops {
        let left = left.clone();
        spawn(async move {
            for _ in 0..SLEEPS {
                sleep(Duration::from_millis(1)).await;
            }
            left.count();
        });
    }
    left.done.notified().await;
    Outcome::millis(start)
}

async fn sleep1us(ops: u64) -> Outcome {
    let start = Instant::now();
    for _ in 0..ops {
        sleep(Duration::from_micros(1)).await;
    }
    Outcome::new(start.elapsed().as_secs_f64() * 1e6 / ops as f64)
}

fn mem_queued(ops: u64) -> Outcome {
    let memory = Parked::begin();
    for _ in 0..ops {
        spawn(async {
            ARRIVED.fetch_add(1, Relaxed);
        });
    }
    let outcome = memory.end(ops);
    outcome.with("started", ARRIVED.load(Relaxed) as f64)
}

async fn mem_parked(ops: u64) -> Outcome {
    let gate = Arc::new(Notify::new());
    let mut handles = Vec::with_capacity(ops as usize);
    let memory = Parked::begin();
    for _ in 0..ops {
        let gate = gate.clone();
        handles.push(spawn(async move {
            ARRIVED.fetch_add(1, Relaxed);
            gate.notified().await;
        }));
    }
    while !Parked::all_arrived(ops) {
        sleep(Duration::from_millis(1)).await;
    }
    memory.end(ops)
}

async fn hogs(workers: u32, millis: u64) -> Outcome {
    let mut ticker = Ticker::new(millis);
    let end = ticker.end();
    let ticking = spawn(async move {
        while let Some(pause) = ticker.until_next() {
            sleep(pause).await;
            ticker.tick();
        }
        ticker.outcome()
    });
    for _ in 0..workers {
        spawn(async move { hog(end) });
    }
    ticking.await.expect("the ticker does not panic")
}

async fn blocking(ops: u64) -> Outcome {
    let start = Instant::now();
    let tasks: Vec<_> = (0..ops).map(|_| spawn(async { (0..SLEEPS).for_each(|_| thread::sleep(BLOCK)) })).collect();
    join_all(tasks).await;
    Outcome::millis(start)
}

async fn blocking_announced(ops: u64) -> Outcome {
    let start = Instant::now();
    let task = || async {
        for _ in 0..SLEEPS {
            spawn_blocking(|| thread::sleep(BLOCK)).await.expect("a sleep does not panic");
        }
    };
    let tasks: Vec<_> = (0..ops).map(|_| spawn(task())).collect();
    join_all(tasks).await;
    Outcome::millis(start)
}
