//! Channels in async code: who waits there is one in the line, and what is given up is not lost.
//!
//! Why here: beside the other futures.
//!
//! *Invariants*
//! - FU1.
//!
//! *Locks*: none.
//!
//! *Go:* chan_test.go, in spirit.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use goruntime::channel::{self, RecvError, TryRecvError, TrySendError, bounded, unbounded};
use goruntime::future::{block_on, spawn, timeout, within};
use goruntime::runtime::yield_now;
use goruntime::select;

use crate::run;

/// A waker that counts.
pub(crate) struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn wakes(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Waits until it has been called so often.
    pub(crate) fn expect(&self, wakes: u32) {
        while self.wakes() < wakes {
            yield_now();
        }
        assert_eq!(self.wakes(), wakes);
    }
}

pub(crate) fn count() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicU32::new(0)));
    (Arc::clone(&count), Waker::from(count))
}

pub(crate) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls a future that is to wait.
pub(crate) fn begin<F: Future + Unpin>(mut future: F) -> F {
    assert!(poll(&mut future, Waker::noop()).is_pending());
    future
}

#[test]
fn values_go_through_in_order_whoever_waits() {
    for cap in [Some(0), Some(1), Some(7), None] {
        let sums = run(move || {
            let (tx, rx) = cap.map_or_else(unbounded, bounded);
            let sender = spawn(async move {
                for n in 0..1000 {
                    tx.send_async(n).await.unwrap();
                }
            });
            let received = block_on(async {
                let mut next = 0;
                while let Ok(n) = rx.recv_async().await {
                    assert_eq!(n, next);
                    next += 1;
                }
                next
            });
            sender.join().unwrap();
            received
        });
        assert_eq!(sums, 1000);
    }
}

#[test]
fn a_try_send_sees_a_task_that_waits() {
    run(|| {
        let (tx, rx) = bounded(0);
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        let (count, waker) = count();
        let mut receive = rx.recv_async();
        assert!(poll(&mut receive, &waker).is_pending());
        assert_eq!(tx.try_send(2), Ok(()));
        count.expect(1);
        assert_eq!(poll(&mut receive, &waker), Poll::Ready(Ok(2)));
    });
}

