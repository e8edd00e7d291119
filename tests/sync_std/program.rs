// A program that uses every function of std::sync that waits or hands over, and writes down what it sees. It is included where `sync` and `thread` are
// imported.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use sync::atomic::{AtomicUsize, Ordering};
use sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use sync::{
    Arc, Barrier, BarrierWaitResult, Condvar, LazyLock, LockResult, Mutex, MutexGuard, Once, OnceLock, OnceState,
    PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult, WaitTimeoutResult, Weak, mpsc,
};

const LONG: Duration = Duration::from_secs(60);

static COUNT: Mutex<u32> = Mutex::new(0);
static TABLE: RwLock<Vec<u32>> = RwLock::new(Vec::new());
static CHANGED: Condvar = Condvar::new();
static START: Once = Once::new();
static NAME: OnceLock<String> = OnceLock::new();
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| vec!["a", "b"]);
static ALL: Barrier = Barrier::new(1);

fn is_sync<T: Sync>() {}
fn is_send<T: Send>() {}
fn may_unwind<T: UnwindSafe + RefUnwindSafe>() {}

/// Fails to compile if the type implements the trait.
macro_rules! never {
    ($($type:ty: $what:path),* $(,)?) => {$(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn ask() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Is;
            impl<T: ?Sized + $what> Ambiguous<Is> for T {}
            let _ = <$type as Ambiguous<_>>::ask;
        };
    )*};
}

type Cell = std::cell::Cell<u8>;
type Rc = std::rc::Rc<u8>;

never! {
    MutexGuard<'static, u8>: Send, RwLockReadGuard<'static, u8>: Send, RwLockWriteGuard<'static, u8>: Send,
    MutexGuard<'static, Cell>: Sync, RwLockReadGuard<'static, Cell>: Sync, RwLockWriteGuard<'static, Cell>: Sync,
    Mutex<Rc>: Sync, Mutex<Rc>: Send, RwLock<Rc>: Send, RwLock<Cell>: Sync,
    OnceLock<Cell>: Sync, OnceLock<Rc>: Send, LazyLock<Cell>: Sync, LazyLock<u8, Box<dyn FnOnce() -> u8>>: Sync,
    OnceState: Sync, mpsc::Receiver<u8>: Sync, mpsc::Sender<Rc>: Send, mpsc::Receiver<Rc>: Send,
}

fn traits() {
    is_sync::<(Mutex<Cell>, RwLock<u8>, Condvar, Barrier, Once, OnceLock<u8>, LazyLock<u8>)>();
    is_send::<(Mutex<Cell>, RwLock<Cell>, Condvar, Barrier, Once, OnceLock<Cell>, LazyLock<Cell>)>();
    is_sync::<(MutexGuard<'static, u8>, RwLockReadGuard<'static, u8>, RwLockWriteGuard<'static, u8>)>();
    is_sync::<(mpsc::Sender<Cell>, mpsc::SyncSender<Cell>, BarrierWaitResult, WaitTimeoutResult)>();
    is_send::<(mpsc::Sender<Cell>, mpsc::SyncSender<Cell>, mpsc::Receiver<Cell>, mpsc::IntoIter<Cell>)>();
    may_unwind::<(Mutex<Cell>, RwLock<Cell>, Condvar, Barrier, Once, OnceLock<u8>, LazyLock<u8>)>();
}

/// Shorter lifetimes and types will do, where std lets them.
fn shorter<'short>(guard: RwLockReadGuard<'short, &'static str>) -> RwLockReadGuard<'short, &'short str> {
    guard
}

struct Log(Vec<String>);

impl Log {
    fn note(&mut self, what: &str, seen: impl Debug) {
        self.0.push(format!("{what}: {seen:?}"));
    }
}

/// What a panic says.
fn said<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { return "nothing".to_owned() };
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "something".to_owned())
}

/// Ends the caller by a panic, without a word.
fn fail() {
    resume_unwind(Box::new("failed"));
}

pub(crate) fn program() -> Vec<String> {
    traits();
    let mut log = Log(Vec::new());
    for part in [mutex, rwlock, condvar, timed, barrier, once, once_lock, lazy_lock, channel, sync_channel, questions] {
        part(&mut log);
    }
    log.0
}

fn add_one(mutex: &Mutex<u32>) -> Result<u32, PoisonError<MutexGuard<'_, u32>>> {
    let mut guard = mutex.lock()?;
    *guard += 1;
    Ok(*guard)
}

