//! What `select!` promises: one case is done, the others have had no effect, and every ready case has its chance.
//!
//! Why here: from outside, with goroutines and plain threads. The parts: `waiting` parks, `promises` parks and sends, `dynamic` is `Select`, `clocks` are `after`, `at` and
//! `tick`, `programs` the classic programs, `model` random programs, `world` what they are compared with, `stress` everything at once. The syntax is in `ui`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* select_test of chan_test.go, test/chan/select*.go, test/chan/nonblock.go, test/chan/doubleselect.go.

#[path = "select/clocks.rs"]
mod clocks;
#[path = "select/dynamic.rs"]
mod dynamic;
#[path = "select/model.rs"]
mod model;
#[path = "common/procs.rs"]
mod procs;
#[path = "select/programs.rs"]
mod programs;
#[path = "select/promises.rs"]
mod promises;
#[path = "select/stress.rs"]
mod stress;
#[path = "select/waiting.rs"]
mod waiting;
#[path = "select/world.rs"]
mod world;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use goruntime::channel::{
    Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, after, bounded, never, select, select_biased,
    tick, unbounded,
};
use goruntime::go;

use self::procs::{settle, with_procs};

/// A time that passes only when something hangs.
const LONG: Duration = Duration::from_secs(3600);

/// All kinds of channels.
fn kinds<T>() -> Vec<(Sender<T>, Receiver<T>)> {
    vec![bounded(0), bounded(1), bounded(7), unbounded()]
}

/// Picks per case that are suspicious: ten standard deviations from the mean of `picks` fair choices among `cases`.
#[track_caller]
fn assert_fair(hits: &[usize]) {
    let (picks, cases) = (hits.iter().sum::<usize>() as f64, hits.len() as f64);
    let (mean, deviation) = (picks / cases, (picks * (cases - 1.0)).sqrt() / cases);
    assert!(hits.iter().all(|&hits| (hits as f64 - mean).abs() < 10.0 * deviation), "{hits:?}");
}

/// A message whose evaluation fails.
fn no_message<T>() -> T {
    panic!("no message")
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
        assert_ne!(self.0.fetch_sub(1, Ordering::Relaxed), 0, "dropped twice");
    }
}

#[test]
fn the_ready_case_is_chosen_among_idle_ones() {
    with_procs(1, || {
        for (tx, rx) in kinds() {
            if tx.capacity() == Some(0) {
                continue;
            }
            let (idle_tx, idle_rx) = bounded::<i32>(0);
            tx.send(7).unwrap();
            for _ in 0..100 {
                let chosen = select! {
                    recv(idle_rx) -> _ => 0,
                    recv(rx) -> value => value.unwrap(),
                    send(idle_tx, 1) -> _ => 1,
                };
                assert_eq!(chosen, 7);
                let chosen = select! {
                    recv(idle_rx) -> _ => 0,
                    send(tx, 7) -> sent => { sent.unwrap(); 2 }
                    recv(never::<i32>()) -> _ => 1,
                };
                assert_eq!(chosen, 2);
            }
        }
    });
}

#[test]
fn each_ready_receive_has_the_same_chance() {
    const PICKS: usize = 10_000;
    with_procs(1, || {
        let ((tx1, rx1), (tx2, rx2)) = (bounded(PICKS), unbounded());
        for _ in 0..PICKS {
            tx1.send(()).unwrap();
            tx2.send(()).unwrap();
        }
        let mut hits = [0; 5];
        let mut closed = None;
        for _ in 0..PICKS {
            let closed = closed.get_or_insert_with(|| bounded::<()>(0).1);
            select! {
                recv(rx1) -> _ => hits[0] += 1,
                recv(closed) -> end => { assert_eq!(end, Err(RecvError)); hits[1] += 1 }
                recv(after(Duration::ZERO)) -> _ => hits[2] += 1,
                recv(rx2) -> _ => hits[3] += 1,
                recv(tick(Duration::ZERO)) -> _ => hits[4] += 1,
            }
        }
        assert_fair(&hits);
    });
}

#[test]
fn each_ready_send_has_the_same_chance() {
    const PICKS: usize = 10_000;
    with_procs(1, || {
        let ((tx1, _rx1), (tx2, _rx2), (tx3, rx3)) = (bounded(PICKS), unbounded(), bounded(0));
        drop(rx3);
        let mut hits = [0; 3];
        for _ in 0..PICKS {
            select! {
                send(tx1, ()) -> sent => { sent.unwrap(); hits[0] += 1 }
                send(tx2, ()) -> sent => { sent.unwrap(); hits[1] += 1 }
                send(tx3, ()) -> sent => { sent.unwrap_err(); hits[2] += 1 }
            }
        }
        assert_fair(&hits);
    });
}

