//! Futures on goroutines: whatever a waker does, and wherever it is called, the task goes on exactly when it has to.
//!
//! Why here: `goruntime::future` with nothing but std; other crates of the async world are in the package `bridge`.
//!
//! *Invariants*
//! - FU1. A test waits for an event, never for a time; a wake-up that is lost is a test that hangs.
//!
//! *Locks*: none.
//!
//! *Go:* none.

#[path = "futures/channels.rs"]
mod channels;
#[path = "futures/joins.rs"]
mod joins;
#[path = "futures/selects.rs"]
mod selects;
#[path = "futures/tasks.rs"]
mod tasks;

use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use goruntime::channel::{self, Receiver, Sender};
use goruntime::future::{self, block_on, sleep, sleep_until, timeout};
use goruntime::runtime::yield_now;
use goruntime::thread;

/// After this long a test hangs.
const LIMIT: Duration = Duration::from_secs(120);

fn run<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    goruntime::run(|| goruntime::time::timeout(LIMIT, |_| f()).expect("the test hangs"))
}

/// A future that gives its waker away at the first poll, and is ready when `done` says so.
fn told(wakers: Sender<Waker>, done: Arc<AtomicBool>) -> impl Future<Output = u32> + Send {
    let mut polls = 0;
    poll_fn(move |cx| {
        polls += 1;
        if done.load(Ordering::SeqCst) {
            return Poll::Ready(polls);
        }
        wakers.send(cx.waker().clone()).unwrap();
        Poll::Pending
    })
}

struct Told {
    wakers: Receiver<Waker>,
    done: Arc<AtomicBool>,
}

fn pair() -> (impl Future<Output = u32> + Send, Told) {
    let (tx, wakers) = channel::bounded(1000);
    let done = Arc::new(AtomicBool::new(false));
    (told(tx, Arc::clone(&done)), Told { wakers, done })
}

impl Told {
    fn finish(&self) {
        let waker = self.wakers.recv().unwrap();
        self.done.store(true, Ordering::SeqCst);
        waker.wake();
    }
}

#[test]
fn a_ready_future_is_polled_once() {
    assert_eq!(run(|| block_on(ready(7))), 7);
    assert_eq!(block_on(ready(7)), 7);
}

#[test]
fn a_wake_from_a_goroutine_is_heard() {
    run(|| {
        let (future, told) = pair();
        goruntime::go(move || told.finish());
        assert_eq!(block_on(future), 2);
    });
}

#[test]
fn a_wake_from_a_plain_thread_is_heard() {
    run(|| {
        let (future, told) = pair();
        let thread = std::thread::spawn(move || told.finish());
        assert_eq!(block_on(future), 2);
        thread.join().unwrap();
    });
}

#[test]
fn a_plain_thread_can_wait_too() {
    let (future, told) = pair();
    let goroutine = goruntime::spawn(move || told.finish());
    assert_eq!(block_on(future), 2);
    goroutine.join().unwrap();
}

#[test]
fn a_wake_during_the_poll_is_not_lost() {
    run(|| {
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls == 1000 { Poll::Ready(()) } else { Poll::Pending }
        }));
        assert_eq!(polls, 1000);
    });
}

#[test]
fn a_future_that_wakes_itself_lets_others_go_first() {
    run(|| {
        let seen = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&seen);
        goruntime::go(move || other.store(true, Ordering::SeqCst));
        block_on(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if seen.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
}

/// Many wakes before the next poll are one.
#[test]
fn a_double_wake_is_one() {
    run(|| {
        let (future, told) = pair();
        goruntime::go(move || {
            let waker = told.wakers.recv().unwrap();
            told.done.store(true, Ordering::SeqCst);
            (0..100).for_each(|_| waker.wake_by_ref());
        });
        assert_eq!(block_on(future), 2);
        // The wakes that came late were for that wait: the next one begins afresh.
        let (future, told) = pair();
        goruntime::go(move || told.finish());
        assert_eq!(block_on(future), 2);
    });
}

/// A waker that outlives its wait is called while the goroutine waits for other things: none of them ends by it.
#[test]
fn a_late_wake_disturbs_no_other_wait() {
    run(|| {
        let (future, told) = pair();
        let (stale_tx, stale) = channel::bounded(1);
        let (go_on, going) = channel::bounded::<u32>(0);
        let waiter = goruntime::spawn(move || {
            let waker = Cell::new(None);
            block_on(poll_fn(|cx| {
                waker.set(Some(cx.waker().clone()));
                Poll::Ready(())
            }));
            stale_tx.send(waker.take().unwrap()).unwrap();
            let received = going.recv().unwrap();
            thread::park();
            (received, block_on(future))
        });
        let waker: Waker = stale.recv().unwrap();
        let shake = || {
            (0..100).for_each(|_| {
                waker.wake_by_ref();
                yield_now();
            })
        };
        shake();
        go_on.send(5).unwrap();
        shake();
        waiter.thread().unpark();
        shake();
        told.finish();
        assert_eq!(waiter.join().unwrap(), (5, 2), "polled once for the start and once for the wake");
    });
}

/// The goroutine has ended, and its G may be another goroutine by now.
#[test]
fn a_wake_after_the_end_disturbs_nobody() {
    run(|| {
        let mut wakers = Vec::new();
        for _ in 0..100 {
            let waker = goruntime::spawn(|| block_on(poll_fn(|cx| Poll::Ready(cx.waker().clone()))));
            wakers.push(waker.join().unwrap());
        }
        let (tx, rx) = channel::bounded::<u32>(0);
        let waiters: Vec<_> = (0..100)
            .map(|_| {
                let rx = rx.clone();
                goruntime::spawn(move || rx.recv().unwrap())
            })
            .collect();
        yield_now();
        let waking = std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake));
        waking.join().unwrap();
        (0..100).for_each(|n| tx.send(n).unwrap());
        assert_eq!(waiters.into_iter().map(|waiter| waiter.join().unwrap()).sum::<u32>(), (0..100).sum());
    });
}

