//! What channels promise: order, hand-off, close, time limits, and that no value is lost, doubled or dropped in the wrong place.
//!
//! Why here: from outside, with goroutines and plain threads; what the buffer does alone is tested beside it.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* chan_test.go, test/chan.

#[path = "channel_basic/destructors.rs"]
mod destructors;
#[path = "common/procs.rs"]
mod procs;
#[path = "channel_basic/stress.rs"]
mod stress;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::{
    Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError, bounded,
    never, unbounded,
};
use goruntime::go;
use goruntime::sync::WaitGroup;

use self::procs::{DEADLINE, panic_text, settle, with_procs};

/// All kinds of channels.
fn kinds<T>() -> Vec<(Sender<T>, Receiver<T>)> {
    vec![bounded(0), bounded(1), bounded(7), bounded(128), unbounded()]
}

/// The order in which things happened.
#[derive(Clone)]
struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    fn new() -> Log<T> {
        Log(Arc::default())
    }

    fn push(&self, entry: T) {
        self.0.lock().expect("nothing panics with the log locked").push(entry);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().expect("nothing panics with the log locked"))
    }
}

/// Counts its living instances.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(living: &Arc<AtomicUsize>) -> Counted {
        living.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(living))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(before, 0, "dropped twice");
    }
}

#[test]
fn values_come_out_in_the_order_they_went_in() {
    for procs in [1, 2] {
        with_procs(procs, || {
            for (tx, rx) in kinds() {
                go(move || (0..1000).for_each(|i| tx.send(i).unwrap()));
                assert!(rx.iter().eq(0..1000));
            }
        });
    }
}

#[test]
fn a_send_without_a_buffer_ends_when_the_value_is_received() {
    with_procs(1, || {
        let log = Log::new();
        let (tx, rx) = bounded(0);
        go({
            let log = log.clone();
            move || {
                tx.send(1).unwrap();
                log.push("sent");
            }
        });
        settle();
        assert!(log.take().is_empty());
        assert_eq!(rx.recv(), Ok(1));
        settle();
        assert_eq!(log.take(), ["sent"]);
    });
}

#[test]
fn a_value_for_a_waiting_receiver_does_not_go_through_the_buffer() {
    with_procs(1, || {
        for (tx, rx) in kinds() {
            let (out, results) = bounded(1);
            go(move || out.send(rx.recv()).unwrap());
            settle();
            assert_eq!(tx.try_send(5), Ok(()));
            assert_eq!(tx.len(), 0);
            assert_eq!(results.recv(), Ok(Ok(5)));
        }
    });
}

#[test]
fn a_receive_from_a_full_buffer_refills_it_from_the_first_waiting_sender() {
    with_procs(1, || {
        let (tx, rx) = bounded(2);
        (0..2).for_each(|i| tx.send(i).unwrap());
        for i in 2..5 {
            let tx = tx.clone();
            go(move || tx.send(i).unwrap());
            settle();
        }
        for i in 0..3 {
            assert_eq!(rx.recv(), Ok(i));
            assert!(rx.is_full());
        }
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [3, 4]);
    });
}

#[test]
fn recv_on_closed_returns_buffered_values_first() {
    with_procs(1, || {
        for (tx, rx) in [bounded(3), unbounded()] {
            (0..3).for_each(|i| tx.send(i).unwrap());
            tx.close();
            assert_eq!(rx.recv(), Ok(0));
            assert_eq!(rx.try_recv(), Ok(1));
            assert_eq!(rx.recv_timeout(Duration::ZERO), Ok(2));
            assert_eq!(rx.recv(), Err(RecvError));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            assert_eq!(rx.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Disconnected));
            assert_eq!(rx.recv_deadline(Instant::now()), Err(RecvTimeoutError::Disconnected));
        }
    });
}

