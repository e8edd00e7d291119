//! `Select`: the list, the choice, readiness, and what happens to those who misuse it.
//!
//! Why here: a part of `select`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* reflect.Select.

use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::{
    Receiver, RecvError, Select, SelectTimeoutError, SendError, TryReadyError, TrySelectError, TrySendError, after,
    bounded, never, unbounded,
};
use goruntime::{go, spawn};

use super::procs::{panic_text, settle, with_procs};
use super::{Counted, LONG, assert_fair};

#[test]
fn operations_are_numbered_and_removed_by_number() {
    with_procs(1, || {
        let ((tx, rx), (_idle, other)) = (unbounded(), unbounded::<i32>());
        let mut select = Select::new();
        assert_eq!([select.recv(&other), select.recv(&rx), select.send(&tx)], [0, 1, 2]);
        select.remove(2);
        assert_eq!(select.try_select().unwrap_err(), TrySelectError);
        tx.send(7).unwrap();
        let operation = select.select();
        assert_eq!((operation.index(), operation.recv(&rx)), (1, Ok(7)));
        assert_eq!(select.send(&tx), 3);
        select.remove(1);
        let operation = select.try_select().unwrap();
        assert_eq!((operation.index(), operation.send(&tx, 8)), (3, Ok(())));
        assert_eq!(panic_text(|| select.remove(1)), "no operation with this index");
        assert_eq!(panic_text(|| select.remove(4)), "index out of bounds; 4 >= 4");
    });
}

#[test]
fn an_empty_list_is_refused_where_it_would_wait_for_ever() {
    with_procs(1, || {
        let none = "no operations have been added to `Select`";
        assert_eq!(panic_text(|| drop(Select::new().select())), none);
        assert_eq!(panic_text(|| _ = Select::new().ready()), none);
        assert_eq!(panic_text(|| _ = Select::new().select_timeout(Duration::MAX)), none);
        assert_eq!(panic_text(|| _ = Select::new().ready_timeout(Duration::MAX)), none);
        let (mut select, limit, begun) = (Select::default(), Duration::from_millis(2), Instant::now());
        assert_eq!(select.try_select().unwrap_err(), TrySelectError);
        assert_eq!(select.try_ready(), Err(TryReadyError));
        assert_eq!(select.select_timeout(limit).unwrap_err(), SelectTimeoutError);
        assert!(begun.elapsed() >= limit);
        assert!(select.ready_timeout(limit).is_err() && begun.elapsed() >= 2 * limit);
    });
}

#[test]
fn an_operation_must_be_done_with_its_own_handle() {
    with_procs(1, || {
        let (tx, rx) = bounded(1);
        let wrong = tx.clone();
        let mut select = Select::new();
        select.send(&tx);
        let text = panic_text(|| _ = select.select().send(&wrong, 1));
        assert_eq!(text, "passed a sender that wasn't selected");
        let text = panic_text(|| _ = select.select().recv(&rx));
        assert_eq!(text, "passed a receiver that wasn't selected");
        // Neither has cost any room.
        assert_eq!((tx.try_send(5), tx.try_send(6)), (Ok(()), Err(TrySendError::Full(6))));
        let mut select = Select::new();
        select.recv(&rx);
        let text = panic_text(|| _ = select.select().send(&tx, 1));
        assert_eq!(text, "passed a sender that wasn't selected");
    });
}

#[test]
fn an_operation_that_is_dropped_panics_and_gives_the_right_to_send_back() {
    with_procs(1, || {
        let dropped = "dropped `SelectedOperation` without completing the operation";
        for cap in [1, 2] {
            let (tx, rx) = bounded(cap);
            let mut select = Select::new();
            select.send(&tx);
            assert_eq!(panic_text(|| drop(select.select())), dropped);
            (0..cap).for_each(|_| tx.try_send(()).unwrap());
            assert_eq!(rx.len(), cap);
        }
        let (tx, rx) = bounded(0);
        let receiver = spawn(move || rx.recv());
        settle();
        let mut select = Select::new();
        select.send(&tx);
        assert_eq!(panic_text(|| drop(select.select())), dropped);
        let operation = select.select();
        assert_eq!(operation.send(&tx, 7), Ok(()));
        assert_eq!(receiver.join().unwrap(), Ok(7));
    });
}

