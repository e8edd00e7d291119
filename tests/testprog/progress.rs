//! Programs in which some goroutines compute or block without end, and others go on beside them.
//!
//! Why here: driven by `tests/progress.rs`.
//!
//! *Invariants*
//! - PR1. A program ends only when what must not starve has happened; if it starves, the program hangs.
//!
//! *Locks*: none.
//!
//! *Go:* `TestYieldProgress`, `TestAsyncPreempt`, `TestGCFairness`, `TestPingPongHog` of `runtime/proc_test.go`.

use std::fs::File;
use std::hint::spin_loop;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use goruntime::__private::computing_threads;
use goruntime::runtime::{gomaxprocs, lock_os_thread, set_gomaxprocs, yield_now};
use goruntime::time::sleep;
use goruntime::{go, spawn, thread};

use crate::Program::Body;
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("hog_sleeper", Body(hog_sleeper)),
    ("hog_spawner", Body(hog_spawner)),
    ("hog_yielder", Body(hog_yielder)),
    ("hog_ping_pong", Body(hog_ping_pong)),
    ("hog_locked", Body(hog_locked)),
    ("hog_many", Body(hog_many)),
    ("hog_main_returns", Body(hog_main_returns)),
    ("hog_resize", Body(hog_resize)),
    ("yield_hog", Body(yield_hog)),
    ("block_sleep", Body(block_sleep)),
    ("block_when_brisk", Body(block_when_brisk)),
    ("block_pipe", Body(block_pipe)),
    ("block_mutex", Body(block_mutex)),
    ("block_hundred", Body(block_hundred)),
    ("block_with_few_files", Body(block_with_few_files)),
    ("block_after_computing", Body(block_after_computing)),
    ("block_announced", Body(block_announced)),
    ("block_locked", Body(block_locked)),
    ("resize_under_load", Body(resize_under_load)),
    ("parallel", Body(parallel)),
];

static SPINNING: AtomicUsize = AtomicUsize::new(0);

/// Computes without end and without a call of the runtime.
fn hog() -> ! {
    SPINNING.fetch_add(1, Ordering::Relaxed);
    loop {
        spin_loop();
    }
}

/// A busy loop on every processor, and as many again that would like one.
fn start_hogs(count: usize) {
    for _ in 0..count {
        go(|| {
            hog();
        });
    }
}

fn hog_sleeper() {
    start_hogs(gomaxprocs());
    for tick in 0..20 {
        sleep(Duration::from_millis(1));
        println!("tick {tick}");
    }
}

fn hog_spawner() {
    start_hogs(gomaxprocs());
    for number in 0..200 {
        assert_eq!(spawn(move || number * 2).join().unwrap(), number * 2);
    }
    println!("spawned");
}

fn hog_yielder() {
    start_hogs(gomaxprocs());
    for _ in 0..50 {
        yield_now();
    }
    println!("yielded");
}

fn hog_ping_pong() {
    start_hogs(gomaxprocs());
    let main = thread::current();
    let pong = spawn(move || {
        for _ in 0..50 {
            thread::park();
            main.unpark();
        }
    });
    for _ in 0..50 {
        pong.thread().unpark();
        thread::park();
    }
    pong.join().unwrap();
    println!("fifty rounds");
}

fn hog_locked() {
    lock_os_thread();
    start_hogs(gomaxprocs());
    hog_rounds(10);
    println!("still here");
}

fn hog_rounds(count: usize) {
    for _ in 0..count {
        sleep(Duration::from_millis(1));
    }
}

/// More busy loops than processors: each of them gets to run.
fn hog_many() {
    let count = 3 * gomaxprocs();
    start_hogs(count);
    while SPINNING.load(Ordering::Relaxed) < count {
        sleep(Duration::from_millis(1));
    }
    println!("all spin");
}

fn hog_main_returns() {
    start_hogs(gomaxprocs());
    while SPINNING.load(Ordering::Relaxed) < gomaxprocs() {
        yield_now();
    }
    println!("bye");
}

fn hog_resize() {
    start_hogs(gomaxprocs());
    for count in [4, 1, 2, 8, 1] {
        set_gomaxprocs(count);
        assert_eq!(gomaxprocs(), count);
    }
    println!("resized");
}

/// A goroutine that only yields starves nobody.
fn yield_hog() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let yielder = spawn(|| {
        while !STOP.load(Ordering::Relaxed) {
            yield_now();
        }
    });
    hog_rounds(5);
    STOP.store(true, Ordering::Relaxed);
    yielder.join().unwrap();
    println!("stopped");
}

fn block_sleep() {
    for _ in 0..4 * gomaxprocs() {
        go(|| std::thread::sleep(Duration::from_secs(3600)));
    }
    hog_rounds(20);
    println!("twenty ticks");
}

