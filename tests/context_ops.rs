//! The operations that give up when a context ends: each with every end, from goroutines and plain threads, alone and in races.
//!
//! Why here: from outside.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* none; there each is a `select`.

#[path = "common/procs.rs"]
mod procs;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use goruntime::channel::{RecvError, bounded, unbounded};
use goruntime::context::{self, CancelFunc, Cause, Context, ContextError, RecvCtxError, SendCtxError, background};
use goruntime::runtime::yield_now;
use goruntime::sync::{Arc, Mutex, Semaphore, WaitGroup};
use goruntime::time::{Duration, Instant, Ticker, Timer, sleep, sleep_ctx};
use goruntime::{go, select, spawn};

use self::procs::{settle, with_procs};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn on_some_procs(f: impl Fn() + Send + Sync) {
    for procs in [1, 2, 4] {
        with_procs(procs, &f);
    }
}

fn ended() -> Context {
    let (ctx, cancel) = context::with_cancel_cause(&background());
    cancel.cancel("over");
    ctx
}

/// A context that ends soon, in one of several ways.
fn ending(way: usize) -> (Context, CancelFunc) {
    match way % 3 {
        0 => context::with_timeout_cause(&background(), MS, "over"),
        1 => {
            let (parent, cancel) = context::with_timeout_cause(&background(), MS, "over");
            cancel.detach();
            context::with_cancel(&context::with_value(&parent, 1))
        }
        _ => {
            let (parent, cancel) = context::with_cancel_cause(&background());
            go(move || {
                sleep(MS);
                cancel.cancel("over");
            });
            context::with_cancel(&parent)
        }
    }
}

/// Every operation that waits for good, under a context.
fn waits(ctx: &Context) -> [String; 6] {
    let ((full, rx), mutex, group) = (bounded(1), Mutex::new(0), WaitGroup::new());
    full.send(1).unwrap();
    let held = mutex.lock().unwrap();
    group.add(1);
    let (stop, stopped) = bounded::<()>(0);
    let handle = spawn(move || stopped.recv());
    let send = full.send_ctx(2, ctx).unwrap_err();
    assert!(matches!(&send, SendCtxError::Canceled(2, _)) && send.cause().is_some());
    assert_eq!(rx.recv(), Ok(1));
    let recv = rx.recv_ctx(ctx).unwrap_err();
    let lock = mutex.lock_ctx(ctx).map(|_| ()).unwrap_err();
    let (handle, join) = handle.join_ctx(ctx).unwrap_err();
    let texts = [
        send.to_string(),
        recv.to_string(),
        lock.to_string(),
        group.wait_ctx(ctx).unwrap_err().to_string(),
        join.to_string(),
        sleep_ctx(HOUR, ctx).unwrap_err().to_string(),
    ];
    drop((held, stop));
    assert_eq!(handle.join().unwrap(), Err(RecvError));
    texts
}

#[test]
fn on_an_ended_context_nothing_is_done() {
    let check = || {
        let ctx = ended();
        assert_eq!(waits(&ctx), ["over"; 6]);
        let ((tx, rx), mutex, group) = (bounded(1), Mutex::new(0), WaitGroup::new());
        assert_eq!(tx.send_ctx(1, &ctx).unwrap_err().into_inner(), 1);
        tx.send(2).unwrap();
        assert!(rx.recv_ctx(&ctx).is_err() && mutex.lock_ctx(&ctx).is_err() && group.wait_ctx(&ctx).is_err());
        assert!(sleep_ctx(Duration::ZERO, &ctx).is_err());
        assert_eq!(rx.try_recv(), Ok(2));
    };
    on_some_procs(check);
    check();
}

#[test]
fn each_wait_ends_with_its_context() {
    for way in 0..3 {
        on_some_procs(move || {
            let (ctx, _cancel) = ending(way);
            assert_eq!(waits(&ctx), ["over"; 6]);
        });
        // Also on a plain thread.
        let (ctx, _cancel) = ending(way);
        assert_eq!(waits(&ctx), ["over"; 6]);
    }
}

