//! What a wait for a future allocates: one waker for all of it, and nothing for a poll.
//!
//! Why here: an allocator is the whole program's, so this is a binary of its own, with one test: nobody else allocates meanwhile.
//!
//! *Invariants*
//! - AL1. What is counted is done before and after by the same goroutines, so that their stacks and threads are there.
//!
//! *Locks*: none.
//!
//! *Go:* `testing.AllocsPerRun`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};

use goruntime::channel::{Receiver, Sender, bounded};
use goruntime::future::block_on;

/// Counts allocations, of all threads.
struct Counting(AtomicU64);

#[global_allocator]
static ALLOCATOR: Counting = Counting(AtomicU64::new(0));

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from the system's allocator, and the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

fn allocations() -> u64 {
    ALLOCATOR.0.load(Ordering::SeqCst)
}

/// Parks `times` times, each time until the other goroutine calls the waker; returns how much was allocated from the first poll on.
fn wait(wakers: &Sender<Waker>, times: u64) -> u64 {
    let (mut polls, mut before) = (0, 0);
    block_on(poll_fn(|cx| {
        if polls == 0 {
            before = allocations();
        }
        polls += 1;
        if polls > times {
            return Poll::Ready(allocations() - before);
        }
        wakers.send(cx.waker().clone()).unwrap();
        Poll::Pending
    }))
}

fn wake_all(wakers: &Receiver<Waker>) {
    wakers.iter().for_each(Waker::wake);
}

#[test]
fn polls_and_wakes_allocate_nothing_and_a_wait_one_waker() {
    goruntime::run(|| {
        let (tx, rx) = bounded(1);
        let waking = goruntime::spawn(move || wake_all(&rx));
        wait(&tx, 10);
        // A thread that is started by the runtime meanwhile allocates: most of many tries see none.
        let fewest = (0..20).map(|_| wait(&tx, 100)).min();
        assert_eq!(fewest, Some(0));
        let fewest = (0..20)
            .map(|_| {
                let before = allocations();
                (0..10).for_each(|_| _ = wait(&tx, 1));
                allocations() - before
            })
            .min();
        assert_eq!(fewest, Some(10), "one waker a wait");
        drop(tx);
        waking.join().unwrap();

        // A channel's buffer serves a task without a ticket as long as it need not wait.
        let (tx, rx) = bounded(4);
        let fewest = (0..20)
            .map(|_| {
                let before = allocations();
                block_on(async {
                    for n in 0..4 {
                        tx.send_async(n).await.unwrap();
                    }
                    for n in 0..4 {
                        assert_eq!(rx.recv_async().await, Ok(n));
                    }
                });
                allocations() - before
            })
            .min();
        assert_eq!(fewest, Some(1), "the waker of the wait");
    });
}