/// Wakes from everywhere at once: each wait ends, and ends once.
#[test]
fn wakers_may_be_called_from_many_threads() {
    run(|| {
        let (tx, rx) = channel::unbounded::<(Waker, Arc<AtomicUsize>)>();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let rx = rx.clone();
                std::thread::spawn(move || {
                    for (waker, wakes) in rx {
                        wakes.fetch_add(1, Ordering::SeqCst);
                        waker.wake();
                    }
                })
            })
            .collect();
        let waiters: Vec<_> = (0..8)
            .map(|_| {
                let tx = tx.clone();
                future::spawn(async move {
                    for _ in 0..200 {
                        let wakes = Arc::new(AtomicUsize::new(0));
                        let mut sent = false;
                        poll_fn(|cx| {
                            if !std::mem::replace(&mut sent, true) {
                                (0..3).for_each(|_| tx.send((cx.waker().clone(), Arc::clone(&wakes))).unwrap());
                            }
                            if wakes.load(Ordering::SeqCst) == 3 { Poll::Ready(()) } else { Poll::Pending }
                        })
                        .await;
                    }
                })
            })
            .collect();
        drop(tx);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A pool of another runtime lets its threads go, and what they keep calls wakers on the way out, when most of the thread is gone already.
#[test]
fn a_thread_that_ends_can_wake() {
    struct OnExit(std::cell::RefCell<Vec<(Waker, Arc<AtomicBool>)>>);
    impl Drop for OnExit {
        fn drop(&mut self) {
            for (waker, done) in self.0.take() {
                done.store(true, Ordering::SeqCst);
                waker.wake();
            }
        }
    }
    std::thread_local! {
        static ON_EXIT: OnExit = const { OnExit(std::cell::RefCell::new(Vec::new())) };
    }
    run(|| {
        for is_known_before in [false, true, false, true] {
            let waiters: Vec<_> = (0..4).map(|_| pair()).collect();
            let (futures, told): (Vec<_>, Vec<_>) = waiters.into_iter().unzip();
            let waiting: Vec<_> = futures.into_iter().map(future::spawn).collect();
            let (tx, rx) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                // The thread's own destructor is registered before or after that of the runtime.
                if is_known_before {
                    yield_now();
                }
                ON_EXIT.with(|on_exit| on_exit.0.borrow_mut().extend(rx));
                if !is_known_before {
                    yield_now();
                }
            });
            for told in told {
                tx.send((told.wakers.recv().unwrap(), told.done)).unwrap();
            }
            drop(tx);
            thread.join().unwrap();
            for waiter in waiting {
                assert_eq!(waiter.join().unwrap(), 2);
            }
        }
    });
}

#[test]
fn clones_of_a_waker_wake_the_same() {
    run(|| {
        block_on(poll_fn(|cx| {
            let clone = cx.waker().clone();
            assert!(clone.will_wake(cx.waker()) && clone.clone().will_wake(&clone));
            assert!(!clone.will_wake(Waker::noop()));
            block_on(poll_fn(|inner| {
                assert!(!clone.will_wake(inner.waker()), "another wait, another waker");
                Poll::Ready(())
            }));
            Poll::Ready(())
        }));
    });
}

/// The inner wait takes its own wakes only.
#[test]
fn waits_may_be_nested() {
    run(|| {
        let (inner, inner_told) = pair();
        let (outer, outer_told) = pair();
        let (entered_tx, entered) = channel::bounded(1);
        goruntime::go(move || {
            let waker = outer_told.wakers.recv().unwrap();
            entered.recv().unwrap();
            waker.wake_by_ref();
            inner_told.finish();
            outer_told.done.store(true, Ordering::SeqCst);
            waker.wake();
        });
        let mut inner = Some(inner);
        let mut outer = pin!(outer);
        let polls = block_on(poll_fn(|cx| {
            let polled = outer.as_mut().poll(cx);
            if let Some(inner) = inner.take() {
                entered_tx.send(()).unwrap();
                assert_eq!(block_on(inner), 2);
            }
            polled
        }));
        assert!((2..=3).contains(&polls), "{polls}");
    });
}