/// Each operation that waits for good, alone.
const EACH: [fn(&Context) -> Cause; 6] = [
    |ctx| {
        let (_tx, rx) = bounded::<u8>(0);
        rx.recv_ctx(ctx).unwrap_err().cause().unwrap().clone()
    },
    |ctx| {
        let (tx, _rx) = bounded(0);
        tx.send_ctx(1, ctx).unwrap_err().cause().unwrap().clone()
    },
    |ctx| {
        let mutex = Mutex::new(());
        let _held = mutex.lock().unwrap();
        mutex.lock_ctx(ctx).map(|_| ()).unwrap_err()
    },
    |ctx| {
        let group = WaitGroup::new();
        group.add(1);
        group.wait_ctx(ctx).unwrap_err()
    },
    |ctx| {
        let theirs = ctx.clone();
        let handle = spawn(move || theirs.done().recv().is_err());
        // The goroutine ends with the context, too: either may be first.
        match handle.join_ctx(ctx) {
            Err((handle, cause)) => {
                assert!(handle.join().unwrap());
                cause
            }
            Ok(result) => {
                assert!(result.unwrap());
                ctx.cause().unwrap()
            }
        }
    },
    |ctx| sleep_ctx(HOUR, ctx).unwrap_err(),
];

#[test]
fn a_parked_operation_is_woken_by_the_end() {
    for wait in &EACH {
        for procs in [1, 2, 4] {
            with_procs(procs, || {
                let (ctx, cancel) = context::with_cancel(&background());
                let waiters: Vec<_> = (0..4)
                    .map(|_| {
                        let (ctx, wait) = (ctx.clone(), *wait);
                        spawn(move || wait(&ctx))
                    })
                    .collect();
                let plain = thread::spawn({
                    let (ctx, wait) = (ctx.clone(), *wait);
                    move || wait(&ctx)
                });
                settle();
                cancel.cancel();
                for waiter in waiters {
                    assert!(waiter.join().unwrap().is::<ContextError>());
                }
                assert!(plain.join().unwrap().is::<ContextError>());
            });
        }
    }
}

#[test]
fn what_comes_before_the_end_is_done() {
    on_some_procs(|| {
        let (ctx, _cancel) = context::with_timeout(&background(), HOUR);
        let ((tx, rx), mutex, group) = (bounded(0), Arc::new(Mutex::new(0)), WaitGroup::new());
        let (theirs, their_ctx) = (rx.clone(), ctx.clone());
        let receiver = spawn(move || (theirs.recv_ctx(&their_ctx).unwrap(), theirs.recv_ctx(&background()).unwrap()));
        assert!(tx.send_ctx(1, &ctx).is_ok() && tx.send_ctx(2, &background()).is_ok());
        assert_eq!(receiver.join_ctx(&ctx).unwrap().unwrap(), (1, 2));
        let held = mutex.lock_ctx(&ctx).unwrap().unwrap();
        let (theirs, their_ctx) = (mutex.clone(), ctx.clone());
        let locker = spawn(move || *theirs.lock_ctx(&their_ctx).unwrap().unwrap());
        yield_now();
        drop(held);
        assert_eq!(locker.join().unwrap(), 0);
        group.add(1);
        let theirs = group.clone();
        go(move || theirs.done());
        assert!(group.wait_ctx(&ctx).is_ok());
        let begin = Instant::now();
        assert!(sleep_ctx(2 * MS, &ctx).is_ok() && begin.elapsed() >= 2 * MS);
        assert!(sleep_ctx(MS, &background()).is_ok());
    });
}

#[test]
fn a_closed_channel_is_told_from_an_ended_context() {
    on_some_procs(|| {
        let (ctx, _cancel) = context::with_cancel(&background());
        let (tx, rx) = bounded::<i32>(1);
        let (theirs, their_ctx) = (rx.clone(), ctx.clone());
        let receiver = spawn(move || theirs.recv_ctx(&their_ctx));
        yield_now();
        tx.close();
        assert!(matches!(receiver.join().unwrap(), Err(RecvCtxError::Disconnected)));
        assert!(matches!(tx.send_ctx(3, &ctx), Err(SendCtxError::Disconnected(3))));
        assert_eq!(rx.recv_ctx(&background()).unwrap_err().to_string(), RecvError.to_string());
        assert!(rx.recv_ctx(&ctx).unwrap_err().cause().is_none());
    });
}

#[test]
fn timers_and_contexts_end_each_others_waits() {
    on_some_procs(|| {
        let (ctx, _cancel) = context::with_timeout(&background(), 2 * MS);
        let timer = Timer::new(HOUR);
        assert!(timer.receiver().recv_ctx(&ctx).is_err());
        assert!(timer.reset(MS));
        let (other, _cancel) = context::with_timeout(&background(), HOUR);
        assert!(timer.receiver().recv_ctx(&other).is_ok());
    });
}