/// For longer than sysmon stays wary the only processor changes goroutines all the time, so that sysmon looks seldom. Calls that block for less than the
/// few looks that it takes to be sure of one then make it look more often.
fn block_when_brisk() {
    static YIELDS: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..2 {
        go(|| {
            loop {
                yield_now();
                YIELDS.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    sleep(Duration::from_millis(1500));
    let mut noticed = 0;
    while noticed < 10 {
        for _ in 0..10_000 {
            yield_now();
        }
        let before = YIELDS.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(4));
        noticed += u32::from(YIELDS.load(Ordering::Relaxed) != before);
    }
    println!("ten were noticed");
}

/// Reads that nobody answers before the others have worked.
fn block_pipe() {
    let pipes: Vec<_> = (0..2 * gomaxprocs()).map(|_| std::io::pipe().unwrap()).collect();
    let mut writers = Vec::new();
    let mut readers = Vec::new();
    for (mut rx, tx) in pipes {
        writers.push(tx);
        readers.push(spawn(move || {
            let mut byte = [0];
            rx.read_exact(&mut byte).unwrap();
            byte[0]
        }));
    }
    let sum: u64 = (0..100).map(|number| spawn(move || number).join().unwrap()).sum();
    let size =
        spawn(|| File::open("/dev/zero").unwrap().take(1 << 20).read_to_end(&mut Vec::new()).unwrap()).join().unwrap();
    for (tx, byte) in writers.iter_mut().zip(1..) {
        tx.write_all(&[byte]).unwrap();
    }
    let answers: Vec<u8> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(answers.iter().copied().eq((1..).take(answers.len())));
    println!("{sum} {size}");
}

/// std's mutex blocks threads; whoever holds it still gets to run.
fn block_mutex() {
    let mutex = Arc::new(std::sync::Mutex::new(0_u32));
    let held = mutex.lock().unwrap();
    let count = 4 * gomaxprocs();
    let waiters: Vec<_> = (0..count)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            spawn(move || *mutex.lock().unwrap() += 1)
        })
        .collect();
    // The guard holds this goroutine's thread, not the runtime's progress.
    for _ in 0..20 {
        spawn(yield_now).join().unwrap();
    }
    drop(held);
    waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    println!("{}", *mutex.lock().unwrap() == u32::try_from(count).unwrap());
}

/// std's barrier blocks threads, and lets them go when all hundred are there.
fn block_hundred() {
    let barrier = Arc::new(Barrier::new(100));
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            spawn(move || barrier.wait().is_leader())
        })
        .collect();
    let leaders = calls.into_iter().filter_map(|call| call.join().ok()).filter(|&is_leader| is_leader).count();
    println!("{leaders} let a hundred go");
}

/// More threads block than there may be open files; they are noticed all the same, and the program can open its own.
fn block_with_few_files() {
    let (ready, barrier) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(201)));
    for _ in 0..200 {
        let (ready, barrier) = (Arc::clone(&ready), Arc::clone(&barrier));
        go(move || {
            ready.fetch_add(1, Ordering::Relaxed);
            barrier.wait();
        });
    }
    while ready.load(Ordering::Relaxed) < 200 {
        yield_now();
    }
    let files: Vec<_> = (0..50).map(|_| File::open("/dev/null")).collect();
    println!("{} files", files.iter().filter(|file| file.is_ok()).count());
}

/// Goroutines that lost their processors because they computed, and then block: they do not count among those that compute.
fn block_after_computing() {
    static ENOUGH: AtomicBool = AtomicBool::new(false);
    let count = 2 * gomaxprocs();
    let barrier = Arc::new(Barrier::new(count + 1));
    for _ in 0..count {
        let barrier = Arc::clone(&barrier);
        go(move || {
            while !ENOUGH.load(Ordering::Relaxed) {
                spin_loop();
            }
            barrier.wait();
        });
    }
    // This goroutine has one processor, and the others are theirs.
    while (computing_threads() as usize) < count - (gomaxprocs() - 1) {
        sleep(Duration::from_millis(1));
    }
    ENOUGH.store(true, Ordering::Relaxed);
    while computing_threads() != 0 {
        sleep(Duration::from_millis(1));
    }
    println!("nobody computes");
}

fn block_announced() {
    for _ in 0..4 * gomaxprocs() {
        go(|| goruntime::runtime::blocking(|| std::thread::sleep(Duration::from_secs(3600))));
    }
    let value = goruntime::runtime::blocking(|| 6 * 7);
    hog_rounds(20);
    println!("{value}");
}

fn block_locked() {
    let blocked = spawn(|| {
        lock_os_thread();
        let before = std::thread::current().id();
        std::thread::sleep(Duration::from_millis(100));
        before == std::thread::current().id()
    });
    hog_rounds(20);
    println!("{}", blocked.join().unwrap());
}

fn resize_under_load() {
    static STOP: AtomicBool = AtomicBool::new(false);
    static ROUNDS: AtomicUsize = AtomicUsize::new(0);
    let workers: Vec<_> = (0..20)
        .map(|_| {
            spawn(|| {
                while !STOP.load(Ordering::Relaxed) {
                    spawn(yield_now).join().unwrap();
                    ROUNDS.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for count in [1, 8, 2, 16, 3, 1, 4].repeat(5) {
        let seen = ROUNDS.load(Ordering::Relaxed);
        set_gomaxprocs(count);
        assert_eq!(gomaxprocs(), count);
        while ROUNDS.load(Ordering::Relaxed) < seen + 100 {
            yield_now();
        }
    }
    STOP.store(true, Ordering::Relaxed);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    println!("all joined");
}

/// As many goroutines as processors run at once: each waits, without a call, for all the others.
fn parallel() {
    static MET: AtomicUsize = AtomicUsize::new(0);
    let count = gomaxprocs();
    let others: Vec<_> = (0..count)
        .map(|_| {
            spawn(move || {
                MET.fetch_add(1, Ordering::Relaxed);
                while MET.load(Ordering::Relaxed) < count {
                    spin_loop();
                }
            })
        })
        .collect();
    others.into_iter().for_each(|other| other.join().unwrap());
    println!("met {count}");
}
