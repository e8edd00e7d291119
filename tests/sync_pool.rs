//! What `Pool` promises: each value has one user at a time, and idle ones go away.
//!
//! Why here: from outside, with goroutines and plain threads.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* pool_test.go.

#[path = "common/procs.rs"]
mod procs;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::{Sender, unbounded};
use goruntime::runtime::{free_os_memory, goexit, set_gomaxprocs, sweep, yield_now};
use goruntime::spawn;
use goruntime::sync::{Arc, Pool};
use goruntime::time::sleep;

use self::procs::with_procs;

/// Says when it is dropped.
struct Tells(u32, Sender<u32>);

impl Drop for Tells {
    fn drop(&mut self) {
        // Nobody may listen any more.
        let _ = self.1.send(self.0);
    }
}

#[test]
fn what_was_put_comes_back_and_what_is_missing_is_made() {
    static POOL: Pool<String> = Pool::new(|| "new".to_owned());
    fn put_and_get() -> (Option<String>, Vec<String>, String, Vec<u32>) {
        let (nothing, mut made) = (POOL.try_get(), vec![POOL.get()]);
        POOL.put("a".to_owned());
        POOL.put("b".to_owned());
        made.extend([POOL.get(), POOL.get(), POOL.get()]);
        made.sort();
        for n in 0..100 {
            POOL.put(n.to_string());
        }
        let shown = format!("{POOL:?}");
        let mut back: Vec<u32> = std::iter::from_fn(|| POOL.try_get()).map(|text| text.parse().unwrap()).collect();
        back.sort();
        (nothing, made, shown, back)
    }
    with_procs(1, || {
        loop {
            let begun = Instant::now();
            let (nothing, made, shown, back) = put_and_get();
            // Slower than the caretaker, it may have lost some.
            if begun.elapsed() < Duration::from_millis(900) {
                assert_eq!((nothing, made), (None, ["a", "b", "new", "new"].map(str::to_owned).to_vec()));
                assert_eq!((shown.as_str(), back), ("Pool { idle: 100, .. }", (0..100).collect()));
                return;
            }
        }
    });
}

/// A sweep makes values old, the next one drops them; a value that is used in between starts anew.
#[test]
fn idle_values_go_with_the_second_sweep() {
    with_procs(1, || {
        let (tell, dropped) = unbounded();
        let pool = Pool::new(|| ());
        let tells = Pool::new({
            let tell = tell.clone();
            move || Tells(0, tell.clone())
        });
        pool.put(());
        tells.put(Tells(1, tell.clone()));
        tells.put(Tells(2, tell.clone()));
        sweep();
        // The caretaker may have swept at the same time.
        if let Some(used) = tells.try_get() {
            tells.put(used);
        }
        sweep();
        let first = dropped.recv().unwrap();
        sweep();
        let second = dropped.recv().unwrap();
        assert_eq!(first + second, 3);
        assert!(tells.try_get().is_none() && dropped.try_recv().is_err());
        free_os_memory();
        assert_eq!(pool.try_get(), None);
    });
}

/// Nobody sweeps but the runtime itself, on which the test only waits.
#[test]
fn the_runtime_drops_idle_values_by_itself() {
    with_procs(2, || {
        let (tell, dropped) = unbounded();
        let pool: Pool<Tells> = Pool::new(|| unreachable!("nothing is made"));
        for round in 0..2 {
            (0..3).for_each(|n| pool.put(Tells(n + round, tell.clone())));
            let mut gone: Vec<_> = dropped.iter().take(3).collect();
            gone.sort();
            assert_eq!(gone, [round, 1 + round, 2 + round]);
        }
        assert!(pool.try_get().is_none());
    });
}

#[test]
fn a_pool_that_ends_drops_its_values_and_nobody_else_does() {
    let (tell, dropped) = unbounded();
    let pool = Pool::new(|| ());
    pool.put(());
    let tells: Pool<Tells> = Pool::new(|| unreachable!("nothing is made"));
    (0..20).for_each(|n| tells.put(Tells(n, tell.clone())));
    drop((pool, tells, tell));
    // Ends when all senders are gone.
    assert_eq!(dropped.iter().count(), 20);
}