#[test]
fn a_done_channel_can_be_waited_for_under_another_context() {
    on_some_procs(|| {
        let (inner, cancel) = context::with_cancel(&background());
        let (outer, _cancel) = context::with_timeout(&background(), HOUR);
        go(move || cancel.cancel());
        assert!(matches!(inner.done().recv_ctx(&outer), Err(RecvCtxError::Disconnected)));
        assert!(matches!(inner.done().recv_ctx(&inner), Err(RecvCtxError::Canceled(_))));
    });
}

/// Senders and receivers under contexts that end in the middle: each value arrives once or comes back.
#[test]
fn no_value_is_lost_or_doubled_when_contexts_end() {
    for cap in [0, 1, 4] {
        on_some_procs(move || {
            let (tx, rx) = bounded::<u64>(cap);
            let (sent, received) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let group = WaitGroup::new();
            for worker in 0..4_u64 {
                let (tx, sent) = (tx.clone(), sent.clone());
                group.go(move || {
                    for round in 0..150 {
                        let (ctx, _cancel) =
                            context::with_timeout(&background(), Duration::from_micros(round % 60 + 1));
                        match tx.send_ctx(worker * 1000 + round, &ctx) {
                            Ok(()) => sent.fetch_add(worker * 1000 + round, Ordering::Relaxed),
                            Err(error) => {
                                assert_eq!(error.into_inner(), worker * 1000 + round);
                                0
                            }
                        };
                    }
                });
                let (rx, received) = (rx.clone(), received.clone());
                group.go(move || {
                    for round in 0..150_u64 {
                        let (ctx, cancel) = context::with_cancel(&background());
                        if round % 3 == 0 {
                            go(move || cancel.cancel());
                        } else {
                            cancel.detach();
                        }
                        let (ctx, _cancel) = context::with_timeout(&ctx, Duration::from_micros(round % 70 + 1));
                        if let Ok(value) = rx.recv_ctx(&ctx) {
                            received.fetch_add(value, Ordering::Relaxed);
                        }
                    }
                });
            }
            group.wait();
            drop(tx);
            let left: u64 = rx.iter().sum();
            assert_eq!(sent.load(Ordering::Relaxed), received.load(Ordering::Relaxed) + left);
        });
    }
}

/// Lockers that give up never leave the mutex locked, starving, or without a waiter awake.
#[test]
fn a_mutex_survives_lockers_that_give_up() {
    on_some_procs(|| {
        let mutex = Arc::new(Mutex::new(0_u64));
        let (locked, group) = (Arc::new(AtomicUsize::new(0)), WaitGroup::new());
        for worker in 0..6_u64 {
            let (mutex, locked) = (mutex.clone(), locked.clone());
            group.go(move || {
                for round in 0..200 {
                    let (ctx, _cancel) =
                        context::with_timeout(&background(), Duration::from_micros((worker * 7 + round) % 90 + 1));
                    let guard = if worker < 4 { mutex.lock_ctx(&ctx).ok() } else { Some(mutex.lock()) };
                    if let Some(guard) = guard {
                        *guard.unwrap() += 1;
                        locked.fetch_add(1, Ordering::Relaxed);
                        if round % 16 == 0 {
                            // Long enough for a waiter to starve.
                            let held = mutex.lock().unwrap();
                            sleep(2 * MS);
                            drop(held);
                        }
                    }
                }
            });
        }
        group.wait();
        assert_eq!(*mutex.try_lock().expect("nobody has it"), locked.load(Ordering::Relaxed) as u64);
    });
}

/// The last waiter of a starving mutex gives up: whoever comes next gets it.
#[test]
fn a_waiter_that_starves_may_give_up() {
    with_procs(2, || {
        for _ in 0..20 {
            let mutex = Arc::new(Mutex::new(()));
            let held = mutex.lock().unwrap();
            let (theirs, (ctx, cancel)) = (mutex.clone(), context::with_cancel(&background()));
            let starving = spawn(move || {
                let outcome = theirs.lock_ctx(&ctx).is_ok();
                (outcome, ctx)
            });
            sleep(3 * MS);
            drop(held);
            let held = mutex.lock().unwrap();
            cancel.cancel();
            drop(held);
            starving.join().unwrap();
            drop(mutex.try_lock().expect("nobody has it"));
        }
    });
}

