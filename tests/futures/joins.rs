//! Join handles as futures: the result of a join, in any executor, and nothing left behind.
//!
//! Why here: beside the other futures.
//!
//! *Invariants*
//! - FU1.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use goruntime::channel;
use goruntime::future::{block_on, spawn, timeout};
use goruntime::runtime::{goexit, yield_now};
use goruntime::{Goexit, JoinHandle};

use crate::run;

/// A waker of an executor on a plain thread.
struct Unpark(std::thread::Thread, AtomicU32);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

fn unpark() -> (Arc<Unpark>, Waker) {
    let unpark = Arc::new(Unpark(std::thread::current(), AtomicU32::new(0)));
    (Arc::clone(&unpark), Waker::from(unpark))
}

/// Runs a future on this thread, without goroutines.
fn drive<F: Future>(future: F) -> F::Output {
    let (_, waker) = unpark();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn poll<T>(handle: &mut JoinHandle<T>, waker: &Waker) -> Poll<std::thread::Result<T>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// A goroutine that ends when it is told to.
fn told<T: Send + 'static>(end: impl FnOnce() -> T + Send + 'static) -> (JoinHandle<T>, channel::Sender<()>) {
    let (tx, rx) = channel::bounded::<()>(0);
    let handle = goruntime::spawn(move || {
        rx.recv().unwrap();
        end()
    });
    (handle, tx)
}

#[test]
fn a_handle_yields_what_a_join_returns() {
    run(|| {
        let (handle, tx) = told(|| String::from("value"));
        let waiter = spawn(async move { handle.await.unwrap() });
        yield_now();
        tx.send(()).unwrap();
        assert_eq!(waiter.join().unwrap(), "value");

        let (handle, tx) = told(|| panic!("no"));
        let waiter = spawn(async move { *handle.await.unwrap_err().downcast::<&str>().unwrap() });
        tx.send(()).unwrap();
        assert_eq!(waiter.join().unwrap(), "no");

        let (handle, tx) = told(|| goexit());
        let waiter = spawn(async move { handle.await.unwrap_err().is::<Goexit>() });
        tx.send(()).unwrap();
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn a_handle_of_a_goroutine_that_has_ended_is_ready_at_once() {
    run(|| {
        let handle = goruntime::spawn(|| 7);
        while !handle.is_finished() {
            yield_now();
        }
        let mut polls = 0;
        let mut handle = pin!(handle);
        let result = block_on(poll_fn(|cx| {
            polls += 1;
            handle.as_mut().poll(cx)
        }));
        assert_eq!((result.unwrap(), polls), (7, 1));
    });
}

#[test]
fn an_executor_on_a_plain_thread_is_woken() {
    let (handle, tx) = told(|| 7);
    let telling = std::thread::spawn(move || tx.send(()).unwrap());
    assert_eq!(drive(handle).unwrap(), 7);
    telling.join().unwrap();
    let handles: Vec<_> = (0..100).map(|n| goruntime::spawn(move || n)).collect();
    let sum = drive(async {
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, (0..100).sum());
}

/// The waker that was left goes with the handle, and the goroutine goes on.
#[test]
fn a_handle_that_is_dropped_while_it_is_waited_for_detaches() {
    run(|| {
        let (done_tx, done) = channel::bounded(1);
        let (mut handle, tx) = told(move || done_tx.send(7).unwrap());
        let (told, waker) = unpark();
        assert!(poll(&mut handle, &waker).is_pending());
        assert_eq!(Arc::strong_count(&told), 3);
        drop(handle);
        assert_eq!(Arc::strong_count(&told), 2);
        tx.send(()).unwrap();
        assert_eq!(done.recv(), Ok(7));
        assert_eq!(told.1.load(Ordering::SeqCst), 0, "nobody waited any more");
    });
}

#[test]
fn the_one_that_polled_last_is_woken_once() {
    run(|| {
        let (mut handle, tx) = told(|| 7);
        let (first, early) = unpark();
        assert!(poll(&mut handle, &early).is_pending());
        let (second, late) = unpark();
        assert!(poll(&mut handle, &late).is_pending());
        assert!(poll(&mut handle, &late).is_pending());
        tx.send(()).unwrap();
        while second.1.load(Ordering::SeqCst) == 0 {
            yield_now();
        }
        assert_eq!(poll(&mut handle, &early).map(Result::unwrap), Poll::Ready(7));
        assert_eq!((first.1.load(Ordering::SeqCst), second.1.load(Ordering::SeqCst)), (0, 1));
    });
}

#[test]
fn a_handle_can_be_polled_and_then_joined() {
    run(|| {
        let (mut handle, tx) = told(|| 7);
        let (told, waker) = unpark();
        assert!(poll(&mut handle, &waker).is_pending());
        let mut handle = handle.join_timeout(Duration::from_millis(1)).unwrap_err();
        assert_eq!(Arc::strong_count(&told), 2, "the waker is not kept");
        assert!(poll(&mut handle, &waker).is_pending());
        tx.send(()).unwrap();
        assert_eq!(handle.join().unwrap(), 7);
        assert!(told.1.load(Ordering::SeqCst) <= 1);
    });
}

#[test]
fn a_result_is_given_out_once() {
    run(|| {
        let mut handle = goruntime::spawn(|| String::from("once"));
        assert_eq!(block_on(&mut handle).unwrap(), "once");
        assert!(handle.is_finished());
        let again = catch_unwind(AssertUnwindSafe(|| poll(&mut handle, Waker::noop()).is_ready()));
        let text = "the result of the goroutine was taken before";
        assert_eq!(*again.unwrap_err().downcast::<&str>().unwrap(), text);
        let again = catch_unwind(AssertUnwindSafe(|| handle.join().is_ok()));
        assert_eq!(*again.unwrap_err().downcast::<&str>().unwrap(), text);
    });
}

/// Handles that are given up at any moment around the end of their goroutine: each result is dropped once.
#[test]
fn no_result_is_lost_or_dropped_twice_when_handles_are_given_up() {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    const ROUNDS: usize = 2000;
    let dropped = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&dropped);
    run(move || {
        for round in 0..ROUNDS {
            let count = Count(Arc::clone(&counted));
            let mut handle = goruntime::spawn(move || {
                (0..round % 3).for_each(|_| yield_now());
                count
            });
            let (_told, waker) = unpark();
            for _ in 0..round % 5 {
                match poll(&mut handle, &waker) {
                    Poll::Ready(result) => {
                        drop(result);
                        break;
                    }
                    Poll::Pending => yield_now(),
                }
            }
        }
        while counted.load(Ordering::SeqCst) < ROUNDS {
            yield_now();
        }
    });
    assert_eq!(dropped.load(Ordering::SeqCst), ROUNDS);
}

#[test]
fn handles_of_a_scope_are_futures_too() {
    run(|| {
        let numbers = [1, 2, 3];
        goruntime::scope(|s| {
            let sum = s.spawn(|| numbers.iter().sum::<i32>());
            let panics = s.spawn(|| panic!("in the scope"));
            let (tx, rx) = channel::bounded::<()>(0);
            let late = s.spawn(move || rx.recv().unwrap());
            block_on(async {
                assert_eq!(sum.await.unwrap(), 6);
                let payload: Box<dyn std::any::Any + Send> = panics.await.map(|(): ()| ()).unwrap_err();
                assert_eq!(*payload.downcast::<&str>().unwrap(), "in the scope");
                assert!(timeout(Duration::from_millis(1), late).await.is_err());
            });
            tx.send(()).unwrap();
        });
    });
}