#[test]
fn a_panic_in_a_poll_is_the_callers() {
    run(|| {
        let outcome = catch_unwind(AssertUnwindSafe(|| block_on(async { panic!("in the poll") })));
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "in the poll");
        let outcome = future::spawn(async { panic!("in the task") }).join();
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "in the task");
    });
}

#[test]
fn a_goexit_in_a_poll_drops_the_future() {
    struct Count<'a>(&'a AtomicU32);
    impl Drop for Count<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    static DROPPED: AtomicU32 = AtomicU32::new(0);
    run(|| {
        let outcome = future::spawn(async {
            let _count = Count(&DROPPED);
            goruntime::runtime::goexit();
        })
        .join();
        assert!(outcome.unwrap_err().is::<goruntime::Goexit>());
        assert_eq!(DROPPED.load(Ordering::SeqCst), 1);
    });
}

/// Larger than a slot, and larger than is pleasant on a stack.
#[test]
fn large_futures_run_and_are_dropped() {
    run(|| {
        let held = Arc::new(());
        let shared = Arc::clone(&held);
        let handle = future::spawn(async move {
            let bytes = [1_u8; 50_000];
            sleep(Duration::from_millis(1)).await;
            drop(shared);
            bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>()
        });
        assert_eq!(handle.join().unwrap(), 50_000);
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn a_sleep_begins_when_it_is_made_and_ends_in_time() {
    run(|| {
        let begin = Instant::now();
        let pause = sleep(Duration::from_millis(10));
        goruntime::time::sleep(Duration::from_millis(10));
        assert!(pause.is_elapsed());
        block_on(pause);
        block_on(sleep_until(begin + Duration::from_millis(30)));
        assert!(begin.elapsed() >= Duration::from_millis(30));
        block_on(sleep(Duration::ZERO));
        assert!(block_on(timeout(Duration::from_millis(1), sleep(Duration::MAX))).is_err());
    });
}

#[test]
fn a_sleep_can_be_set_again_while_it_is_waited_for() {
    run(|| {
        let begin = Instant::now();
        let mut pause = sleep(Duration::from_secs(3600));
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                assert!(Pin::new(&mut pause).poll(cx).is_pending());
                pause.reset(begin + Duration::from_millis(5));
            }
            Pin::new(&mut pause).poll(cx)
        }));
        assert!(begin.elapsed() >= Duration::from_millis(5));
        // One, if the machine took all this time for it.
        assert!(polls <= 2, "{polls} polls");
    });
}

/// The task moves to another goroutine between two polls: the one that polled last is woken.
#[test]
fn a_sleep_wakes_who_polled_last() {
    run(|| {
        let mut pause = Box::pin(sleep(Duration::from_secs(3600)));
        block_on(poll_fn(|cx| {
            assert!(pause.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        pause.reset(Instant::now() + Duration::from_millis(20));
        future::spawn(pause).join().unwrap();
    });
}

#[test]
fn many_sleeps_end_in_order() {
    run(|| {
        let (tx, rx) = channel::unbounded();
        let begin = Instant::now();
        let tasks: Vec<_> = (0..200_u64)
            .map(|n| {
                let tx = tx.clone();
                let at = begin + Duration::from_micros((n * 7919 % 200) * 100);
                future::spawn(async move {
                    sleep_until(at).await;
                    assert!(Instant::now() >= at);
                    tx.send(()).unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(rx.len(), 200);
    });
}

#[test]
fn a_timeout_drops_the_future_that_was_too_slow() {
    run(|| {
        let held = Arc::new(());
        let shared = Arc::clone(&held);
        let outcome = block_on(async {
            let outcome = timeout(Duration::from_millis(1), async move {
                let _shared = shared;
                pending::<()>().await;
            })
            .await;
            (outcome, Arc::strong_count(&held))
        });
        assert_eq!(outcome, (Err(goruntime::time::Elapsed), 1));
    });
}

/// An executor that knows nothing of goroutines, on a plain thread: our timers call its waker.
#[test]
fn another_executor_can_wait_for_a_sleep() {
    struct Unpark(std::thread::Thread, AtomicU32);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.unpark();
        }
    }
    let unpark = Arc::new(Unpark(std::thread::current(), AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&unpark));
    let begin = Instant::now();
    let mut pause = pin!(sleep(Duration::from_millis(10)));
    while pause.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        std::thread::park();
    }
    assert!(begin.elapsed() >= Duration::from_millis(10));
    assert!(unpark.1.load(Ordering::SeqCst) <= 1);
}
