//! Programs that look at which thread a goroutine is on.
//!
//! Why here: driven by `tests/threads.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprog/lockosthread.go`.

use std::sync::Mutex;
use std::thread::ThreadId;

use goruntime::runtime::{gomaxprocs, lock_os_thread, pin, set_max_threads, unlock_os_thread, yield_now};
use goruntime::time::{Duration, sleep};
use goruntime::{channel, go, spawn};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("locked_stays", Body(locked_stays)),
    ("locked_alone", Body(locked_alone)),
    ("locked_nests", Body(locked_nests)),
    ("locked_overflow", Body(locked_overflow)),
    ("unlocked_too_often", Body(unlocked_too_often)),
    ("locked_ends", Body(locked_ends)),
    ("locked_on_anothers", Body(locked_on_anothers)),
    ("locked_main_spawns", Body(locked_main_spawns)),
    ("pinned_stays", Body(pinned_stays)),
    ("sticky", Plain(sticky::main)),
    ("wander", Body(wander)),
    ("exhausted", Body(exhausted)),
];

fn id() -> ThreadId {
    std::thread::current().id()
}

/// Switches in every way there is, and says whether the thread is always the same.
fn stays(rounds: usize) -> bool {
    let before = id();
    (0..rounds).all(|round| {
        match round % 3 {
            0 => yield_now(),
            1 => spawn(yield_now).join().unwrap(),
            _ => sleep(Duration::from_micros(100)),
        }
        id() == before
    })
}

/// Work for every thread, so that goroutines have a reason to move.
fn start_traffic() {
    for _ in 0..4 * gomaxprocs() {
        go(|| {
            loop {
                yield_now();
            }
        });
    }
}

fn locked_stays() {
    start_traffic();
    let locked: Vec<_> = (0..8)
        .map(|_| {
            spawn(|| {
                lock_os_thread();
                stays(60)
            })
        })
        .collect();
    println!("{}", locked.into_iter().all(|one| one.join().unwrap()));
}

/// Nobody else runs on a locked thread.
fn locked_alone() {
    let locked = spawn(|| {
        lock_os_thread();
        let mine = id();
        let others: Vec<_> = (0..200).map(|_| spawn(move || id() == mine)).collect();
        others.into_iter().filter_map(|other| other.join().ok()).any(|on_mine| on_mine)
    });
    println!("{}", locked.join().unwrap());
}

fn locked_nests() {
    start_traffic();
    let locked = spawn(|| {
        lock_os_thread();
        lock_os_thread();
        unlock_os_thread();
        let stays = stays(60);
        unlock_os_thread();
        // Free again: others may run here, which shows in a round of yields without a hang.
        (0..100).for_each(|_| yield_now());
        stays
    });
    println!("{}", locked.join().unwrap());
}

fn locked_overflow() {
    loop {
        lock_os_thread();
    }
}

fn unlocked_too_often() {
    unlock_os_thread();
    lock_os_thread();
    unlock_os_thread();
    unlock_os_thread();
    println!("{}", spawn(|| 1).join().unwrap());
}

/// The thread of a goroutine that ended locked runs no other goroutine.
fn locked_ends() {
    static TAINTED: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
    for _ in 0..4 {
        let locked = spawn(|| {
            lock_os_thread();
            TAINTED.lock().unwrap().push(id());
        });
        locked.join().unwrap();
    }
    let tainted = TAINTED.lock().unwrap().clone();
    let others: Vec<_> = (0..500)
        .map(|_| {
            spawn(|| {
                yield_now();
                id()
            })
        })
        .collect();
    let seen: Vec<ThreadId> = others.into_iter().map(|other| other.join().unwrap()).collect();
    println!("{}", seen.iter().any(|thread| tainted.contains(thread)));
}

/// A goroutine is pinned to a thread that another one then locks; it locks its thread, too, when it is not pinned any more.
fn locked_on_anothers() {
    let two_locks = || {
        let (pinned_on, where_pinned) = channel::bounded(1);
        let (locked_on, where_locked) = channel::bounded(1);
        let (end, ends) = channel::bounded::<()>(0);
        let second = spawn(move || {
            let guard = pin();
            pinned_on.send(id()).unwrap();
            let other = where_locked.recv().unwrap();
            drop(guard);
            lock_os_thread();
            let differ = id() != other;
            unlock_os_thread();
            differ
        });
        let shared = where_pinned.recv().unwrap();
        let first = spawn(move || {
            lock_os_thread();
            locked_on.send(id()).unwrap();
            _ = ends.recv();
            id()
        });
        let differ = second.join().unwrap();
        drop(end);
        (first.join().unwrap() == shared, differ)
    };
    let differ = (0..1000).find_map(|_| {
        let (shared, differ) = two_locks();
        shared.then_some(differ)
    });
    println!("{differ:?}");
}

fn locked_main_spawns() {
    lock_os_thread();
    let sum: u64 = (0..200).map(|number| spawn(move || number).join().unwrap()).sum();
    println!("{sum}");
}

fn pinned_stays() {
    start_traffic();
    let pinned: Vec<_> = (0..8)
        .map(|_| {
            spawn(|| {
                let outer = pin();
                let inner = pin();
                let first = stays(30);
                drop(outer);
                let second = stays(30);
                drop(inner);
                first && second
            })
        })
        .collect();
    println!("{}", pinned.into_iter().all(|one| one.join().unwrap()));
}

mod sticky {
    #[goruntime::main(migrate = false)]
    pub(super) fn main() {
        super::start_traffic();
        let all: Vec<_> = (0..8).map(|_| goruntime::spawn(|| super::stays(60))).collect();
        println!("{}", all.into_iter().all(|one| one.join().unwrap()));
    }
}

/// Goroutines do move: what the programs above forbid happens here.
fn wander() {
    start_traffic();
    loop {
        let all: Vec<_> = (0..8).map(|_| spawn(|| stays(60))).collect();
        if !all.into_iter().all(|one| one.join().unwrap()) {
            break println!("moved");
        }
    }
}

/// Each of these goroutines has a thread for itself, more than are allowed.
fn exhausted() {
    set_max_threads(10);
    for _ in 0..20 {
        go(|| {
            lock_os_thread();
            goruntime::thread::park();
        });
    }
    loop {
        yield_now();
    }
}
