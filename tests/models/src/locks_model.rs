//! Models of what waits for something to be done: `Once`, `WaitGroup` and `Semaphore`.
//!
//! *What.* The runtime's files as they are, on goroutines that are threads of the model. What is done is a cell: whoever goes on and does not see it is a
//! race; whoever is not woken, a deadlock.
//!
//! *Why here.* Each has a word that is looked at without its queue's lock.
//!
//! *Invariants.* ON1 and ON2 of `sync::once`, WG1 to WG3 of `sync::wait_group`, SM1 of `sync::semaphore`, PM1 and PM2 of `sync::permits`.
//!
//! *Locks.* The queue's of each, and the canceller's.
//!
//! *Go:* none.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::goroutines::{LIMIT, acquaint, ended_cancel, leaving, pass};
use crate::sync::cancel::{Bounds, Cancel};
use crate::sync::once::Once;
use crate::sync::semaphore::Semaphore;
use crate::sync::wait_group::WaitGroup;
use crate::{explore, explore_up_to};

/// Something that is to be done, and what is waited with.
struct World<T> {
    subject: T,
    cancel: Cancel,
    done: [UnsafeCell<u32>; 2],
}

// SAFETY: the cells are what the models are about; loom checks their accesses.
unsafe impl<T: Sync> Sync for World<T> {}

impl<T> World<T> {
    fn new(subject: T) -> Arc<World<T>> {
        let world = World { subject, cancel: Cancel::new(), done: [UnsafeCell::new(0), UnsafeCell::new(0)] };
        acquaint(&world.cancel);
        Arc::new(world)
    }

    fn act(&self, place: usize) {
        // SAFETY: as above.
        self.done[place].with_mut(|done| unsafe { *done += 1 });
    }

    fn seen(&self, place: usize) -> u32 {
        // SAFETY: as above.
        self.done[place].with(|done| unsafe { *done })
    }
}

fn beside<T: Send + Sync + 'static, R: 'static>(
    world: &Arc<World<T>>,
    body: fn(&World<T>) -> R,
) -> thread::JoinHandle<R> {
    let world = Arc::clone(world);
    thread::spawn(move || body(&world))
}

fn once() -> Arc<World<Once>> {
    let once = Once::new();
    // A run that leaves everything as it was, so that loom knows the words (H1 of the shim).
    let left = leaving(|| catch_unwind(AssertUnwindSafe(|| once.call_once(|| resume_unwind(Box::new(()))))));
    assert!(left.is_err() && !once.is_completed());
    World::new(once)
}