fn mutex(log: &mut Log) {
    *COUNT.lock().unwrap() = 0;
    let adders: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..100 {
                    add_one(&COUNT).unwrap();
                }
            })
        })
        .collect();
    adders.into_iter().for_each(|adder| adder.join().unwrap());
    log.note("count", *COUNT.lock().unwrap());
    let shared = Arc::new(Mutex::new(1));
    let weak: Weak<Mutex<i32>> = Arc::downgrade(&shared);
    log.note("unlocked", &shared);
    let guard = shared.lock().unwrap();
    // Versions of std differ in the quotes around the word.
    log.note("locked", format!("{shared:?}").replace('"', ""));
    log.note("guard", &guard);
    log.note("shown", guard.to_string());
    log.note("try", shared.try_lock().map(|guard| *guard).map_err(|error| error.to_string()));
    drop(guard);
    let other = shared.clone();
    let poisoner = thread::spawn(move || {
        let _guard = other.lock();
        fail();
    });
    log.note("joined", poisoner.join().is_err());
    log.note("poisoned", (shared.is_poisoned(), &shared));
    let result: LockResult<MutexGuard<'_, i32>> = shared.lock();
    log.note("error", result.as_ref().map(|guard| **guard).map_err(ToString::to_string));
    log.note("value", **result.unwrap_err().get_ref());
    let tried: TryLockResult<MutexGuard<'_, i32>> = shared.try_lock();
    log.note("try", matches!(&tried, Err(TryLockError::Poisoned(_))));
    log.note("why", tried.map_err(|error| format!("{error} {error:?}")).map(|guard| *guard));
    shared.clear_poison();
    log.note("again", *shared.lock().unwrap());
    drop(weak.upgrade());
    let mut owned = Arc::try_unwrap(shared).unwrap();
    *owned.get_mut().unwrap() += 1;
    log.note("inner", owned.into_inner());
    log.note("default", (Mutex::<u8>::default(), Mutex::from("text")));
    let unsized_value: Box<Mutex<[u8]>> = Box::new(Mutex::new([1, 2, 3]));
    log.note("unsized", unsized_value.lock().unwrap().len());
}

fn rwlock(log: &mut Log) {
    TABLE.write().unwrap().clear();
    let writers: Vec<_> = (0..4).map(|n| thread::spawn(move || TABLE.write().unwrap().push(n))).collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    log.note("written", TABLE.read().unwrap().iter().sum::<u32>());
    let shared = Arc::new(RwLock::new(1));
    let (one, other) = (shared.read().unwrap(), shared.read().unwrap());
    log.note("readers", (&one, *other, one.to_string(), &shared));
    log.note("try", (shared.try_read().is_ok(), shared.try_write().map_err(|error| error.to_string()).is_err()));
    drop((one, other));
    let mut writer = shared.write().unwrap();
    *writer += 1;
    log.note("writer", (&writer, writer.to_string(), &shared));
    log.note("try", (shared.try_read().is_err(), shared.try_write().is_err()));
    drop(writer);
    let of = |f: fn(&RwLock<i32>)| {
        let shared = shared.clone();
        thread::spawn(move || f(&shared)).join().is_err()
    };
    let reads = of(|shared| {
        let _guard = shared.read().unwrap();
        fail();
    });
    log.note("a reader panics", (reads, shared.is_poisoned()));
    let writes = of(|shared| {
        let _guard = shared.write().unwrap();
        fail();
    });
    log.note("a writer panics", (writes, shared.is_poisoned(), &shared));
    log.note("read", shared.read().map(|guard| *guard).map_err(|error| error.to_string()));
    log.note("write", shared.write().map(|guard| *guard).map_err(|error| **error.get_ref()));
    log.note("try", (shared.try_read().is_err(), matches!(shared.try_write(), Err(TryLockError::Poisoned(_)))));
    shared.clear_poison();
    log.note("clear", shared.is_poisoned());
    let mut owned = Arc::try_unwrap(shared).unwrap();
    *owned.get_mut().unwrap() += 1;
    log.note("inner", owned.into_inner().unwrap());
    log.note("default", (RwLock::<u8>::default(), RwLock::from("text")));
    let words = RwLock::new("word");
    log.note("shorter", *shorter(words.read().unwrap()));
}

