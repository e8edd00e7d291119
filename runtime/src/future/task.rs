//! Goroutines that run a future, and have a stack only while it is polled.
//!
//! *Why here.* Floor 8: starts goroutines and polls user code. The wait without a stack is `proc::park`'s and `proc::execute`'s.
//!
//! A pending future needs nothing of the stack that it was polled on. So the goroutine's first function puts the future back into the slot and
//! returns; when it is woken the goroutine begins anew, on the stack that its processor has used last. A thousand connections of an async
//! HTTP server then share the stack that is in the cache. What parks *inside* of a poll, a channel or a lock, keeps its stack as anywhere else.
//!
//! *Invariants.* WK1, WK2 of `proc::waker`; BO1, BO2 of `block_on`. FT1. While a task waits its box is in the slot, with a count of the unparker whose
//! permit is parked; nothing of the task is on a stack.
//!
//! *Locks.* None. *Go:* none.

use core::any::type_name;
use core::ops::ControlFlow;
use core::panic::Location;
use core::pin::Pin;
use core::ptr::null_mut;
use core::task::{Context, Poll};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::block_on::poll;
use crate::gmp::GPtr;
use crate::gmp::g::flag;
use crate::gmp::join_word::NO_HANDLE;
use crate::os::race;
use crate::proc::newproc::{Spec, newproc};
use crate::proc::park::{check_goexit, note_place, park_without_stack};
use crate::proc::waker::Waking;
use crate::proc::{Entered, boot, enter, enter_preemptible};
use crate::task::JoinHandle;
use crate::task::finish::{end_go, end_spawn, prepare_goexit};
use crate::task::slot;

/// Starts a goroutine that runs a future, and returns a handle for its value.
///
/// As `goruntime::spawn(|| block_on(future))` it may do all that a goroutine may, but while it is pending it has no stack: it takes a few hundred bytes
/// beside the future, and each poll begins on a stack that is warm. What the future calls may block; that wait is one with a stack.
/// Dropping the handle detaches the goroutine; it does not end the future.
///
/// # Blocking
///
/// As [`spawn`](crate::spawn()).
///
/// # Examples
///
/// ```
/// goruntime::run(|| {
///     let handle = goruntime::future::spawn(async { 6 * 7 });
///     assert_eq!(handle.join().unwrap(), 42);
/// });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn joined<F: Future<Output: Send + 'static> + Send + 'static>(
        task: Pin<Box<Task<F>>>,
        creator: fn() -> &'static str,
    ) -> GPtr {
        // SAFETY: the entry is that of such a task, whose future and output are 'static.
        unsafe { start(task, entry_spawn::<F>, flag::JOINED, 0, creator) }
    }
    JoinHandle::new(match is_large::<F>() {
        false => joined(Task::new(future), type_name::<F>),
        true => joined(Task::new(Box::pin(future)), type_name::<F>),
    })
}

/// Starts a goroutine that runs a future, as [`spawn`](crate::future::spawn()) does, and forgets it. A panic of the future ends the program, as with
/// [`go`](crate::go()).
///
/// # Blocking
///
/// As [`go`](crate::go()).
///
/// # Examples
///
/// ```
/// goruntime::run(|| {
///     let (tx, rx) = goruntime::channel::bounded(1);
///     goruntime::future::go(async move { tx.send(42).unwrap() });
///     assert_eq!(rx.recv(), Ok(42));
/// });
/// ```
#[track_caller]
pub fn go<F>(future: F)
where
    F: Future<Output: Send> + Send + 'static,
{
    fn forgotten<F: Future<Output: Send> + Send + 'static>(task: Pin<Box<Task<F>>>, creator: fn() -> &'static str) {
        // SAFETY: the entry is that of such a task, whose future is 'static.
        unsafe { start(task, entry_go::<F>, 0, NO_HANDLE, creator) };
    }
    match is_large::<F>() {
        false => forgotten(Task::new(future), type_name::<F>),
        true => forgotten(Task::new(Box::pin(future)), type_name::<F>),
    }
}

/// Whether a future goes to a box of its own at once: where nothing is optimised each move of it takes as much of the caller's stack.
const fn is_large<F>() -> bool {
    size_of::<F>() > 4096
}

/// Makes the goroutine; `first` is its first function, which takes the task out of the slot.
///
/// # Safety
///
/// - `first` is `entry_go::<F>` or `entry_spawn::<F>`, and flags and join word are those of such a goroutine.
unsafe fn start<F: Future>(
    task: Pin<Box<Task<F>>>,
    first: unsafe fn(GPtr),
    flags: u32,
    join: usize,
    creator: fn() -> &'static str,
) -> GPtr {
    check_goexit();
    let (stack_class, extra) = (boot::default_stack_class(), null_mut());
    let spec = Spec { entry: first, flags, join, stack_class, extra, creator, created_at: task.at };
    let words = slot::pack(task);
    let inside = enter_preemptible();
    // SAFETY: the words are what both functions take.
    unsafe { newproc(&inside, &spec, &words) }
}