#[test]
fn a_choice_is_fair_unless_biased() {
    with_procs(1, || {
        let (tx, rx) = unbounded();
        let (ended, _) = (bounded::<()>(0).1, ());
        (0..20_000).for_each(|_| tx.send(()).unwrap());
        let mut select = Select::new();
        for _ in 0..2 {
            select.recv(&rx);
            select.recv(&ended);
        }
        let mut hits = [0; 4];
        for _ in 0..10_000 {
            let operation = select.select();
            let index = operation.index();
            hits[index] += 1;
            _ = operation.recv(if index % 2 == 0 { &rx } else { &ended });
        }
        assert_fair(&hits);
        let mut hits = [0; 4];
        (0..10_000).for_each(|_| hits[select.ready()] += 1);
        assert_fair(&hits);
        let mut biased = Select::new_biased();
        biased.recv(&ended);
        biased.recv(&rx);
        assert!((0..100).all(|_| biased.ready() == 0));
        biased.remove(0);
        biased.recv(&ended);
        assert!((0..100).all(|_| biased.ready() == 1));
    });
}

#[test]
fn more_operations_than_fit_in_the_frame() {
    with_procs(1, || {
        let channels: Vec<_> = (0..50).map(|_| bounded(0)).collect();
        let mut select = Select::new();
        for (_, rx) in &channels {
            select.recv(rx);
        }
        for (number, (tx, rx)) in channels.iter().enumerate() {
            let tx = tx.clone();
            go(move || tx.send(number).unwrap());
            let operation = select.select();
            assert_eq!((operation.index(), operation.recv(rx)), (number, Ok(number)));
        }
        assert!(select.try_select().is_err());
        assert!(select.select_timeout(Duration::from_millis(1)).is_err());
    });
}