fn condvar(log: &mut Log) {
    let pair = Arc::new((Mutex::new(0), Condvar::default()));
    let waiter = {
        let pair = pair.clone();
        thread::spawn(move || {
            let mut guard = pair.0.lock().unwrap();
            while *guard < 3 {
                guard = pair.1.wait(guard).unwrap();
            }
            *guard
        })
    };
    for _ in 0..3 {
        *pair.0.lock().unwrap() += 1;
        pair.1.notify_one();
    }
    log.note("waited", waiter.join().unwrap());
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let pair = pair.clone();
            thread::spawn(move || *pair.1.wait_while(pair.0.lock().unwrap(), |value| *value < 9).unwrap())
        })
        .collect();
    *pair.0.lock().unwrap() = 9;
    pair.1.notify_all();
    for waiter in waiters {
        log.note("waited while", waiter.join().unwrap());
    }
    log.note("condvar", (&pair.1, &CHANGED));
    let poisoner = pair.clone();
    log.note(
        "panics",
        thread::spawn(move || {
            let _guard = poisoner.0.lock();
            fail();
        })
        .join()
        .is_err(),
    );
    let poisoned = pair.0.lock().unwrap_err().into_inner();
    let result = pair.1.wait_timeout_while(poisoned, LONG, |_| false);
    log.note("poisoned", result.map(|(guard, result)| (*guard, result)).map_err(|_| ()));
}

fn timed(log: &mut Log) {
    let (mutex, moment) = (Mutex::new(1), Duration::from_millis(2));
    let (guard, result) = CHANGED.wait_timeout(mutex.lock().unwrap(), moment).unwrap();
    log.note("timed out", (*guard, result, result.timed_out()));
    let (guard, result) = CHANGED.wait_timeout_while(guard, moment, |value| *value == 1).unwrap();
    log.note("timed out", (*guard, result));
    let first = result;
    let (guard, result) = CHANGED.wait_timeout_while(guard, LONG, |value| *value != 1).unwrap();
    log.note("at once", (*guard, result, result != first));
    #[allow(deprecated, reason = "old programs use it")]
    let (guard, in_time) = CHANGED.wait_timeout_ms(guard, 2).unwrap();
    log.note("in time", (*guard, in_time));
    drop(guard);
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let other = pair.clone();
    let setter = thread::spawn(move || {
        *other.0.lock().unwrap() = true;
        other.1.notify_all();
    });
    let (guard, result) = pair.1.wait_timeout_while(pair.0.lock().unwrap(), LONG, |ready| !*ready).unwrap();
    log.note("notified", (*guard, result.timed_out()));
    drop(guard);
    setter.join().unwrap();
}

fn barrier(log: &mut Log) {
    log.note("alone", (ALL.wait().is_leader(), Barrier::new(0).wait()));
    let barrier = Arc::new(Barrier::new(3));
    log.note("barrier", &barrier);
    let leaders = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let others: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, leaders) = (barrier.clone(), leaders.clone());
                thread::spawn(move || _ = leaders.fetch_add(usize::from(barrier.wait().is_leader()), Ordering::SeqCst))
            })
            .collect();
        others.into_iter().for_each(|other| other.join().unwrap());
        log.note("leaders", leaders.load(Ordering::SeqCst));
    }
}

fn once(log: &mut Log) {
    let ran = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let ran = ran.clone();
            thread::spawn(move || {
                let once: &Once = &START;
                once.call_once(|| _ = ran.fetch_add(1, Ordering::SeqCst));
                once.is_completed()
            })
        })
        .collect();
    let seen: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    log.note("once", (seen, ran.load(Ordering::SeqCst) <= 1, &START));
    START.wait();
    START.wait_force();
    let poisoned = Arc::new(Once::new());
    log.note("panic", said(|| poisoned.call_once(|| panic!("no"))));
    log.note("is completed", poisoned.is_completed());
    log.note("poisoned", said(|| poisoned.call_once(|| ())));
    log.note("poisoned", said(|| poisoned.wait()));
    let waiter = {
        let poisoned = poisoned.clone();
        thread::spawn(move || poisoned.wait_force())
    };
    poisoned.call_once_force(|state| log.note("state", (state.is_poisoned(), state)));
    waiter.join().unwrap();
    log.note("repaired", said(|| poisoned.call_once(|| panic!("not called"))));
    poisoned.call_once_force(|_| panic!("not called"));
}

fn once_lock(log: &mut Log) {
    // It keeps what an earlier run of the program has set.
    let was_set = NAME.get().is_some();
    log.note("set", NAME.set("name".to_owned()).is_ok() != was_set);
    log.note("again", NAME.set("other".to_owned()));
    log.note("get", (NAME.get(), NAME.get_or_init(|| "third".to_owned()), NAME.wait()));
    let mut cell = OnceLock::new();
    log.note("empty", (&cell, cell.get(), cell == OnceLock::default()));
    log.note("panics", said(|| cell.get_or_init(|| panic!("no value"))));
    log.note("still empty", &cell);
    log.note("value", *cell.get_or_init(|| 4));
    if let Some(value) = cell.get_mut() {
        *value += 1;
    }
    log.note("clone", (cell.clone(), cell == OnceLock::from(5), cell.take(), cell.take(), &cell));
    log.note("inner", OnceLock::from("text").into_inner());
    let late = Arc::new(OnceLock::new());
    let waiter = {
        let late = late.clone();
        thread::spawn(move || *late.wait())
    };
    late.set(8).unwrap();
    log.note("waited", waiter.join().unwrap());
}