#[test]
fn a_try_recv_sees_a_task_that_waits() {
    run(|| {
        let (tx, rx) = bounded(0);
        let (count, waker) = count();
        let mut send = tx.send_async(1);
        assert!(poll(&mut send, &waker).is_pending());
        assert_eq!(rx.try_recv(), Ok(1));
        count.expect(1);
        assert_eq!(poll(&mut send, &waker), Poll::Ready(Ok(())));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn tasks_are_served_in_the_order_of_their_first_poll() {
    run(|| {
        let (tx, rx) = bounded(0);
        let (mut first, mut second) = (begin(rx.recv_async()), begin(rx.recv_async()));
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        assert_eq!(poll(&mut second, Waker::noop()), Poll::Ready(Ok(2)));
        assert_eq!(poll(&mut first, Waker::noop()), Poll::Ready(Ok(1)));
        let (mut first, mut second) = (begin(tx.send_async(3)), begin(tx.send_async(4)));
        assert_eq!((rx.recv(), rx.recv()), (Ok(3), Ok(4)));
        assert!(poll(&mut second, Waker::noop()).is_ready() && poll(&mut first, Waker::noop()).is_ready());
    });
}

#[test]
fn a_receive_that_is_dropped_in_line_leaves_it() {
    run(|| {
        let (tx, rx) = bounded(0);
        drop(begin(rx.recv_async()));
        assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
        let mut behind = {
            let _before = begin(rx.recv_async());
            begin(rx.recv_async())
        };
        tx.send(2).unwrap();
        assert_eq!(poll(&mut behind, Waker::noop()), Poll::Ready(Ok(2)));
    });
}

#[test]
fn a_send_that_is_dropped_in_line_drops_its_value() {
    run(|| {
        let held = Arc::new(());
        let (tx, rx) = bounded(0);
        drop(begin(tx.send_async(Arc::clone(&held))));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(rx.try_recv().is_err());
        drop(tx.send_async(Arc::clone(&held)));
        assert_eq!(Arc::strong_count(&held), 1, "never polled");
    });
}

/// Gives up the first receiver after it was given 0; then all comes as if it had never been there.
fn give_up_after(cap: Option<usize>, behind: i32) -> Vec<i32> {
    run(move || {
        let (tx, rx) = cap.map_or_else(unbounded, bounded);
        let first = begin(rx.recv_async());
        tx.send(0).unwrap();
        (1..=behind).for_each(|n| tx.try_send(n).unwrap());
        drop(first);
        assert!(rx.len() <= cap.unwrap_or(usize::MAX));
        let mut all: Vec<i32> = vec![rx.recv().unwrap()];
        drop(tx);
        all.extend(&rx);
        all
    })
}

#[test]
fn a_value_that_was_given_to_a_task_that_gave_up_is_the_first_again() {
    assert_eq!(give_up_after(Some(0), 0), [0]);
    assert_eq!(give_up_after(Some(1), 0), [0]);
    assert_eq!(give_up_after(Some(1), 1), [0, 1], "the buffer is full");
    assert_eq!(give_up_after(Some(4), 2), [0, 1, 2]);
    assert_eq!(give_up_after(Some(4), 4), [0, 1, 2, 3, 4]);
    for behind in [0, 1, 31, 32, 100] {
        assert_eq!(give_up_after(None, behind), (0..=behind).collect::<Vec<_>>());
    }
}

#[test]
fn many_values_come_back_in_their_order_from_the_last_to_the_first() {
    for cap in [Some(0), Some(1), Some(3), Some(100), None] {
        run(move || {
            let (tx, rx) = cap.map_or_else(unbounded, bounded);
            let mut given: Vec<_> = (0..50).map(|_| begin(rx.recv_async())).collect();
            (0..50).for_each(|n| tx.send(n).unwrap());
            while let Some(receive) = given.pop() {
                drop(receive);
            }
            drop(tx);
            assert_eq!(rx.iter().collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
        });
    }
}

#[test]
fn a_value_that_comes_back_goes_to_the_next_in_line() {
    run(|| {
        let (tx, rx) = bounded(0);
        let first = begin(rx.recv_async());
        tx.send(1).unwrap();
        let (count, waker) = count();
        let mut second = rx.recv_async();
        assert!(poll(&mut second, &waker).is_pending());
        let other = rx.clone();
        let third = goruntime::spawn(move || other.recv());
        drop(first);
        count.expect(1);
        assert_eq!(poll(&mut second, &waker), Poll::Ready(Ok(1)));
        tx.send(2).unwrap();
        assert_eq!(third.join().unwrap(), Ok(2));
    });
}

/// It does not keep the channel from its end, nor is it lost by it.
#[test]
fn a_value_that_has_come_back_outlives_its_senders_and_a_close() {
    run(|| {
        for is_closed in [false, true] {
            let (tx, rx) = bounded(0);
            let receive = begin(rx.recv_async());
            tx.send("kept").unwrap();
            drop(receive);
            if is_closed {
                tx.close();
            }
            drop(tx);
            assert_eq!((rx.recv(), rx.recv()), (Ok("kept"), Err(RecvError)));

            let (tx, rx) = bounded(0);
            let receive = begin(rx.recv_async());
            tx.send("kept").unwrap();
            if is_closed {
                tx.close();
            }
            drop(tx);
            drop(receive);
            assert_eq!(block_on(rx.recv_async()), Ok("kept"));
            assert_eq!(block_on(rx.recv_async()), Err(RecvError));
        }
    });
}

#[test]
fn what_has_come_back_is_dropped_with_the_last_receiver() {
    run(|| {
        for cap in [0, 1, 4] {
            let held = Arc::new(());
            let (tx, rx) = bounded(cap);
            let given: Vec<_> = (0..3).map(|_| begin(rx.recv_async())).collect();
            (0..3 + cap).for_each(|_| tx.try_send(Arc::clone(&held)).unwrap());
            drop(given);
            assert_eq!(Arc::strong_count(&held), 4 + cap);
            drop(rx);
            assert_eq!(Arc::strong_count(&held), 1);
            assert!(tx.send(held).is_err());
        }
    });
}

/// The buffer has one of them, and three have come back.
#[test]
fn a_destructor_that_panics_keeps_nothing_that_has_come_back_from_being_dropped() {
    struct Explosive(Arc<AtomicUsize>);

    impl Drop for Explosive {
        fn drop(&mut self) {
            panic!("the one before {}", self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    run(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = bounded(1);
        let given: Vec<_> = (0..3).map(|_| begin(rx.recv_async())).collect();
        (0..4).for_each(|_| assert!(tx.try_send(Explosive(Arc::clone(&dropped))).is_ok()));
        drop(given);
        let payload = catch_unwind(AssertUnwindSafe(|| drop(rx))).expect_err("they panic");
        assert_eq!(payload.downcast_ref::<String>().map(String::as_str), Some("the one before 0"));
        assert_eq!(dropped.load(Ordering::Relaxed), 4);
    });
}

#[test]
fn a_full_channel_takes_nothing_while_a_value_that_has_come_back_waits_for_room() {
    run(|| {
        let (tx, rx) = bounded(1);
        let receive = begin(rx.recv_async());
        tx.send(0).unwrap();
        tx.send(1).unwrap();
        drop(receive);
        assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
        assert_eq!(rx.recv(), Ok(0));
        assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)), "it has taken the room");
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(tx.try_send(2), Ok(()));
    });
}

#[test]
fn a_close_ends_the_waits_of_tasks() {
    run(|| {
        let (tx, rx) = bounded::<i32>(0);
        let (count, waker) = count();
        let mut receive = rx.recv_async();
        assert!(poll(&mut receive, &waker).is_pending());
        drop(tx);
        count.expect(1);
        assert_eq!(poll(&mut receive, &waker), Poll::Ready(Err(RecvError)));

        let (tx, rx) = bounded(0);
        let mut send = tx.send_async(5);
        assert!(poll(&mut send, &waker).is_pending());
        drop(rx);
        count.expect(2);
        let Poll::Ready(Err(error)) = poll(&mut send, &waker) else { panic!("the send has failed") };
        assert_eq!(error.into_inner(), 5);
    });
}

#[test]
fn the_waker_of_the_last_poll_is_called() {
    run(|| {
        let (tx, rx) = bounded(0);
        let ((early, first), (late, second)) = (count(), count());
        let mut receive = rx.recv_async();
        assert!(poll(&mut receive, &first).is_pending());
        assert!(poll(&mut receive, &second).is_pending());
        tx.send(1).unwrap();
        late.expect(1);
        assert_eq!(early.wakes(), 0);
        assert_eq!(poll(&mut receive, &first), Poll::Ready(Ok(1)));
    });
}

#[test]
fn the_end_of_a_context_ends_a_wait_and_leaves_the_message() {
    run(|| {
        let (tx, rx) = bounded(0);
        let (ctx, cancel) = goruntime::context::with_cancel(&goruntime::context::background());
        let (ended_tx, ended) = bounded(1);
        let waiting = spawn(async move {
            let cause = within(&ctx, rx.recv_async()).await.unwrap_err();
            assert!(within(&ctx, rx.recv_async()).await.is_err(), "not polled");
            ended_tx.send(cause.to_string()).unwrap();
            rx.recv_async().await
        });
        yield_now();
        cancel.cancel();
        assert_eq!(ended.recv().unwrap(), "context canceled");
        tx.send(7).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(7));
    });
}

#[test]
fn tasks_can_wait_for_clocks() {
    run(|| {
        let begun = std::time::Instant::now();
        let after = channel::after(Duration::from_millis(5));
        drop(begin(after.recv_async()));
        block_on(after.recv_async()).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(5));
        assert!(block_on(timeout(Duration::from_millis(1), after.recv_async())).is_err());
        let ticks = channel::tick(Duration::from_millis(1));
        block_on(async {
            for _ in 0..5 {
                ticks.recv_async().await.unwrap();
            }
        });
        assert!(begun.elapsed() >= Duration::from_millis(10));
        let timer = goruntime::time::Timer::new(Duration::from_secs(3600));
        let waiting = timer.receiver().clone();
        let waiter = spawn(async move { waiting.recv_async().await });
        yield_now();
        timer.reset(Duration::from_millis(1));
        waiter.join().unwrap().unwrap();
        let never = channel::never::<i32>();
        assert!(block_on(timeout(Duration::from_millis(1), never.recv_async())).is_err());
    });
}

/// Receivers that give up at any moment: each value arrives once.
#[test]
fn nothing_is_lost_or_doubled_when_tasks_give_up() {
    const EACH: usize = 2000;
    for cap in [Some(0), Some(1), Some(3), None] {
        let received = run(move || {
            let (tx, rx) = cap.map_or_else(unbounded::<usize>, bounded);
            let seen: Arc<Vec<AtomicUsize>> = Arc::new((0..4 * EACH).map(|_| AtomicUsize::new(0)).collect());
            let senders: Vec<_> = (0..4)
                .map(|id| {
                    let tx = tx.clone();
                    goruntime::spawn(move || {
                        for n in id * EACH..(id + 1) * EACH {
                            match n % 3 {
                                0 => tx.send(n).unwrap(),
                                1 => block_on(tx.send_async(n)).unwrap(),
                                _ => select! { send(tx, n) -> sent => sent.unwrap() },
                            }
                        }
                    })
                })
                .collect();
            drop(tx);
            let receivers: Vec<_> = (0..4)
                .map(|id| {
                    let (rx, seen) = (rx.clone(), Arc::clone(&seen));
                    goruntime::spawn(move || {
                        for round in id.. {
                            let received = match round % 4 {
                                0 => rx.recv(),
                                1 => block_on(rx.recv_async()),
                                _ => {
                                    let mut receive = rx.recv_async();
                                    let polls = round / 4 % 3;
                                    let polled = (0..=polls).find_map(|_| match poll(&mut receive, Waker::noop()) {
                                        Poll::Ready(received) => Some(received),
                                        Poll::Pending => {
                                            yield_now();
                                            None
                                        }
                                    });
                                    let Some(received) = polled else { continue };
                                    received
                                }
                            };
                            let Ok(n) = received else { return };
                            seen[n].fetch_add(1, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            receivers.into_iter().for_each(|receiver| receiver.join().unwrap());
            assert_eq!(rx.recv(), Err(RecvError));
            seen.iter().filter(|count| count.load(Ordering::SeqCst) == 1).count()
        });
        assert_eq!(received, 4 * EACH);
    }
}
