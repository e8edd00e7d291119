//! Programs whose goroutines share plain memory and order it by one of the runtime's means.
//!
//! Why here: see `main`.
//!
//! *Invariants.* RP1, RP2. RP4. Without the means that the program is named after there would be a race.
//!
//! *Locks*: those that are tested.
//!
//! *Go:* `runtime/race/testdata`, the tests with `NoRace` in their names.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::thread as os_thread;

use goruntime::channel::{self, select};
use goruntime::net::{TcpListener, TcpStream};
use goruntime::runtime::yield_now;
use goruntime::sync::{Barrier, Condvar, Mutex, OnceLock, RwLock, Semaphore, WaitGroup};
use goruntime::time::{self, Duration};
use goruntime::{context, go, scope, spawn, thread};

use super::Plain;

pub(super) const PROGRAMS: &[(&str, fn())] = &[
    ("spawn_and_join", spawn_and_join),
    ("scopes", scopes),
    ("rendezvous", || ping_pong(0)),
    ("buffered", || ping_pong(1)),
    ("channel_as_lock", channel_as_lock),
    ("close", close),
    ("select", select_between_two),
    ("parked_select", parked_select),
    ("mutex", mutex),
    ("rwlock", rwlock),
    ("condvar", condvar),
    ("once", once),
    ("barrier", barrier),
    ("wait_group", wait_group),
    ("semaphore", semaphore),
    ("permits", permits),
    ("timers", timers),
    ("contexts", contexts),
    ("sockets", sockets),
    ("plain_threads", plain_threads),
    ("thread_locals", thread_locals),
    ("recycled", recycled),
];

const ROUNDS: u64 = 80;

/// Runs `work` in some goroutines, so often in each.
fn in_four(work: impl Fn() + Send + Sync + 'static) {
    let (group, work) = (WaitGroup::new(), Arc::new(work));
    for _ in 0..4 {
        let work = Arc::clone(&work);
        group.go(move || (0..ROUNDS).for_each(|_| work()));
    }
    group.wait();
}

fn spawn_and_join() {
    let number = Arc::new(Plain::new());
    for _ in 0..ROUNDS {
        number.bump();
        let theirs = Arc::clone(&number);
        let seen = spawn(move || {
            theirs.bump();
            Box::new(theirs.get())
        });
        assert_eq!(*seen.join().unwrap(), number.get());
    }
}

fn scopes() {
    let (one, other) = (Plain::new(), Plain::new());
    for _ in 0..ROUNDS {
        scope(|scope| {
            scope.spawn(|| one.bump());
            scope.spawn(|| other.bump());
        });
        assert_eq!(one.get(), other.get());
    }
}

/// Two goroutines hand a number to and fro.
fn ping_pong(buffer: usize) {
    let (tx, rx) = channel::bounded::<Box<Plain>>(buffer);
    let (back, returned) = channel::bounded(buffer);
    go(move || {
        for number in rx {
            number.bump();
            back.send(number).unwrap();
        }
    });
    let mut number = Box::new(Plain::new());
    for _ in 0..ROUNDS {
        number.bump();
        tx.send(number).unwrap();
        number = returned.recv().unwrap();
    }
    assert_eq!(number.get(), 2 * ROUNDS);
}

/// A receive makes room for the send that comes after it.
fn channel_as_lock() {
    let (tx, rx) = channel::bounded(1);
    let number = Plain::new();
    in_four(move || {
        tx.send(()).unwrap();
        number.bump();
        rx.recv().unwrap();
    });
}

fn close() {
    for _ in 0..ROUNDS {
        let (tx, rx) = channel::bounded::<()>(0);
        let number = Arc::new(Plain::new());
        let theirs = Arc::clone(&number);
        go(move || {
            theirs.bump();
            tx.close();
        });
        assert!(rx.recv().is_err());
        assert_eq!(number.get(), 1);
    }
}

fn select_between_two() {
    let (left, from_left) = channel::bounded::<Box<Plain>>(0);
    let (right, from_right) = channel::bounded::<Box<Plain>>(1);
    for tx in [left, right] {
        go(move || {
            for _ in 0..ROUNDS {
                let number = Box::new(Plain::new());
                number.bump();
                tx.send(number).unwrap();
            }
        });
    }
    for _ in 0..2 * ROUNDS {
        let number = select! {
            recv(from_left) -> number => number.or_else(|_| from_right.recv()),
            recv(from_right) -> number => number.or_else(|_| from_left.recv()),
        };
        assert_eq!(number.unwrap().get(), 1);
    }
}

/// The receiver waits first, and the sender finds it.
fn parked_select() {
    let (tx, rx) = channel::bounded::<Arc<Plain>>(0);
    let (_never, other) = channel::bounded::<()>(0);
    go(move || {
        let number = Arc::new(Plain::new());
        for _ in 0..ROUNDS {
            yield_now();
            number.bump();
            tx.send(Arc::clone(&number)).unwrap();
            // The receiver looks between this send and the next one.
            tx.send(Arc::clone(&number)).unwrap();
        }
    });
    for round in 1..=ROUNDS {
        let number = select! {
            recv(rx) -> number => number.unwrap(),
            recv(other) -> _ => unreachable!(),
        };
        assert_eq!(number.get(), round);
        rx.recv().unwrap();
    }
}

fn mutex() {
    let shared = Mutex::new(Plain::new());
    in_four(move || {
        let number = shared.lock().unwrap();
        number.bump();
        if number.get().is_multiple_of(8) {
            // Makes others wait for the lock.
            yield_now();
        }
    });
}

