//! Programs that wait for locks for good, or misuse them.
//!
//! Why here: driven by `tests/locks.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `misuseTests` of mutex_test.go.

use std::mem::ManuallyDrop;
use std::ptr;

use goruntime::runtime::yield_now;
use goruntime::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, Pool, RwLock, Semaphore, WaitGroup, mpsc};
use goruntime::{go, thread};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("locks_dead", Body(dead)),
    ("locks_dead_condvar", Body(dead_condvar)),
    ("locks_dead_read", Body(dead_read)),
    ("locks_dead_upgrade", Body(dead_upgrade)),
    ("locks_dead_pool", Body(dead_pool)),
    ("locks_unlock_twice", Body(unlock_twice)),
    ("locks_unlock_write_twice", Body(unlock_write_twice)),
    ("locks_unlock_read_twice", Body(unlock_read_twice)),
    ("locks_unlock_caught", Body(unlock_caught)),
    ("locks_group_panics", Body(group_panics)),
    ("locks_uncontended", Plain(uncontended)),
];

/// Lets others run until something holds.
fn until(holds: impl Fn() -> bool) {
    while !holds() {
        yield_now();
    }
}

/// One goroutine for each lock, and main in a wait group.
fn dead() {
    static MUTEX: Mutex<()> = Mutex::new(());
    static RWLOCK: RwLock<()> = RwLock::new(());
    static ONCE: Once = Once::new();
    static LAZY: LazyLock<u8> = LazyLock::new(|| *LAZY + 1);
    static BARRIER: Barrier = Barrier::new(2);
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    let _kept = (MUTEX.lock().unwrap(), RWLOCK.read().unwrap());
    go(|| _ = MUTEX.lock().unwrap());
    go(|| _ = RWLOCK.write().unwrap());
    until(|| RWLOCK.try_read().is_err());
    go(|| _ = RWLOCK.read().unwrap());
    let (begins, begun) = mpsc::channel();
    go(move || {
        ONCE.call_once(|| {
            begins.send(()).unwrap();
            thread::park();
        })
    });
    begun.recv().unwrap();
    go(|| ONCE.call_once(|| ()));
    go(|| _ = *LAZY);
    go(|| _ = BARRIER.wait());
    go(|| _ = SEMAPHORE.acquire_many(2));
    let (_tx, rx) = mpsc::sync_channel::<()>(0);
    go(move || _ = rx.recv());
    let group = WaitGroup::new();
    group.add(1);
    group.wait();
}

fn dead_condvar() {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = pair.clone();
    go(move || {
        let mut waits = other.0.lock().unwrap();
        *waits = true;
        drop(other.1.wait(waits).unwrap());
    });
    until(|| *pair.0.lock().unwrap());
    // It will be notified, and wait for the mutex.
    let _guard = pair.0.lock().unwrap();
    pair.1.notify_one();
    thread::park();
}

/// The mistake that the documentation warns of: a writer comes between two reads of one goroutine.
fn dead_read() {
    static RWLOCK: RwLock<()> = RwLock::new(());
    let _first = RWLOCK.read().unwrap();
    go(|| _ = RWLOCK.write().unwrap());
    until(|| RWLOCK.try_read().is_err());
    let _second = RWLOCK.read().unwrap();
}

/// A reader cannot become a writer.
fn dead_upgrade() {
    static RWLOCK: RwLock<()> = RwLock::new(());
    // Those that were dropped are forgotten.
    (0..20).for_each(|_| drop((RWLOCK.read().unwrap(), RWLOCK.try_read().unwrap())));
    drop(RWLOCK.write().unwrap());
    let _first = RWLOCK.read().unwrap();
    let _second = RWLOCK.write().unwrap();
}

/// Idle values do not keep a deadlock from being reported for long.
fn dead_pool() {
    static POOL: Pool<Vec<u8>> = Pool::new(Vec::new);
    (0..100).for_each(|_| POOL.put(vec![1]));
    thread::park();
}

/// Ends a guard's borrow twice, as only unsafe code can.
fn drop_twice<G>(guard: G) {
    let guard = ManuallyDrop::new(guard);
    for _ in 0..2 {
        // SAFETY: a guard of a lock over nothing: dropping it changes the lock's word, no memory is freed.
        drop(unsafe { ptr::read(&raw const *guard) });
    }
}

fn unlock_twice() {
    drop_twice(Mutex::new(()).lock().unwrap());
}

fn unlock_write_twice() {
    drop_twice(RwLock::new(()).write().unwrap());
}

fn unlock_read_twice() {
    drop_twice(RwLock::new(()).read().unwrap());
}

/// It is the end even where panics are caught.
fn unlock_caught() {
    let caught = std::panic::catch_unwind(unlock_twice);
    println!("caught: {}", caught.is_err());
}

/// Nobody goes on because of the end of a goroutine that panics.
fn group_panics() {
    let group = WaitGroup::new();
    group.go(|| panic!("in the group"));
    group.wait();
    println!("the group is done");
}

/// What nobody else wants is had without the runtime, which would have threads.
fn uncontended() {
    let (mutex, rwlock, semaphore) = (Mutex::new(0), RwLock::new(0), Semaphore::new(3));
    for _ in 0..3 {
        *mutex.lock().unwrap() += 1;
        *mutex.try_lock().unwrap() += *rwlock.read().unwrap();
        *rwlock.write().unwrap() += 1;
        drop((semaphore.acquire(), semaphore.acquire_many(2)));
        Condvar::new().notify_one();
        Condvar::new().notify_all();
        WaitGroup::new().wait();
    }
    drop((mutex.try_lock().unwrap(), rwlock.try_write().unwrap(), semaphore.try_acquire().unwrap()));
    println!("threads: {}", std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count));
    // The first wait starts it.
    let group = WaitGroup::new();
    group.go(|| ());
    group.wait();
    println!("more: {}", std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count) > 1);
}
