//! Tasks give their stack back while they wait, and are goroutines all the same.
//!
//! Why here: beside the other futures.
//!
//! *Invariants*
//! - FU1.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use goruntime::channel::{self, bounded};
use goruntime::future::{self, spawn};
use goruntime::runtime;
use goruntime::sync::WaitGroup;
use goruntime::thread;

use crate::run;

/// Pending until somebody wakes it, once for each wait.
fn woken(wakers: channel::Sender<Waker>) -> impl Future<Output = ()> + Send {
    let mut is_first = true;
    poll_fn(move |cx| {
        if std::mem::take(&mut is_first) {
            wakers.send(cx.waker().clone()).unwrap();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
}

#[test]
#[cfg_attr(goruntime_tsan, ignore = "under thread sanitizer goroutines keep their stacks")]
fn pending_tasks_have_no_stacks() {
    const TASKS: usize = 20_000;
    run(|| {
        let (tx, rx) = channel::unbounded::<usize>();
        let polled = Arc::new(WaitGroup::new());
        polled.add(TASKS as i64);
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (rx, polled) = (rx.clone(), Arc::clone(&polled));
                spawn(async move {
                    let mut receive = Box::pin(rx.recv_async());
                    let mut is_first = true;
                    poll_fn(|cx| {
                        let outcome = receive.as_mut().poll(cx);
                        if std::mem::take(&mut is_first) {
                            polled.done();
                        }
                        outcome
                    })
                    .await
                    .unwrap()
                })
            })
            .collect();
        polled.wait();
        // The last to be polled may be on its stack still; other tests have theirs.
        assert!(runtime::mem_stats().stacks < TASKS / 2, "{:?}", runtime::mem_stats());
        for number in 0..TASKS {
            tx.send(number).unwrap();
        }
        let sum: usize = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, TASKS * (TASKS - 1) / 2);
    });
}

goruntime::goroutine_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn a_task_is_the_same_goroutine_after_each_wait() {
    run(|| {
        let (tx, wakers) = channel::unbounded();
        let task = spawn(async move {
            let id = thread::current().id();
            for round in 1..=100 {
                COUNT.with(|count| count.set(count.get() + 1));
                woken(tx.clone()).await;
                assert_eq!(thread::current().id(), id);
                assert_eq!(COUNT.with(Cell::get), round);
            }
        });
        for _ in 0..100 {
            wakers.recv().unwrap().wake();
        }
        task.join().unwrap();
    });
}

#[test]
fn a_task_that_has_locked_its_thread_stays_there() {
    run(|| {
        let (tx, wakers) = channel::unbounded();
        let task = spawn(async move {
            runtime::lock_os_thread();
            let home = std::thread::current().id();
            for _ in 0..100 {
                woken(tx.clone()).await;
                assert_eq!(std::thread::current().id(), home);
            }
            runtime::unlock_os_thread();
            woken(tx).await;
        });
        for _ in 0..101 {
            wakers.recv().unwrap().wake();
        }
        task.join().unwrap();
    });
}

#[test]
fn a_pending_task_is_listed_with_what_it_waits_for() {
    run(|| {
        let (tx, wakers) = channel::unbounded();
        let (tell, told) = bounded(1);
        let task = spawn(async move {
            tell.send(runtime::goid()).unwrap();
            woken(tx).await;
        });
        let (id, waker) = (told.recv().unwrap(), wakers.recv().unwrap());
        let is_listed = || {
            let mut list = Vec::new();
            goruntime::debug::write_goroutines(&mut list).unwrap();
            String::from_utf8(list).unwrap().contains(&format!("goroutine {id} [future]:\n"))
        };
        // Until its poll has returned it is shown as one that runs.
        while !is_listed() {
            runtime::yield_now();
        }
        waker.wake();
        task.join().unwrap();
    });
}

