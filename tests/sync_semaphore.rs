//! What `Semaphore` promises: never more permits than there are, in the order of asking.
//!
//! Why here: from outside, with goroutines and plain threads.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* semaphore_test.go of golang.org/x/sync.

#[path = "common/procs.rs"]
mod procs;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::{Receiver, Sender, unbounded};
use goruntime::runtime::{goexit, yield_now};
use goruntime::sync::{Arc, OwnedSemaphorePermit, Semaphore};
use goruntime::{go, spawn};
use proptest::prelude::{Just, Strategy, prop, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use self::procs::{panic_text, settle, with_procs};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn permits_are_taken_and_come_back() {
    static SEMAPHORE: Semaphore = Semaphore::new(3);
    let one = SEMAPHORE.acquire();
    let two = SEMAPHORE.acquire_many(2);
    assert_eq!((one.count(), two.count(), SEMAPHORE.available()), (1, 2, 0));
    assert!(SEMAPHORE.try_acquire().is_none() && SEMAPHORE.try_acquire_many(0).is_some());
    drop(two);
    assert!(SEMAPHORE.try_acquire_many(3).is_none());
    assert_eq!(format!("{SEMAPHORE:?}"), "Semaphore { available: 2, waiting: 0 }");
    one.forget();
    assert_eq!(SEMAPHORE.available(), 2);
    SEMAPHORE.release(2);
    assert_eq!(SEMAPHORE.acquire_many(4).count(), 4);
    let shared = Arc::new(Semaphore::new(2));
    let owned = shared.clone().try_acquire_owned().unwrap();
    assert!(Arc::ptr_eq(owned.semaphore(), &shared));
    shared.clone().acquire_many_owned(1).forget();
    assert!(shared.clone().try_acquire_owned().is_none());
    drop(owned);
    assert_eq!(shared.clone().acquire_owned().count(), 1);
    assert_eq!(shared.available(), 1);
}

#[test]
fn there_is_a_most() {
    let most = Semaphore::new(Semaphore::MAX_PERMITS);
    assert_eq!(most.available(), Semaphore::MAX_PERMITS);
    assert_eq!(panic_text(|| most.release(1)), "too many permits in Semaphore");
    assert_eq!(panic_text(|| most.release(usize::MAX)), "too many permits in Semaphore");
    assert_eq!(panic_text(|| _ = Semaphore::new(Semaphore::MAX_PERMITS + 1)), "too many permits in Semaphore");
    most.acquire_many(5).forget();
    most.release(5);
    assert_eq!(most.available(), Semaphore::MAX_PERMITS);
}

#[test]
fn never_more_are_inside_than_there_are_permits() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (semaphore, inside) = (Arc::new(Semaphore::new(5)), Arc::new(AtomicUsize::new(0)));
            let mut threads = Vec::new();
            let mut goroutines = Vec::new();
            for id in 0..10 {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                let work = move || {
                    for round in 0..500 {
                        let count = 1 + (id + round) % 3;
                        let permits = semaphore.acquire_many(count);
                        assert!(inside.fetch_add(count, Ordering::Relaxed) + count <= 5);
                        if round % 20 == 0 {
                            yield_now();
                        }
                        inside.fetch_sub(count, Ordering::Relaxed);
                        drop(permits);
                    }
                };
                if id < 8 { goroutines.push(spawn(work)) } else { threads.push(thread::spawn(work)) }
            }
            goroutines.into_iter().for_each(|one| one.join().unwrap());
            threads.into_iter().for_each(|one| one.join().unwrap());
            assert_eq!(semaphore.available(), 5);
        });
    }
}

/// Go's `TestLargeAcquireDoesntStarve`: who wants all gets all, though small ones come without end.
#[test]
fn a_large_request_is_not_overtaken() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let (semaphore, is_over) =
                (Arc::new(Semaphore::new(4)), Arc::new(std::sync::atomic::AtomicBool::new(false)));
            let small: Vec<_> = (0..4)
                .map(|_| {
                    let (semaphore, is_over) = (semaphore.clone(), is_over.clone());
                    let mut held = Some(semaphore.clone().acquire_owned());
                    spawn(move || {
                        while !is_over.load(Ordering::Relaxed) {
                            yield_now();
                            drop(held.take());
                            held = Some(semaphore.clone().acquire_owned());
                        }
                        drop(held);
                    })
                })
                .collect();
            drop(semaphore.acquire_many(4));
            is_over.store(true, Ordering::Relaxed);
            small.into_iter().for_each(|one| one.join().unwrap());
            assert_eq!(semaphore.available(), 4);
        });
    }
}

#[test]
fn a_request_that_gives_up_lets_the_next_ones_go_on() {
    with_procs(1, || {
        let (semaphore, limit, begun) = (Arc::new(Semaphore::new(1)), Duration::from_millis(5), Instant::now());
        let large = spawn({
            let semaphore = semaphore.clone();
            move || semaphore.acquire_many_timeout(2, limit).is_none()
        });
        settle();
        let small = spawn({
            let semaphore = semaphore.clone();
            move || drop(semaphore.acquire_timeout(LONG).expect("there is one"))
        });
        settle();
        // A machine that is busy may let the time run out before.
        assert!(semaphore.try_acquire().is_none() || begun.elapsed() >= limit, "a newcomer overtakes");
        assert!(large.join().unwrap());
        small.join().unwrap();
        assert!(semaphore.try_acquire().is_some());
    });
}