#[test]
fn values_of_any_size_are_received_and_dropped_once() {
    #[repr(align(256))]
    struct Large([u8; 5000], #[expect(dead_code, reason = "counted by its drop")] Counted);
    with_procs(1, || {
        let living = Arc::default();
        let ((tx, rx), (small_tx, small_rx)) = (bounded(3), bounded::<()>(1));
        for i in 0..30 {
            tx.send(Large([i; 5000], Counted::new(&living))).ok().unwrap();
            let mut select = Select::new();
            let (small, large) = (select.recv(&small_rx), select.recv(&rx));
            let operation = select.select();
            assert_eq!(operation.index(), large);
            let value = operation.recv(&rx).unwrap();
            assert!(value.0.iter().all(|&byte| byte == i) && (&raw const value).addr().is_multiple_of(256));
            small_tx.send(()).unwrap();
            let operation = select.select();
            assert_eq!((operation.index(), operation.recv(&small_rx)), (small, Ok(())));
        }
        assert_eq!(living.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_parked_list_is_woken_by_either_side() {
    with_procs(1, || {
        let ((tx1, rx1), (tx2, rx2)) = (bounded(0), bounded(0));
        let worker = spawn(move || {
            let mut select = Select::new();
            let (receive, _send) = (select.recv(&rx1), select.send(&tx2));
            let mut done = Vec::new();
            for _ in 0..4 {
                let operation = select.select_timeout(LONG).unwrap();
                if operation.index() == receive {
                    done.push(operation.recv(&rx1).unwrap_or(-1));
                } else {
                    done.push(operation.send(&tx2, 9).map_or_else(|SendError(value)| value, |()| 0));
                }
            }
            done
        });
        settle();
        tx1.send(5).unwrap();
        settle();
        assert_eq!(rx2.recv(), Ok(9));
        settle();
        tx1.close();
        settle();
        drop(rx2);
        let done = worker.join().unwrap();
        assert_eq!(done[..3], [5, 0, -1]);
        assert!([9, -1].contains(&done[3]), "{done:?}");
    });
}

#[test]
fn ready_says_what_could_be_done_and_does_nothing() {
    with_procs(1, || {
        let ((tx, rx), (full, _full_rx)) = (bounded(2), bounded(0));
        let mut select = Select::new();
        let (receive, send, _blocked) = (select.recv(&rx), select.send(&tx), select.send(&full));
        for _ in 0..10 {
            assert_eq!(select.try_ready(), Ok(send));
        }
        tx.send(1).unwrap();
        tx.send(2).unwrap();
        for _ in 0..10 {
            assert_eq!((select.ready(), rx.len()), (receive, 2));
        }
        select.remove(receive);
        assert_eq!(select.try_ready(), Err(TryReadyError));
        select.remove(send);
        assert!(select.ready_deadline(Instant::now()).is_err());
        full.send_timeout((), Duration::ZERO).unwrap_err();
        drop(_full_rx);
        assert_eq!(select.ready(), 2, "a disconnected channel is ready");
    });
}

#[test]
fn ready_is_woken_by_values_room_partners_and_closes() {
    with_procs(1, || {
        let watch = |rx: Receiver<i32>| {
            move || {
                let mut select = Select::new();
                select.recv(&rx);
                (select.ready(), rx.try_recv())
            }
        };
        for cap in [0, 1] {
            let (tx, rx) = bounded(cap);
            // Two watch; both learn of the value, one gets it.
            let watchers = [spawn(watch(rx.clone())), spawn(watch(rx.clone()))];
            settle();
            go({
                let tx = tx.clone();
                move || tx.send(5).unwrap()
            });
            settle();
            tx.close();
            let mut results: Vec<_> = watchers.into_iter().map(|watcher| watcher.join().unwrap().1.ok()).collect();
            results.sort_unstable();
            assert_eq!(results, [None, Some(5)]);
            let (tx, rx) = bounded(cap);
            (0..cap).for_each(|_| tx.send(0).unwrap());
            let sender = spawn(move || {
                let mut select = Select::new();
                select.send(&tx);
                (select.ready(), tx.try_send(6))
            });
            settle();
            // A receiver without a buffer waits, and is found.
            (0..cap).for_each(|_| assert_eq!(rx.recv(), Ok(0)));
            assert_eq!(rx.recv(), Ok(6));
            assert_eq!(sender.join().unwrap(), (0, Ok(())));
        }
    });
}

/// Watchers on both sides of a channel do not wake each other, and are no partners.
#[test]
fn watchers_do_not_count_as_partners() {
    with_procs(1, || {
        let (tx, rx) = bounded::<i32>(0);
        let limit = Duration::from_millis(3);
        let watcher = spawn({
            let rx = rx.clone();
            move || {
                let mut select = Select::new();
                select.recv(&rx);
                select.ready_timeout(limit).is_ok()
            }
        });
        settle();
        let mut select = Select::new();
        select.send(&tx);
        assert!(select.ready_timeout(limit).is_err() && tx.try_send(1).is_err());
        assert!(!watcher.join().unwrap());
    });
}

#[test]
fn a_list_can_be_cloned_shared_and_sent() {
    with_procs(2, || {
        let (tx, rx) = unbounded();
        (0..3).for_each(|i| tx.send(i).unwrap());
        let mut select = Select::new();
        select.recv(&rx);
        thread::scope(|scope| {
            let shared = &select;
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut own = shared.clone();
                    own.select().recv(&rx).unwrap()
                });
            }
        });
        assert!(rx.is_empty() && select.try_select().is_err());
    });
}

/// What was chosen for a receive and is not taken may be of a type that must not be dropped on this thread.
#[test]
fn a_chosen_value_that_is_not_taken_is_forgotten() {
    with_procs(1, || {
        let (tx, rx) = unbounded();
        let value = Rc::new(());
        tx.send(Rc::clone(&value)).unwrap();
        let mut select = Select::new();
        select.recv(&rx);
        panic_text(|| drop(select.select()));
        assert_eq!((Rc::strong_count(&value), rx.len()), (2, 0));
        // A sanitizer would tell of what stays behind.
        let value = Rc::into_raw(value);
        // SAFETY: the count is that of the value that was forgotten.
        unsafe { Rc::decrement_strong_count(value) };
        // SAFETY: this one is the test's own.
        drop(unsafe { Rc::from_raw(value) });
    });
}

#[test]
fn clocks_are_operations_too() {
    with_procs(1, || {
        let (begun, limit) = (Instant::now(), Duration::from_millis(3));
        let (timeout, nothing) = (after(limit), never::<()>());
        let mut select = Select::new();
        let (expected, _) = (select.recv(&timeout), select.recv(&nothing));
        assert_eq!((select.try_ready(), select.ready()), (Err(TryReadyError), expected));
        assert_eq!(select.select().recv(&timeout).map(|when| when >= begun + limit), Ok(true));
        assert!(select.try_select().is_err(), "it comes once");
    });
}

#[test]
fn debug_and_errors_say_what_they_are() {
    fn is_error<E: Error + Copy + Eq + Send + Sync + 'static>(_: E) {}
    is_error(TrySelectError);
    is_error(SelectTimeoutError);
    is_error(TryReadyError);
    let (tx, _rx) = unbounded();
    let mut select = Select::new();
    assert_eq!(format!("{select:?}"), "Select { .. }");
    select.send(&tx);
    let operation = select.select();
    assert_eq!(format!("{operation:?}"), "SelectedOperation { .. }");
    assert_eq!(operation.send(&tx, RecvError), Ok(()));
}