#[test]
fn send_on_closed_returns_the_value() {
    with_procs(1, || {
        for (tx, rx) in kinds() {
            rx.close();
            assert_eq!(tx.send(1), Err(SendError(1)));
            assert_eq!(tx.try_send(1), Err(TrySendError::Disconnected(1)));
            assert_eq!(tx.send_timeout(1, Duration::MAX), Err(SendTimeoutError::Disconnected(1)));
            assert_eq!(tx.send_deadline(1, Instant::now()), Err(SendTimeoutError::Disconnected(1)));
            assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
        }
    });
}

#[test]
fn a_second_close_panics_with_the_words_of_go() {
    with_procs(1, || {
        let (tx, rx) = bounded::<i32>(0);
        tx.close();
        assert_eq!(panic_text(|| tx.close()), "close of closed channel");
        assert_eq!(panic_text(|| rx.close()), "close of closed channel");
        assert_eq!(panic_text(|| never::<i32>().close()), "close of nil channel");
        assert_eq!(panic_text(|| drop(bounded::<u64>(usize::MAX))), "makechan: size out of range");
    });
}

#[test]
fn a_disconnected_channel_can_be_closed_once() {
    with_procs(1, || {
        let (tx, rx) = bounded::<i32>(0);
        drop(rx);
        tx.close();
        assert_eq!(panic_text(|| tx.close()), "close of closed channel");
    });
}

#[test]
fn close_gives_waiting_senders_their_values_back() {
    with_procs(1, || {
        for (tx, rx) in [bounded(0), bounded(1)] {
            if tx.capacity() == Some(1) {
                tx.send(100).unwrap();
            }
            let (out, results) = unbounded();
            for i in 0..3 {
                let (tx, out) = (tx.clone(), out.clone());
                go(move || out.send(tx.send(i)).unwrap());
                settle();
            }
            tx.close();
            drop(out);
            let mut values: Vec<_> = results.iter().map(|result| result.unwrap_err().into_inner()).collect();
            values.sort_unstable();
            assert_eq!(values, [0, 1, 2]);
            assert_eq!(rx.iter().collect::<Vec<_>>(), vec![100; tx.capacity().unwrap()]);
        }
    });
}

#[test]
fn dropping_the_last_handle_of_a_side_ends_the_waits_of_the_other() {
    with_procs(1, || {
        let (tx, rx) = bounded::<i32>(0);
        let (out, results) = unbounded();
        go(move || out.send(rx.recv()).unwrap());
        settle();
        let second = tx.clone();
        drop(tx);
        settle();
        assert!(results.is_empty(), "one sender is left");
        drop(second);
        assert_eq!(results.recv(), Ok(Err(RecvError)));

        let (tx, rx) = bounded(0);
        let (out, results) = unbounded();
        go(move || out.send(tx.send(9)).unwrap());
        settle();
        drop(rx);
        assert_eq!(results.recv(), Ok(Err(SendError(9))));
    });
}

#[test]
fn a_time_limit_ends_a_wait_not_before_its_time() {
    with_procs(2, || {
        let limit = Duration::from_millis(3);
        for (tx, rx) in kinds() {
            let start = Instant::now();
            assert_eq!(rx.recv_timeout(limit), Err(RecvTimeoutError::Timeout));
            assert!(start.elapsed() >= limit);
            let start = Instant::now();
            assert_eq!(rx.recv_deadline(start + limit), Err(RecvTimeoutError::Timeout));
            assert!(start.elapsed() >= limit);
            let Some(cap) = tx.capacity() else { continue };
            (0..cap).for_each(|i| tx.send(i).unwrap());
            let start = Instant::now();
            assert_eq!(tx.send_timeout(cap, limit), Err(SendTimeoutError::Timeout(cap)));
            assert!(start.elapsed() >= limit);
            assert_eq!(tx.send_deadline(cap, Instant::now() - limit), Err(SendTimeoutError::Timeout(cap)));
            // Nothing of the waits is left behind.
            assert_eq!(rx.try_iter().count(), cap);
            go(move || tx.send(7).unwrap());
            assert_eq!(rx.recv_timeout(DEADLINE), Ok(7));
        }
    });
}