/// First function of a task without a handle, and of what is left of it after each wait.
///
/// # Safety
///
/// - The slot holds a task of `F`.
unsafe fn entry_go<F: Future>(gp: GPtr) {
    // SAFETY: the caller says so.
    let task = unsafe { take::<F>(gp) };
    // The value is dropped where its panic is the goroutine's.
    match catch_unwind(AssertUnwindSafe(|| task.run().map_break(drop))) {
        // SAFETY: this is the goroutine's first function.
        Ok(ControlFlow::Continue(task)) => unsafe { put_away(gp, task, entry_go::<F>) },
        Ok(ControlFlow::Break(())) => end_go(gp, Ok(())),
        Err(payload) => end_go(gp, Err(payload)),
    }
}

/// The same of a task with a handle.
///
/// # Safety
///
/// - The slot holds a task of `F`, and the handle reads a `thread::Result<F::Output>`.
unsafe fn entry_spawn<F: Future>(gp: GPtr) {
    // SAFETY: the caller says so.
    let task = unsafe { take::<F>(gp) };
    prepare_goexit::<F::Output>(gp);
    match catch_unwind(AssertUnwindSafe(|| task.run())) {
        // SAFETY: this is the goroutine's first function.
        Ok(ControlFlow::Continue(task)) => unsafe { put_away(gp, task, entry_spawn::<F>) },
        Ok(ControlFlow::Break(value)) => end_spawn(gp, Ok(value)),
        Err(payload) => end_spawn::<F::Output>(gp, Err(payload)),
    }
}

/// The task goes on, or starts. Leaves the runtime for it.
///
/// # Safety
///
/// - The slot holds a task of `F`, and this is the goroutine's first function.
unsafe fn take<F>(gp: GPtr) -> Pin<Box<Task<F>>> {
    // SAFETY: the slot holds a packed task of `F`, says the caller, and nobody else takes it.
    let task: Pin<Box<Task<F>>> = unsafe { slot::take(gp.slot.get()) };
    if let Some(waking) = &task.waking {
        waking.unparker.go_on();
    }
    drop(Entered::adopt());
    task
}

/// The goroutine waits without a stack (FT1).
///
/// # Safety
///
/// - The caller is its first function, `again`, and returns at once.
unsafe fn put_away<F: Future>(gp: GPtr, mut task: Pin<Box<Task<F>>>, again: unsafe fn(GPtr)) {
    let inside = enter();
    let park = task.as_mut().parts().0.unparker.park();
    // SAFETY: the slot has been empty since `take`.
    unsafe { slot::put(gp.slot.get(), slot::pack(task)) };
    // SAFETY: the caller is the first function, and the slot holds what `again` takes.
    unsafe { park_without_stack(inside, again, park) };
}

/// A future that a goroutine runs.
struct Task<F> {
    /// From the first poll on.
    waking: Option<Waking>,
    at: &'static Location<'static>,
    future: F,
}

/// The value, or a task that waits.
type Outcome<F> = ControlFlow<<F as Future>::Output, Pin<Box<Task<F>>>>;

impl<F: Future> Task<F> {
    #[track_caller]
    fn new(future: F) -> Pin<Box<Task<F>>> {
        Box::pin(Task { waking: None, at: Location::caller(), future })
    }

    /// Polls until there is a value, or nobody has woken the task meanwhile.
    fn run(mut self: Pin<Box<Self>>) -> Outcome<F> {
        loop {
            if let Poll::Ready(value) = self.as_mut().poll() {
                return ControlFlow::Break(value);
            }
            check_goexit();
            let inside = enter_preemptible();
            note_place(&inside, self.at);
            let unparker = &self.as_mut().parts().0.unparker;
            if race::KEEPS_STACKS {
                unparker.wait(&inside);
            } else if !unparker.was_woken(&inside) {
                return ControlFlow::Continue(self);
            }
        }
    }

    fn poll(self: Pin<&mut Self>) -> Poll<F::Output> {
        let (waking, future) = self.parts();
        poll(future, &mut Context::from_waker(&waking.waker))
    }

    fn parts(self: Pin<&mut Self>) -> (&Waking, Pin<&mut F>) {
        // SAFETY: nothing but the future needs to stay where it is, and that is not moved.
        let task = unsafe { self.get_unchecked_mut() };
        let waking = task.waking.get_or_insert_with(Waking::new);
        // SAFETY: the task was pinned, and so is the future in it.
        (waking, unsafe { Pin::new_unchecked(&mut task.future) })
    }
}