fn lazy_lock(log: &mut Log) {
    log.note("words", (WORDS.len(), LazyLock::force(&WORDS), WORDS[1]));
    let lazy = LazyLock::new(|| 3);
    log.note("lazy", &lazy);
    log.note("value", *lazy);
    log.note("lazy", &lazy);
    log.note("default", *LazyLock::<u8>::default());
    let moved = String::from("moved in");
    let lazy = LazyLock::new(move || moved + " and out");
    log.note("closure", lazy.as_str());
    let bad: LazyLock<u8> = LazyLock::new(|| panic!("not made"));
    log.note("first", said(|| *bad));
    log.note("second", said(|| *bad));
    log.note("bad", &bad);
}

fn channel(log: &mut Log) {
    let (tx, rx) = mpsc::channel();
    log.note("ends", (&tx, &rx));
    log.note("empty", (rx.try_recv(), rx.recv_timeout(Duration::from_millis(1))));
    let senders: Vec<_> = (1..=4)
        .map(|n| {
            let tx = tx.clone();
            thread::spawn(move || tx.send(n).unwrap())
        })
        .collect();
    log.note("sum", (0..4).map(|_| rx.recv().unwrap()).sum::<i32>());
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    (0..3).for_each(|n| tx.send(n).unwrap());
    log.note("there", rx.try_iter().collect::<Vec<_>>());
    (0..3).for_each(|n| tx.send(n).unwrap());
    drop(tx);
    log.note("in time", rx.recv_timeout(LONG));
    let mut left = Vec::new();
    for value in &rx {
        left.push(value);
        if value == 1 {
            break;
        }
    }
    log.note("left", left.into_iter().chain(rx.iter()).collect::<Vec<_>>());
    let ends: (Result<i32, RecvError>, Result<i32, TryRecvError>, Result<i32, RecvTimeoutError>) =
        (rx.recv(), rx.try_recv(), rx.recv_timeout(LONG));
    log.note("disconnected", ends);
    log.note(
        "texts",
        (ends.0.unwrap_err().to_string(), ends.1.unwrap_err().to_string(), ends.2.unwrap_err().to_string()),
    );
    let (tx, rx) = mpsc::channel();
    drop(rx);
    let refused: Result<(), SendError<i32>> = tx.send(7);
    log.note("refused", (&refused, refused.as_ref().unwrap_err().to_string(), refused.unwrap_err().0));
}

fn sync_channel(log: &mut Log) {
    let (tx, rx) = mpsc::sync_channel(1);
    log.note("ends", (&tx, &rx));
    tx.send(1).unwrap();
    let full: Result<(), TrySendError<i32>> = tx.try_send(2);
    log.note("full", (&full, full.as_ref().unwrap_err().to_string()));
    let sender = thread::spawn(move || (2..5).for_each(|n| tx.send(n).unwrap()));
    log.note("all", rx.into_iter().collect::<Vec<_>>());
    sender.join().unwrap();
    let (tx, rx) = mpsc::sync_channel(0);
    let sender = {
        let tx = tx.clone();
        thread::spawn(move || tx.send("met").unwrap())
    };
    log.note("rendezvous", rx.recv());
    sender.join().unwrap();
    log.note("nobody", tx.try_send("x"));
    drop(rx);
    log.note("gone", (tx.try_send("x"), tx.send("x")));
}

/// `?` converts between the errors, as before.
fn questions(log: &mut Log) {
    fn send_and_receive() -> Result<i32, Box<dyn std::error::Error>> {
        let (tx, rx) = mpsc::sync_channel(1);
        tx.send(1)?;
        let value = rx.recv()?;
        drop(tx);
        Ok(value + rx.try_recv()?)
    }
    fn converted() -> Result<(), TrySendError<u8>> {
        let (tx, _) = mpsc::channel();
        Ok(tx.send(1)?)
    }
    fn received() -> Result<u8, RecvTimeoutError> {
        let (_, rx) = mpsc::channel();
        Ok(rx.recv()?)
    }
    log.note("boxed", send_and_receive().map_err(|error| error.to_string()));
    log.note("converted", (converted(), received()));
}