#[test]
fn a_waiter_that_timed_out_is_passed_over() {
    with_procs(1, || {
        let (tx, rx) = bounded(0);
        let (out, results) = unbounded();
        for limit in [1, 60_000, 1] {
            let (rx, out) = (rx.clone(), out.clone());
            go(move || out.send((limit, rx.recv_timeout(Duration::from_millis(limit)))).unwrap());
            settle();
        }
        for _ in 0..2 {
            assert_eq!(results.recv(), Ok((1, Err(RecvTimeoutError::Timeout))));
        }
        assert_eq!(tx.try_send(5), Ok(()));
        assert_eq!(results.recv(), Ok((60_000, Ok(5))));
        assert_eq!(tx.try_send(6), Err(TrySendError::Full(6)), "nobody waits any more");
    });
}

/// Six goroutines wait for `rx` in order; afterwards each has logged its number and what it got.
fn six_receivers(rx: &Receiver<usize>, log: &Log<(usize, Result<usize, RecvError>)>) {
    for k in 0..6 {
        let (rx, log) = (rx.clone(), log.clone());
        go(move || log.push((k, rx.recv())));
        settle();
    }
}

#[test]
fn close_runs_the_first_waiter_first_and_the_others_from_the_last() {
    with_procs(1, || {
        let (tx, rx) = bounded(0);
        let log = Log::new();
        six_receivers(&rx, &log);
        tx.close();
        settle();
        assert_eq!(log.take(), [0, 5, 4, 3, 2, 1].map(|k| (k, Err(RecvError))));
    });
}

#[test]
fn sends_reach_waiters_in_order_and_the_last_one_runs_first() {
    with_procs(1, || {
        for (tx, rx) in kinds() {
            let log = Log::new();
            six_receivers(&rx, &log);
            (0..6).for_each(|i| tx.send(i).unwrap());
            settle();
            assert_eq!(log.take(), [5, 0, 1, 2, 3, 4].map(|k| (k, Ok(k))));
        }
    });
}

#[test]
fn every_value_is_dropped_exactly_once() {
    with_procs(1, || {
        let living = Arc::new(AtomicUsize::new(0));
        for (tx, rx) in kinds() {
            let room = tx.capacity().unwrap_or(100);
            // Received, refused, timed out, left in the buffer, given back by the end.
            go({
                let (tx, living) = (tx.clone(), living.clone());
                move || tx.send(Counted::new(&living)).unwrap()
            });
            drop(rx.recv().unwrap());
            (0..room).for_each(|_| tx.send(Counted::new(&living)).unwrap());
            if tx.capacity().is_some() {
                drop(tx.try_send(Counted::new(&living)).unwrap_err());
                drop(tx.send_timeout(Counted::new(&living), Duration::from_millis(1)).unwrap_err());
                go({
                    let (tx, living) = (tx.clone(), living.clone());
                    move || drop(tx.send(Counted::new(&living)).unwrap_err())
                });
                settle();
            }
            assert_eq!(living.load(Ordering::Relaxed), room + usize::from(tx.capacity().is_some()));
            drop(rx);
            settle();
            assert_eq!(living.load(Ordering::Relaxed), 0);
            drop(tx.send(Counted::new(&living)).unwrap_err());
            assert_eq!(living.load(Ordering::Relaxed), 0);
        }
    });
}