#[test]
fn joins_under_contexts_that_end_lose_nothing() {
    on_some_procs(|| {
        let (tx, rx) = unbounded();
        for round in 0..200_u64 {
            let tx = tx.clone();
            let mut handle = spawn(move || {
                sleep(Duration::from_micros(round % 40));
                tx.send(()).unwrap();
                round
            });
            let mut attempt = 0;
            let value = loop {
                attempt += 1;
                // More time for each attempt: where all is slow, the shortest is over before the join has begun.
                let limit = Duration::from_micros((round % 50 + 1) * attempt);
                let (ctx, _cancel) = context::with_timeout(&background(), limit);
                match handle.join_ctx(&ctx) {
                    Ok(value) => break value,
                    Err((again, _)) => handle = again,
                }
            };
            assert_eq!(value.unwrap(), round);
        }
        drop(tx);
        assert_eq!(rx.iter().count(), 200);
    });
}

#[test]
fn plain_threads_wait_for_the_end_of_a_context() {
    let (ctx, cancel) = context::with_cancel(&background());
    let waiter = thread::spawn({
        let ctx = ctx.clone();
        move || (ctx.done().recv().is_err(), ctx.err())
    });
    cancel.cancel();
    assert_eq!(waiter.join().unwrap(), (true, Some(ContextError::Canceled)));
    let (timed, _cancel) = context::with_timeout(&background(), MS);
    assert!(timed.done().recv().is_err());
}

#[test]
fn contexts_and_timers_are_cases_of_a_select() {
    on_some_procs(|| {
        let (_tx, idle) = bounded::<u8>(0);
        let (ctx, _cancel) = context::with_timeout(&background(), 2 * MS);
        let (timer, ticker) = (Timer::new(HOUR), Ticker::new(HOUR));
        select! {
            recv(idle) -> _ => panic!("nobody sends"),
            recv(timer.receiver()) -> _ => panic!("an hour has passed"),
            recv(ticker.receiver()) -> _ => panic!("an hour has passed"),
            recv(ctx.done()) -> end => assert!(end.is_err() && ctx.err().is_some()),
        }
        timer.reset(MS);
        select! {
            recv(idle) -> _ => panic!("nobody sends"),
            recv(timer.receiver()) -> at => assert!(at.is_ok()),
            recv(background().done()) -> _ => panic!("the background ended"),
        }
        select! {
            recv(timer.receiver()) -> _ => panic!("a second value"),
            default => {}
        }
    });
}

/// A select that is parked sees that a timer was set, stopped or dropped.
#[test]
fn a_parked_select_follows_a_timer() {
    on_some_procs(|| {
        let (_tx, idle) = bounded::<u8>(0);
        for before in [HOUR, MS] {
            let timer = Arc::new(Timer::new(before));
            timer.stop();
            let (theirs, other) = (timer.clone(), idle.clone());
            let waiter = spawn(move || {
                select! {
                    recv(other) -> _ => panic!("nobody sends"),
                    recv(theirs.receiver()) -> at => at,
                }
            });
            yield_now();
            timer.reset(HOUR);
            yield_now();
            let now = Instant::now();
            timer.reset(2 * MS);
            assert!(waiter.join().unwrap().unwrap() >= now + 2 * MS);
        }
        let timer = Timer::new(HOUR);
        let receiver = timer.receiver().clone();
        let waiter = spawn(move || {
            select! {
                recv(idle) -> _ => panic!("nobody sends"),
                recv(receiver) -> end => end,
            }
        });
        yield_now();
        drop(timer);
        assert_eq!(waiter.join().unwrap(), Err(RecvError));
    });
}

#[test]
fn permits_are_waited_for_under_contexts() {
    on_some_procs(|| {
        let semaphore = Arc::new(Semaphore::new(2));
        let held = semaphore.acquire_many_ctx(2, &background()).unwrap();
        let (ctx, _cancel) = context::with_timeout_cause(&background(), 2 * MS, "over");
        let (theirs, their_ctx) = (semaphore.clone(), ctx.clone());
        // The one behind it gets its permit when the one before it gives up.
        let greedy = spawn(move || theirs.acquire_many_ctx(2, &their_ctx).map(drop));
        assert_eq!(semaphore.acquire_ctx(&ctx).unwrap_err().to_string(), "over");
        assert!(greedy.join().unwrap().is_err() && semaphore.acquire_ctx(&ctx).is_err());
        drop(held);
        assert_eq!(semaphore.available(), 2);
        let theirs = semaphore.clone();
        let held = semaphore.acquire_many(2);
        let waiter = spawn(move || {
            let (ctx, _cancel) = context::with_timeout(&background(), HOUR);
            theirs.acquire_ctx(&ctx).is_ok()
        });
        yield_now();
        drop(held);
        assert!(waiter.join().unwrap());
        assert_eq!(semaphore.available(), 2);
    });
}