/// A destructor that panics stops neither the sweep nor the sweeper.
#[test]
fn a_destructor_may_panic() {
    struct Panics(Option<Tells>);
    impl Drop for Panics {
        fn drop(&mut self) {
            drop(self.0.take());
            std::panic::resume_unwind(Box::new(()));
        }
    }
    with_procs(1, || {
        let (tell, dropped) = unbounded();
        let pool: Pool<Panics> = Pool::new(|| unreachable!("nothing is made"));
        for round in 0..2 {
            (0..3).for_each(|n| pool.put(Panics(Some(Tells(n, tell.clone())))));
            if round == 1 {
                free_os_memory();
            }
            assert_eq!(dropped.iter().take(3).sum::<u32>(), 3);
        }
    });
}

/// Values with an owner's mark: two users at once would see it. The number of processors changes meanwhile, sweeps run, and goroutines move.
#[test]
fn a_value_has_one_user_at_a_time() {
    struct Value(AtomicUsize, Arc<AtomicUsize>);
    impl Drop for Value {
        fn drop(&mut self) {
            assert_eq!(self.0.load(Ordering::Relaxed), 0, "a value in use was dropped");
            self.1.fetch_sub(1, Ordering::Relaxed);
        }
    }
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let living = Arc::new(AtomicUsize::new(0));
            let pool = Arc::new(Pool::new({
                let living = living.clone();
                move || {
                    living.fetch_add(1, Ordering::Relaxed);
                    Value(AtomicUsize::new(0), living.clone())
                }
            }));
            let mut threads = Vec::new();
            let mut goroutines = Vec::new();
            for id in 1..=10 {
                let pool = pool.clone();
                let work = move || {
                    for round in 0..1_000 {
                        let mut values: Vec<_> = (0..1 + round % 20).map(|_| pool.get()).collect();
                        for value in &values {
                            assert_eq!(value.0.swap(id, Ordering::Relaxed), 0, "a value was given to two");
                        }
                        if round % 10 == 0 {
                            yield_now();
                        }
                        if round % 200 == 0 {
                            sweep();
                        }
                        values.iter().for_each(|value| assert_eq!(value.0.swap(0, Ordering::Relaxed), id));
                        values.drain(..).for_each(|value| pool.put(value));
                    }
                };
                if id < 9 { goroutines.push(spawn(work)) } else { threads.push(thread::spawn(work)) }
            }
            set_gomaxprocs(procs + 3);
            goroutines.into_iter().for_each(|one| one.join().unwrap());
            threads.into_iter().for_each(|one| one.join().unwrap());
            free_os_memory();
            assert!(pool.try_get().is_none());
            drop(pool);
            // The caretaker may be about to drop some.
            while living.load(Ordering::Relaxed) != 0 {
                goruntime::time::sleep(Duration::from_millis(1));
            }
        });
    }
}

/// Says that it is dropped, and then leaves by `.1`.
struct Leaves(Sender<u32>, fn());

impl Drop for Leaves {
    fn drop(&mut self) {
        // Nobody may listen any more.
        let _ = self.0.send(1);
        (self.1)();
    }
}

/// A destructor that leaves by a goexit ends itself only: neither others in the same sweep nor the goroutine that asked for it.
#[test]
fn a_goexit_of_a_destructor_ends_nothing_else() {
    with_procs(1, || {
        let (tx, rx) = unbounded();
        let pool: Pool<Leaves> = Pool::new(|| unreachable!("only what is put"));
        pool.put(Leaves(tx.clone(), || goexit()));
        pool.put(Leaves(tx, yield_now));
        let asks = spawn(move || {
            for _ in 0..2 {
                free_os_memory();
            }
            sleep(Duration::from_nanos(1));
            pool.try_get().is_none()
        });
        assert_eq!(rx.iter().count(), 2);
        assert!(asks.join().unwrap());
    });
}

/// A panic with a value that panics when it is dropped reaches nobody.
#[test]
fn the_payload_of_a_destructors_panic_is_not_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            unreachable!("the payload was dropped");
        }
    }
    with_procs(1, || {
        let (tx, rx) = unbounded();
        let pool: Pool<Leaves> = Pool::new(|| unreachable!("only what is put"));
        pool.put(Leaves(tx, || std::panic::panic_any(Bomb)));
        for _ in 0..2 {
            free_os_memory();
        }
        assert_eq!(rx.iter().count(), 1);
        assert!(pool.try_get().is_none());
    });
}