#[test]
fn time_limits_race_with_releases() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let semaphore = Arc::new(Semaphore::new(2));
            let workers: Vec<_> = (0..6)
                .map(|id| {
                    let semaphore = semaphore.clone();
                    let work = move || {
                        let mut refused = 0;
                        for round in 0..200 {
                            let limit = Duration::from_micros((id * 31 + round * 17) % 150);
                            let begun = Instant::now();
                            match semaphore.acquire_many_timeout(1 + (round % 2) as usize, limit) {
                                Some(_permits) => yield_now(),
                                None => {
                                    assert!(begun.elapsed() >= limit);
                                    refused += 1;
                                }
                            }
                        }
                        refused
                    };
                    spawn(work)
                })
                .collect();
            let refused: i32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
            assert!(refused < 1200, "nobody ever got one");
            assert_eq!(semaphore.available(), 2);
            assert!(semaphore.try_acquire_many(2).is_some());
        });
    }
}

#[test]
fn a_permit_comes_back_by_unwinding() {
    with_procs(1, || {
        let semaphore = Arc::new(Semaphore::new(1));
        for leave in [|| goexit(), || std::panic::resume_unwind(Box::new(()))] as [fn(); 2] {
            let semaphore = semaphore.clone();
            let left = spawn(move || {
                let _permit = semaphore.acquire();
                leave();
            });
            assert!(left.join().is_err());
        }
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
fn all_who_can_be_served_run_in_order_after_the_last() {
    with_procs(1, || {
        let (semaphore, log) = (Arc::new(Semaphore::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
        for id in 0..6 {
            let (semaphore, log) = (semaphore.clone(), log.clone());
            go(move || {
                semaphore.acquire().forget();
                log.lock().unwrap().push(id);
            });
            settle();
        }
        semaphore.release(6);
        settle();
        assert_eq!(*log.lock().unwrap(), [5, 0, 1, 2, 3, 4]);
    });
}

/// A step of a random program.
#[derive(Clone, Debug)]
enum Step {
    /// A new goroutine asks for so many.
    Ask(usize),
    /// The main goroutine tries.
    Try(usize),
    /// The n-th holder, modulo their number, gives its permits back.
    GiveBack(usize),
    /// So many more.
    Release(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..5_usize).prop_map(Step::Ask),
        1 => (0..5_usize).prop_map(Step::Try),
        4 => (0..8_usize).prop_map(Step::GiveBack),
        1 => prop_oneof![Just(0_usize), 1..4_usize].prop_map(Step::Release),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a semaphore is to do, one step after the other.
#[derive(Default)]
struct Model {
    free: usize,
    queue: VecDeque<(usize, usize)>,
    held: Vec<(usize, usize)>,
}

impl Model {
    fn grant(&mut self) {
        while self.queue.front().is_some_and(|first| first.1 <= self.free) {
            let first = self.queue.pop_front().expect("there is a first");
            self.free -= first.1;
            self.held.push(first);
        }
    }
}

/// Who has what.
type Grant = (usize, OwnedSemaphorePermit);

/// The semaphore and its holders.
struct Real {
    semaphore: Arc<Semaphore>,
    held: Vec<Grant>,
    granted: (Sender<Grant>, Receiver<Grant>),
}

impl Real {
    fn ask(&self, id: usize, count: usize) {
        let (semaphore, granted) = (self.semaphore.clone(), self.granted.0.clone());
        go(move || granted.send((id, semaphore.acquire_many_owned(count))).unwrap());
    }

    /// Waits until so many hold permits and so many are queued.
    fn settle(&mut self, held: usize, waiting: usize) {
        while self.held.len() < held {
            self.held.push(self.granted.1.recv().unwrap());
        }
        while !format!("{:?}", self.semaphore).contains(&format!("waiting: {waiting} }}")) {
            yield_now();
        }
        assert!(self.granted.1.try_recv().is_err(), "somebody was served too early");
    }
}

/// Random programs on one processor, step by step beside the model.
#[test]
fn it_does_what_the_sequential_model_does() {
    let run = |start: usize, steps: Vec<Step>| {
        let mut model = Model { free: start, ..Model::default() };
        let mut real = Real { semaphore: Arc::new(Semaphore::new(start)), held: Vec::new(), granted: unbounded() };
        for (id, step) in steps.into_iter().enumerate() {
            match step {
                Step::Ask(count) => {
                    model.queue.push_back((id, count));
                    real.ask(id, count);
                }
                Step::Try(count) => {
                    let expected = model.queue.is_empty() && count <= model.free;
                    assert_eq!(real.semaphore.try_acquire_many(count).is_some(), expected);
                }
                Step::GiveBack(n) if !model.held.is_empty() => {
                    let n = n % model.held.len();
                    model.free += model.held.remove(n).1;
                    drop(real.held.remove(n));
                }
                Step::GiveBack(_) => {}
                Step::Release(count) => {
                    model.free += count;
                    real.semaphore.release(count);
                }
            }
            model.grant();
            real.settle(model.held.len(), model.queue.len());
            // Those who were served together may have come in any order.
            model.held.sort();
            real.held.sort_by_key(|grant| grant.0);
            let held: Vec<_> = real.held.iter().map(|(id, permits)| (*id, permits.count())).collect();
            assert_eq!((real.semaphore.available(), &held), (model.free, &model.held));
        }
        // Lets the rest go.
        real.semaphore.release(1_000);
        real.settle(model.held.len() + model.queue.len(), 0);
    };
    with_procs(1, || {
        let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
        let result = runner.run(&(0..4_usize, steps()), |(start, steps)| {
            run(start, steps);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{error}"));
    });
}