/// Twenty cases take more than one random number.
#[test]
fn many_cases_are_shuffled_well() {
    const PICKS: usize = 20_000;
    with_procs(1, || {
        let (_tx, idle) = bounded::<()>(0);
        let ready = bounded::<()>(0).1;
        let mut hits = [0; 4];
        for _ in 0..PICKS {
            select! {
                recv(ready) -> _ => hits[0] += 1,
                recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {}
                recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {}
                recv(ready) -> _ => hits[1] += 1,
                recv(ready) -> _ => hits[2] += 1,
                recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {}
                recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {} recv(idle) -> _ => {}
                recv(ready) -> _ => hits[3] += 1,
            }
        }
        assert_fair(&hits);
    });
}

#[test]
fn a_biased_select_chooses_the_first_ready_case() {
    with_procs(1, || {
        let ((tx1, rx1), (tx2, rx2)) = (unbounded(), unbounded());
        (0..100).for_each(|i| tx1.send(i).unwrap());
        (100..200).for_each(|i| tx2.send(i).unwrap());
        let order = (0..200).map(|_| {
            select_biased! {
                recv(never()) -> value => value,
                recv(rx1) -> value => value,
                recv(rx2) -> value => value,
                default(LONG) => Err(RecvError),
            }
        });
        assert!(order.eq((0..200).map(Ok)));
    });
}

#[test]
fn operands_are_evaluated_once_and_in_order() {
    with_procs(1, || {
        let log = RefCell::new(Vec::new());
        let seen = |name: &'static str| log.borrow_mut().push(name);
        let ((tx, rx), full) = (unbounded(), bounded(0));
        tx.send(1).unwrap();
        for _ in 0..20 {
            select! {
                recv({ seen("first"); never::<i32>() }) -> _ => unreachable!("nothing comes"),
                send({ seen("second"); &full.0 }, { seen("message"); 1 }) -> _ => unreachable!("nobody receives"),
                default({ seen("fourth"); LONG }) => unreachable!("a case is ready"),
                recv({ seen("third"); &rx }) -> value => seen(if value == Ok(1) { "body" } else { "wrong" }),
            }
            assert_eq!(log.take(), ["first", "second", "third", "fourth", "body"]);
            select! {
                recv({ seen("first"); never::<i32>() }) -> _ => unreachable!("nothing comes"),
                send({ seen("second"); &tx }, { seen("message"); 1 }) -> sent => { sent.unwrap(); seen("body") }
            }
            assert_eq!(log.take(), ["first", "second", "message", "body"]);
        }
    });
}

#[test]
fn a_message_moves_only_when_its_case_is_chosen() {
    with_procs(1, || {
        let (tx, rx) = bounded(1);
        let text = String::from("text");
        let closed = bounded(0).0;
        let kept = select! {
            send(closed, text) -> refused => refused.unwrap_err().into_inner(),
            recv(never::<()>()) -> _ => text,
        };
        let kept = select! {
            recv(never::<()>()) -> _ => None,
            send(tx, kept) -> sent => { sent.unwrap(); None }
            default => Some(kept),
        };
        assert_eq!((kept, rx.len()), (None, 1));
        let text = String::from("more");
        let kept = select! {
            send(tx, text) -> _ => None,
            recv(never::<()>()) -> _ => None,
            default => Some(text),
        };
        assert_eq!((kept.as_deref(), rx.recv().as_deref()), (Some("more"), Ok("text")));
    });
}

#[test]
fn a_panic_in_an_operand_has_no_effect_on_the_channels() {
    with_procs(1, || {
        let (tx, rx) = bounded(1);
        tx.send(1).unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            select! {
                recv(rx) -> _ => {}
                recv(if rx.len() == 1 { panic!("no receiver") } else { &rx }) -> _ => {}
            }
        }));
        assert!(panicked.is_err());
        assert_eq!(rx.try_recv(), Ok(1));
    });
}

#[test]
fn a_panic_in_a_message_gives_the_room_back() {
    with_procs(1, || {
        for (tx, rx) in kinds() {
            if tx.capacity() == Some(0) {
                continue;
            }
            let living = Arc::default();
            while tx.len() + 1 < tx.capacity().unwrap_or(3) {
                tx.send(Counted::new(&living)).unwrap();
            }
            for _ in 0..3 {
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    select! {
                        send(tx, no_message()) -> _ => {}
                        recv(never::<()>()) -> _ => {}
                    }
                }));
                assert!(panicked.is_err());
            }
            let before = rx.len();
            assert!(tx.try_send(Counted::new(&living)).is_ok(), "the room is there");
            assert_eq!(rx.len(), before + 1);
            drop((tx, rx));
            assert_eq!(living.load(Ordering::Relaxed), 0);
        }
    });
}