fn rwlock() {
    let shared = RwLock::new(Plain::new());
    in_four(move || {
        shared.write().unwrap().bump();
        let number = shared.read().unwrap();
        if number.get().is_multiple_of(8) {
            yield_now();
        }
    });
}

fn condvar() {
    let shared = Arc::new((Mutex::new(false), Condvar::new(), Plain::new()));
    let theirs = Arc::clone(&shared);
    go(move || {
        theirs.2.bump();
        *theirs.0.lock().unwrap() = true;
        theirs.1.notify_one();
    });
    let guard = shared.0.lock().unwrap();
    drop(shared.1.wait_while(guard, |done| !*done).unwrap());
    assert_eq!(shared.2.get(), 1);
}

fn once() {
    for _ in 0..ROUNDS {
        let cell: OnceLock<Plain> = OnceLock::new();
        scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let number = cell.get_or_init(|| {
                        yield_now();
                        let number = Plain::new();
                        number.bump();
                        number
                    });
                    assert_eq!(number.get(), 1);
                });
            }
        });
    }
}

fn barrier() {
    let (barrier, number) = (Barrier::new(4), Plain::new());
    in_four(move || {
        if barrier.wait().is_leader() {
            number.bump();
        }
        barrier.wait();
        number.get();
    });
}

fn wait_group() {
    for _ in 0..ROUNDS {
        let numbers: Arc<[Plain; 3]> = Arc::default();
        let group = WaitGroup::new();
        for index in 0..3 {
            let numbers = Arc::clone(&numbers);
            group.go(move || numbers[index].bump());
        }
        group.wait();
        assert!(numbers.iter().all(|number| number.get() == 1));
    }
}

fn semaphore() {
    let (semaphore, number) = (Semaphore::new(1), Plain::new());
    in_four(move || {
        let _permit = semaphore.acquire();
        number.bump();
    });
}

/// `unpark` comes before the return of `park`.
fn permits() {
    let number = Arc::new(Plain::new());
    for round in 1..=ROUNDS {
        let (theirs, me) = (Arc::clone(&number), thread::current());
        let done = spawn(move || {
            theirs.bump();
            me.unpark();
        });
        thread::park();
        assert_eq!(number.get(), round);
        done.join().unwrap();
    }
}

fn timers() {
    let number = Arc::new(Plain::new());
    for round in 1..=20 {
        number.bump();
        let (tx, rx) = channel::bounded(0);
        let theirs = Arc::clone(&number);
        let _timer = time::after_func(Duration::from_micros(100), move || {
            theirs.bump();
            tx.send(()).unwrap();
        });
        time::sleep(Duration::from_micros(50));
        channel::after(Duration::from_micros(50)).recv().unwrap();
        rx.recv().unwrap();
        assert_eq!(number.get(), 2 * round);
    }
}

fn contexts() {
    for _ in 0..20 {
        let (ctx, cancel) = context::with_cancel(&context::background());
        let number = Arc::new(Plain::new());
        let theirs = Arc::clone(&number);
        let waiting = spawn(move || {
            ctx.done().recv().unwrap_err();
            theirs.bump();
        });
        number.bump();
        cancel.cancel();
        waiting.join().unwrap();
        assert_eq!(number.get(), 2);
    }
}

fn sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let number = Arc::new(Plain::new());
    let theirs = Arc::clone(&number);
    let server = spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).unwrap() == 1 {
            theirs.bump();
            stream.write_all(&byte).unwrap();
        }
    });
    let mut stream = TcpStream::connect(address).unwrap();
    for round in 1..=20 {
        number.bump();
        stream.write_all(&[1]).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        assert_eq!(number.get(), 2 * round);
    }
    drop(stream);
    server.join().unwrap();
}

fn plain_threads() {
    let (tx, rx) = channel::bounded::<Box<Plain>>(0);
    let (back, returned) = channel::bounded(0);
    let thread = os_thread::spawn(move || {
        for number in rx {
            number.bump();
            back.send(number).unwrap();
        }
    });
    for _ in 0..ROUNDS {
        tx.send(Box::default()).unwrap();
        assert_eq!(returned.recv().unwrap().get(), 1);
    }
    drop(tx);
    thread.join().unwrap();
}

/// A thread-local is one goroutine's after the other, and so it is in std.
fn thread_locals() {
    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
        static WORDS: RefCell<[u64; 4]> = const { RefCell::new([0; 4]) };
        static LATE: Cell<Option<Dropped>> = const { Cell::new(None) };
        static LATER: Cell<Option<Dropped>> = const { Cell::new(None) };
    }
    struct Dropped;
    impl Drop for Dropped {
        fn drop(&mut self) {}
    }
    in_four(|| {
        COUNT.set(COUNT.get() + 1);
        WORDS.with_borrow_mut(|words| words[0] += 1);
        let mut map = HashMap::new();
        map.insert(1, 2);
        LATE.set(Some(Dropped));
        yield_now();
        LATER.set(Some(Dropped));
        assert_eq!(os_thread::current().id(), os_thread::current().id());
    });
}

/// Stacks, slots and all else that goroutines use one after the other.
fn recycled() {
    #[inline(never)]
    fn deep(level: u64) -> u64 {
        let frame = std::hint::black_box([level; 64]);
        if level == 0 { frame[3] } else { frame[5] + deep(level - 1) }
    }
    in_four(|| {
        let big = [7u64; 20];
        let sum = spawn(move || (deep(20), big));
        let small = spawn(|| deep(10) as u8);
        assert_eq!((sum.join().unwrap().0, small.join().unwrap()), (210, 55));
        go(|| assert_eq!(deep(15), 120));
    });
}