/// Fails with Relaxed in `is_completed` and in the look of `call`, both at a time, in `finish`, and if `finish` takes the waiters off without the lock or not at all.
#[test]
fn it_is_done_once_and_seen_by_all() {
    explore_up_to(1, || {
        let world = once();
        let call = |world: &World<Once>| {
            world.subject.call_once(|| world.act(0));
            assert_eq!(world.seen(0), 1);
        };
        let others = [beside(&world, call), beside(&world, call)];
        call(&world);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// Fails with Relaxed in `is_completed`, which is all that this one looks at, or in `finish`.
#[test]
fn who_sees_that_it_is_complete_sees_what_was_done() {
    explore(|| {
        let world = once();
        let other = beside(&world, |world| world.subject.call_once(|| world.act(0)));
        if world.subject.is_completed() {
            assert_eq!(world.seen(0), 1);
        }
        world.subject.wait();
        assert_eq!(world.seen(0), 1);
        other.join().unwrap();
    });
}

/// Fails with Relaxed in the compare-and-swap of `call`: what the first has done is seen by the second.
#[test]
fn who_comes_after_a_failure_sees_what_was_done() {
    explore(|| {
        let world = once();
        let other = beside(&world, |world| {
            let failing = || {
                world.act(0);
                resume_unwind(Box::new(()))
            };
            _ = catch_unwind(AssertUnwindSafe(|| world.subject.call_once_force(|_| failing())));
        });
        world.subject.call_once_force(|_| world.act(0));
        other.join().unwrap();
        assert!(world.subject.is_completed());
    });
}

fn group(count: i64) -> Arc<World<WaitGroup>> {
    let group = WaitGroup::new();
    group.add(count);
    let (nobody, at) = (ended_cancel(), Location::caller());
    // A wait that is over before it has begun, so that loom knows the words.
    assert!(!group.wait_within(Bounds { when: None, cancel: Some(&nobody) }, at));
    World::new(group)
}

fn end(world: &World<WaitGroup>, place: usize) {
    world.act(place);
    world.subject.done();
}

/// Fails with Relaxed, Acquire or Release in `add`, with Relaxed in `is_zero`, and if `release` resets the word without the lock.
#[test]
fn who_waits_sees_what_all_have_done() {
    explore(|| {
        let world = group(2);
        let others = [beside(&world, |world| end(world, 0)), beside(&world, |world| end(world, 1))];
        world.subject.wait();
        assert_eq!((world.seen(0), world.seen(1)), (1, 1));
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// Two who wait are both woken, and the group can be used again.
#[test]
fn all_who_wait_go_on() {
    explore_up_to(1, || {
        let world = group(1);
        let waiter = beside(&world, |world| {
            world.subject.wait();
            assert_eq!(world.seen(0), 1);
        });
        let last = beside(&world, |world| end(world, 0));
        world.subject.wait();
        assert_eq!(world.seen(0), 1);
        waiter.join().unwrap();
        last.join().unwrap();
        world.subject.add(1);
        end(&world, 1);
        world.subject.wait();
    });
}

/// Fails if `leave` does not look at the number of releases, if it counts out although the count is zero, and if it does not count out.
#[test]
fn a_waiter_that_gives_up_does_not_meet_the_release() {
    explore_up_to(1, || {
        let world = group(1);
        let last = beside(&world, |world| end(world, 0));
        let canceller = beside(&world, |world| world.cancel.end());
        let bounds = Bounds { when: None, cancel: Some(&world.cancel) };
        if world.subject.wait_within(bounds, Location::caller()) {
            assert_eq!(world.seen(0), 1);
        }
        last.join().unwrap();
        canceller.join().unwrap();
        assert_eq!(format!("{:?}", world.subject), "WaitGroup { count: 0, waiting: 0 }");
        world.subject.add(1);
        world.subject.done();
        world.subject.wait();
    });
}

/// The same with a time limit, whose timer may be firing as the waiter is released.
#[test]
fn a_wait_that_is_over_in_time_or_not() {
    explore_up_to(1, || {
        let world = group(1);
        let last = beside(&world, |world| end(world, 0));
        let time = beside(&world, |_| pass());
        let bounds = Bounds { when: Some(LIMIT), cancel: None };
        if world.subject.wait_within(bounds, Location::caller()) {
            assert_eq!(world.seen(0), 1);
        }
        last.join().unwrap();
        time.join().unwrap();
        assert_eq!(format!("{:?}", world.subject), "WaitGroup { count: 0, waiting: 0 }");
    });
}

/// All of its permits are taken; loom knows the words.
fn semaphore(count: usize) -> Arc<World<Semaphore>> {
    let semaphore = Semaphore::new(count);
    semaphore.acquire_many(count).forget();
    let (nobody, at) = (ended_cancel(), Location::caller());
    assert!(semaphore.acquire_within(1, Bounds { when: None, cancel: Some(&nobody) }, at).is_none());
    World::new(semaphore)
}

/// Fails if a permit is given to the queue and added as well, and with Relaxed in `try_take` or `give` of the permits.
#[test]
fn a_permit_has_one_holder() {
    explore_up_to(1, || {
        let world = semaphore(1);
        let work = |world: &World<Semaphore>| {
            let _permit = world.subject.acquire();
            world.act(0);
        };
        let others = [beside(&world, work), beside(&world, work)];
        world.act(0);
        world.subject.release(1);
        others.into_iter().for_each(|other| other.join().unwrap());
        let permit = world.subject.try_acquire().expect("nobody waits any more");
        assert_eq!((world.seen(0), world.subject.available()), (3, 0));
        drop(permit);
    });
}

/// Who wants two gives up, as one comes that another waits for behind it. Fails if who gives up does not `grant`.
#[test]
fn a_waiter_that_gives_up_is_in_nobodys_way() {
    explore_up_to(1, || {
        let world = semaphore(1);
        let large = beside(&world, |world| {
            let bounds = Bounds { when: None, cancel: Some(&world.cancel) };
            assert!(world.subject.acquire_within(2, bounds, Location::caller()).is_none());
        });
        let small = beside(&world, |world| drop(world.subject.acquire()));
        world.subject.release(1);
        world.cancel.end();
        large.join().unwrap();
        small.join().unwrap();
        assert_eq!(world.subject.available(), 1);
        assert!(world.subject.try_acquire().is_some(), "nobody waits any more");
    });
}