#[test]
fn closed_channels_are_ready() {
    with_procs(1, || {
        for (tx, rx) in kinds() {
            let buffered = tx.capacity().unwrap_or(5);
            (0..buffered).for_each(|i| tx.send(i).unwrap());
            tx.close();
            for i in 0..buffered {
                select! {
                    recv(rx) -> value => assert_eq!(value, Ok(i)),
                    recv(never::<()>()) -> _ => {}
                }
            }
            for _ in 0..3 {
                select! {
                    recv(rx) -> value => assert_eq!(value, Err(RecvError)),
                    recv(never::<()>()) -> _ => {}
                }
                select! {
                    send(tx, 9) -> sent => assert_eq!(sent, Err(SendError(9))),
                    default => unreachable!("a closed channel is ready"),
                }
                select! {
                    send(tx, 9) -> sent => assert_eq!(sent, Err(SendError(9))),
                    recv(never::<()>()) -> _ => {}
                }
            }
        }
    });
}

#[test]
fn a_default_is_taken_when_nothing_is_ready() {
    with_procs(1, || {
        for (tx, rx) in kinds() {
            let took_default = select! { recv(rx) -> _ => false, default => true };
            assert!(took_default);
            let took_default = select! { recv(rx) -> _ => false, recv(never::<()>()) -> _ => false, default => true };
            assert!(took_default);
            while !tx.is_full() && tx.len() < 100 {
                tx.send(1).unwrap();
            }
            let full = tx.capacity().is_some();
            let took_default = select! { send(tx, 1) -> _ => false, default => true };
            assert_eq!(took_default, full);
            let took_default = select! { send(tx, 1) -> _ => false, send(tx, 2) -> _ => false, default => true };
            assert_eq!(took_default, full);
        }
        assert_eq!(select! { default => 1 }, 1);
    });
}

#[test]
fn a_default_finds_who_waits() {
    with_procs(1, || {
        let ((tx, rx), (done, results)) = (bounded(0), unbounded());
        go({
            let (rx, done) = (rx.clone(), done.clone());
            move || done.send(rx.recv()).unwrap()
        });
        settle();
        select! {
            send(tx, 5) -> sent => sent.unwrap(),
            default => unreachable!("a receiver waits"),
        }
        assert_eq!(results.recv(), Ok(Ok(5)));
        go(move || tx.send(6).unwrap());
        settle();
        select! {
            recv(rx) -> value => assert_eq!(value, Ok(6)),
            default => unreachable!("a sender waits"),
        }
    });
}

#[test]
fn a_time_limit_is_kept_and_not_before() {
    with_procs(1, || {
        let ((tx, rx), limit) = (bounded::<i32>(0), Duration::from_millis(5));
        for _ in 0..5 {
            let begun = Instant::now();
            select! {
                recv(rx) -> _ => unreachable!("nobody sends"),
                send(tx, 1) -> _ => unreachable!("a select does not talk to itself"),
                default(limit) => assert!(begun.elapsed() >= limit),
            }
            let begun = Instant::now();
            select! { default(limit) => assert!(begun.elapsed() >= limit) }
        }
        let took_default = select! { recv(rx) -> _ => false, recv(rx) -> _ => false, default(Duration::ZERO) => true };
        assert!(took_default);
        assert_eq!((rx.try_recv(), tx.try_send(1)), (Err(TryRecvError::Empty), Err(TrySendError::Full(1))));
    });
}

#[test]
fn arms_may_select_themselves() {
    with_procs(1, || {
        let (tx, rx) = unbounded();
        (0..4).for_each(|i| tx.send(i).unwrap());
        let sum: i32 = select! {
            recv(rx) -> a => a.unwrap() + select! {
                recv(select! { recv(rx) -> b => if b == Ok(1) { &rx } else { panic!("{b:?}") } }) -> c => c.unwrap() + select! {
                    send(tx, { select! { recv(rx) -> d => d.unwrap() } }) -> sent => { sent.unwrap(); rx.recv().unwrap() }
                    recv(never::<()>()) -> _ => 100,
                },
            },
            default => 100,
        };
        assert_eq!(sum, 2 + 3);
    });
}

#[test]
fn elements_of_any_kind_pass_and_are_dropped_once() {
    #[repr(align(128))]
    struct Large([u8; 1000], #[expect(dead_code, reason = "counted by its drop")] Counted);
    with_procs(1, || {
        let living = Arc::default();
        for (tx, rx) in kinds() {
            go({
                let living = Arc::clone(&living);
                move || {
                    for i in 0..50 {
                        select! {
                            send(tx, Large([i; 1000], Counted::new(&living))) -> sent => assert!(sent.is_ok() || i == 49),
                            recv(never::<()>()) -> _ => {}
                        }
                    }
                }
            });
            for i in 0..49 {
                select! {
                    recv(rx) -> value => assert!(value.unwrap().0.iter().all(|&byte| byte == i)),
                    recv(never::<()>()) -> _ => {}
                }
            }
        }
        settle();
        assert_eq!(living.load(Ordering::Relaxed), 0);
    });
}
