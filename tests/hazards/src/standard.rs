//! State of the standard library: the locks of its streams, the panic count, destructors of thread-local values.
//!
//! Why here: they know their owner by its thread.
//!
//! *Invariants*: HZ1 of the library.
//!
//! *Locks*: that of standard output.
//!
//! *Go:* none.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread;

use goruntime::channel::{self, Sender};
use goruntime::{go, spawn};
use goruntime_hazards::{elsewhere, thread_id};

/// Holds the lock of standard output over the wait, while others print; wrong if somebody else gets it meanwhile.
pub(crate) fn stdout() -> u64 {
    static TRIED: AtomicBool = AtomicBool::new(false);
    static ENTERED: AtomicU64 = AtomicU64::new(0);

    fn enter() {
        let mut lock = io::stdout().lock();
        ENTERED.fetch_add(1, Ordering::Relaxed);
        writeln!(lock, "in between").expect("standard output is open");
        TRIED.store(true, Ordering::Release);
    }

    let before = ENTERED.load(Ordering::Relaxed);
    TRIED.store(false, Ordering::Relaxed);
    let printer = spawn(|| println!("another line"));
    let mut lock = io::stdout().lock();
    writeln!(lock, "before").expect("standard output is open");
    if elsewhere::wait_and_then(enter) {
        // The former thread owns the lock as the standard library sees it, so that it gets in while this goroutine is in.
        while !TRIED.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
    }
    let wrong = ENTERED.load(Ordering::Relaxed) - before;
    writeln!(lock, "after").expect("standard output is open");
    drop(lock);
    printer.join().expect("printing does not panic");
    wrong
}

/// Waits in its destructor, while the panic that it is dropped for goes on.
struct Waiting(Arc<AtomicU64>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let here = thread_id();
        elsewhere::wait();
        let same = here == thread_id() && thread::panicking();
        self.0.fetch_add((!same).into(), Ordering::Relaxed);
    }
}

/// A goroutine waits while it unwinds, others lock and unlock a mutex, and one panics for itself: nobody else panics, and only the lock of the one
/// who did is poisoned.
pub(crate) fn unwinding() -> u64 {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let wrong = Arc::new(AtomicU64::new(0));
    let (sound, poisoned) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let mut all = Vec::new();
    for _ in 0..2 {
        let waiting = Waiting(Arc::clone(&wrong));
        all.push(spawn(move || {
            let _waiting = waiting;
            panic!("on purpose");
        }));
    }
    for _ in 0..4 {
        let (wrong, sound) = (Arc::clone(&wrong), Arc::clone(&sound));
        all.push(spawn(move || {
            for _ in 0..10 {
                *sound.lock().expect("nobody panics under it") += 1;
                wrong.fetch_add(thread::panicking().into(), Ordering::Relaxed);
                goruntime::runtime::yield_now();
            }
        }));
    }
    let lock = Arc::clone(&poisoned);
    all.push(spawn(move || {
        let _guard = lock.lock();
        panic!("on purpose, too");
    }));
    let panicked = all.into_iter().map(|one| one.join()).filter(Result::is_err).count();
    let expected = panicked == 3 && poisoned.is_poisoned() && !sound.is_poisoned();
    wrong.load(Ordering::Relaxed) + u64::from(!expected)
}

/// Sends when its thread ends.
struct LastWords(Sender<u32>);

impl Drop for LastWords {
    fn drop(&mut self) {
        // The channel has no room, so that this waits, on a thread that is about to end.
        _ = self.0.send(7);
    }
}

/// Threads end with a destructor that waits for a goroutine.
pub(crate) fn exit() -> u64 {
    thread_local! {
        static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
    }
    let (tx, rx) = channel::bounded(0);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let tx = tx.clone();
            thread::spawn(move || {
                let (done, ended) = channel::bounded(0);
                go(move || done.send(()).expect("the thread waits"));
                ended.recv().expect("the goroutine sends");
                LAST_WORDS.set(Some(LastWords(tx)));
            })
        })
        .collect();
    drop(tx);
    let words: Vec<u32> = rx.iter().collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    (words != [7, 7, 7]).into()
}