/// A wait inside of a poll is one with a stack, and the wake for the task that comes meanwhile is not lost.
#[test]
fn what_blocks_in_a_poll_goes_on_where_it_was() {
    run(|| {
        let (tx, wakers) = channel::unbounded();
        let (give, take) = bounded::<u32>(0);
        let task = spawn(async move {
            let mut sum = 0;
            for _ in 0..100 {
                let on_stack = [take.recv().unwrap(), take.recv().unwrap()];
                sum += on_stack.iter().sum::<u32>();
                woken(tx.clone()).await;
                sum += take.recv().unwrap();
            }
            sum
        });
        for _ in 0..100 {
            give.send(1).unwrap();
            give.send(10).unwrap();
            wakers.recv().unwrap().wake();
            give.send(100).unwrap();
        }
        assert_eq!(task.join().unwrap(), 11_100);
    });
}

/// What a task owns is dropped once, by itself, however it ends after a wait.
#[test]
fn a_task_that_ends_badly_after_a_wait_drops_its_future() {
    struct Shows(Arc<AtomicUsize>);
    impl Drop for Shows {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    fn ends(end: fn()) -> goruntime::JoinHandle<()> {
        let (tx, wakers) = channel::unbounded();
        let drops = Arc::new(AtomicUsize::new(0));
        let shows = Shows(Arc::clone(&drops));
        let task = spawn(async move {
            let _shows = shows;
            woken(tx).await;
            end();
        });
        wakers.recv().unwrap().wake();
        spawn(async move {
            let outcome = task.await;
            assert_eq!(drops.load(Ordering::SeqCst), 1);
            outcome.unwrap_or_else(|payload| std::panic::resume_unwind(payload));
        })
    }
    run(|| {
        ends(|| ()).join().unwrap();
        let payload = ends(|| panic!("after the wait")).join().unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "after the wait");
        assert!(ends(|| runtime::goexit()).join().unwrap_err().is::<goruntime::Goexit>());
    });
}

/// Goexit that user code has caught goes on at the next wait, which has no stack.
#[test]
fn a_caught_goexit_goes_on_when_the_task_waits() {
    run(|| {
        let task = spawn(async {
            let caught = std::panic::catch_unwind(|| runtime::goexit());
            assert!(caught.is_err());
            poll_fn::<(), _>(|_| Poll::Pending).await;
            unreachable!("the goexit ends the task at its wait");
        });
        assert!(task.join().unwrap_err().is::<goruntime::Goexit>());
    });
}

/// Wakes come from a plain thread while the task polls, gives its stack back, waits, and begins anew.
#[test]
fn no_wake_is_lost_whenever_it_comes() {
    const ROUNDS: usize = if cfg!(goruntime_tsan) { 500 } else { 20_000 };
    const TASKS: usize = 4;
    run(|| {
        let latest: Arc<[std::sync::Mutex<Option<Waker>>]> = (0..TASKS).map(|_| std::sync::Mutex::new(None)).collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..TASKS)
            .map(|index| {
                let latest = Arc::clone(&latest);
                let rounds = RefCell::new(0);
                spawn(poll_fn(move |cx| {
                    *latest[index].lock().unwrap() = Some(cx.waker().clone());
                    let mut rounds = rounds.borrow_mut();
                    *rounds += 1;
                    if *rounds == ROUNDS { Poll::Ready(()) } else { Poll::Pending }
                }))
            })
            .collect();
        let waker = std::thread::spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                while !is_over.load(Ordering::SeqCst) {
                    for slot in &*latest {
                        let waker = slot.lock().unwrap().take();
                        waker.into_iter().for_each(Waker::wake);
                    }
                }
            }
        });
        for task in tasks {
            task.join().unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        waker.join().unwrap();
    });
}

#[test]
fn a_forgotten_task_runs_to_its_end() {
    run(|| {
        let (tx, wakers) = channel::unbounded();
        let (tell, told) = bounded(1);
        future::go(async move {
            woken(tx).await;
            tell.send(7).unwrap();
        });
        wakers.recv().unwrap().wake();
        assert_eq!(told.recv(), Ok(7));
    });
}