#[test]
fn values_left_by_senders_and_receivers_are_dropped_with_the_channel() {
    with_procs(1, || {
        let living = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = unbounded();
        (0..100).for_each(|_| tx.send(Counted::new(&living)).unwrap());
        drop(tx);
        assert_eq!(living.load(Ordering::Relaxed), 100);
        drop(rx);
        assert_eq!(living.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_destructor_may_use_the_channel_it_was_left_in() {
    struct Sends(Option<Sender<Sends>>, Arc<AtomicUsize>);
    impl Drop for Sends {
        fn drop(&mut self) {
            let Some(tx) = self.0.take() else { return };
            let refused = tx.try_send(Sends(Some(tx.clone()), self.1.clone()));
            // Which is not to send again.
            refused.expect_err("the receivers are gone").into_inner().0 = None;
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    with_procs(1, || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (tx, rx) = bounded(2);
        (0..2).for_each(|_| assert!(tx.send(Sends(Some(tx.clone()), dropped.clone())).is_ok()));
        drop((rx, tx));
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn values_without_size_and_large_values_pass() {
    with_procs(2, || {
        for (tx, rx) in kinds() {
            go(move || (0..500).for_each(|_| tx.send(()).unwrap()));
            assert_eq!(rx.iter().count(), 500);
        }
        for (tx, rx) in kinds() {
            go(move || (0..100).for_each(|i| tx.send([i; 300]).unwrap()));
            assert!(rx.iter().enumerate().all(|(i, value)| value == [i; 300]));
        }
    });
}

#[test]
fn sizes_and_identities_are_told() {
    with_procs(1, || {
        let (tx, rx) = bounded(2);
        assert_eq!((tx.capacity(), tx.len(), tx.is_empty(), tx.is_full()), (Some(2), 0, true, false));
        tx.send(1).unwrap();
        assert_eq!((rx.capacity(), rx.len(), rx.is_empty(), rx.is_full()), (Some(2), 1, false, false));
        tx.send(2).unwrap();
        assert!(rx.is_full());
        let (none, _rx) = bounded::<i32>(0);
        assert_eq!((none.capacity(), none.len(), none.is_empty(), none.is_full()), (Some(0), 0, true, true));
        assert_eq!(unbounded::<i32>().0.capacity(), None);
        assert!(tx.same_channel(&tx.clone()) && !tx.same_channel(&none));
        assert!(rx.same_channel(&rx.clone()) && !rx.same_channel(&never()));
        assert!(never::<i32>().same_channel(&never()));
        assert_eq!(format!("{tx:?} {rx:?} {:?}", rx.iter()), "Sender { .. } Receiver { .. } Iter { .. }");
    });
}

#[test]
fn never_gives_nothing() {
    with_procs(1, || {
        let rx = never::<i32>();
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
        assert_eq!((rx.len(), rx.capacity()), (0, Some(0)));
        drop(rx.clone());
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn goroutines_and_plain_threads_share_a_channel() {
    with_procs(2, || {
        for (tx, rx) in kinds::<u64>() {
            let sum = Arc::new(AtomicU64::new(0));
            let group = WaitGroup::new();
            group.add(2);
            let mut threads = Vec::new();
            for i in 0..4 {
                let tx = tx.clone();
                let work = move || (0..500).for_each(|_| tx.send(i).unwrap());
                if i % 2 == 0 { go(work) } else { threads.push(thread::spawn(work)) }
            }
            for i in 0..4 {
                let (rx, sum, group) = (rx.clone(), sum.clone(), group.clone());
                let work = move || rx.iter().for_each(|value| _ = sum.fetch_add(value, Ordering::Relaxed));
                if i % 2 == 0 {
                    go(move || {
                        work();
                        group.done();
                    });
                } else {
                    threads.push(thread::spawn(work));
                }
            }
            drop((tx, rx));
            group.wait();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(sum.load(Ordering::Relaxed), 500 * (1 + 2 + 3));
        }
    });
}

#[test]
fn plain_threads_alone_can_use_a_channel() {
    with_procs(1, || {
        let threads = thread::spawn(|| {
            let (tx, rx) = bounded(0);
            let sender = thread::spawn(move || (0..200).for_each(|i| tx.send(i).unwrap()));
            assert!(rx.iter().eq(0..200));
            assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Disconnected));
            let (_tx, rx) = bounded::<i32>(1);
            assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
            sender.join().unwrap();
        });
        threads.join().unwrap();
    });
}
