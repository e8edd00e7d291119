//! `go`, `spawn` and the builder.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* SO1, J1.
//!
//! *Locks.* None.
//!
//! *Go:* the `go` statement; `spawn` and `Builder` mirror `std::thread`.

use core::any::type_name;
use core::panic::Location;
use core::ptr::null_mut;
use std::io;
use std::sync::Arc;

use crate::coro::StackClass;
use crate::gmp::GPtr;
use crate::gmp::g::flag;
use crate::gmp::join_word::NO_HANDLE;
use crate::proc::newproc::{Spec, newproc};
use crate::proc::park::check_goexit;
use crate::proc::{boot, enter_preemptible};
use crate::sync::WaitGroup;
use crate::task::extra::Extra;
use crate::task::finish::{entry_go, entry_spawn};
use crate::task::join::JoinHandle;
use crate::task::slot::pack;

/// Starts a goroutine that runs `f`, and forgets it.
///
/// The goroutine runs as soon as a processor is free, and at the earliest when the caller parks, yields or has used up its time slice.
/// Closures of up to five words are stored without an allocation. Nobody can observe the end of the goroutine, nor its panic: a panic that
/// leaves `f` ends the program with exit status 2, as in Go. Use [`spawn`] for a result.
///
/// From a thread that is not a goroutine this works too; in a program without `#[goruntime::main]` the first call starts the runtime.
///
/// # Blocking
///
/// Does not wait for anything, but yields when the caller has used up its time slice of 10 ms.
///
/// # Examples
///
/// ```
/// let n = goruntime::run(|| {
///     let (tx, rx) = goruntime::channel::bounded(0);
///     goruntime::go(move || tx.send(42).unwrap());
///     rx.recv().unwrap()
/// });
/// assert_eq!(n, 42);
/// ```
#[inline]
#[track_caller]
pub fn go<F>(f: F)
where
    F: FnOnce() + Send + 'static,
{
    // SAFETY: the closure is 'static.
    unsafe { start_go(f, boot::default_stack_class(), null_mut(), type_name::<F>, Location::caller()) };
}

/// Starts a goroutine that runs `f`, and returns a handle for its result.
///
/// Dropping the handle detaches the goroutine. A panic of `f` belongs to whoever joins, as with `std::thread::spawn`. Closures and results of up to
/// five words are stored without an allocation.
///
/// # Examples
///
/// ```
/// let sum = goruntime::run(|| {
///     let halves = [goruntime::spawn(|| 20), goruntime::spawn(|| 22)];
///     halves.into_iter().map(|half| half.join().unwrap()).sum::<i32>()
/// });
/// assert_eq!(sum, 42);
/// ```
#[inline]
#[track_caller]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: closure and result are 'static.
    let gp = unsafe { start_joined(f, boot::default_stack_class(), null_mut(), 0, type_name::<F>, Location::caller()) };
    JoinHandle::new(gp)
}

impl WaitGroup {
    /// Starts a goroutine that this group counts: [`add`](WaitGroup::add)`(1)` before, [`done`](WaitGroup::done) when `f` has ended. See [`go`].
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::WaitGroup;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// static SUM: AtomicU32 = AtomicU32::new(0);
    /// goruntime::run(|| {
    ///     let group = WaitGroup::new();
    ///     for n in 1..=4 {
    ///         group.go(move || {
    ///             SUM.fetch_add(n, Ordering::Relaxed);
    ///         });
    ///     }
    ///     group.wait();
    /// });
    /// assert_eq!(SUM.load(Ordering::Relaxed), 10);
    /// ```
    #[track_caller]
    pub fn go<F>(&self, f: F)
    where
        F: FnOnce() + Send + 'static,
    {
        let activity = self.activity();
        let counted = move || {
            let _activity = activity;
            f();
        };
        // SAFETY: the closure is 'static.
        unsafe { start_go(counted, boot::default_stack_class(), null_mut(), type_name::<F>, Location::caller()) };
    }
}

/// As [`go`], for a closure that was given to the runtime at `at` before.
pub(crate) fn go_at(f: Box<dyn FnOnce() + Send>, creator: fn() -> &'static str, at: &'static Location<'static>) {
    // SAFETY: the closure is 'static.
    unsafe { start_go(f, boot::default_stack_class(), null_mut(), creator, at) };
}

/// Starts a goroutine without a handle.
///
/// # Safety
///
/// - What `f` borrows outlives the goroutine.
#[inline]
pub(crate) unsafe fn start_go<F: FnOnce() + Send>(
    f: F,
    stack_class: u8,
    extra: *mut (),
    creator: fn() -> &'static str,
    at: &'static Location<'static>,
) -> GPtr {
    check_goexit();
    let words = pack(f);
    let spec = Spec { entry: entry_go::<F>, flags: 0, join: NO_HANDLE, stack_class, extra, creator, created_at: at };
    let inside = enter_preemptible();
    // SAFETY: the words are what `entry_go::<F>` takes.
    unsafe { newproc(&inside, &spec, &words) }
}

/// Starts a goroutine with a handle.
///
/// # Safety
///
/// - What `f` and its result borrow outlives the goroutine and the handle.
#[inline]
pub(crate) unsafe fn start_joined<F: FnOnce() -> T + Send, T>(
    f: F,
    stack_class: u8,
    extra: *mut (),
    flags: u32,
    creator: fn() -> &'static str,
    at: &'static Location<'static>,
) -> GPtr {
    check_goexit();
    let words = pack(f);
    let spec = Spec {
        entry: entry_spawn::<F, T>,
        flags: flag::JOINED | flags,
        join: 0,
        stack_class,
        extra,
        creator,
        created_at: at,
    };
    let inside = enter_preemptible();
    // SAFETY: the words are what `entry_spawn::<F, T>` takes.
    unsafe { newproc(&inside, &spec, &words) }
}

/// Chooses a goroutine's name and stack size; mirrors `std::thread::Builder`.
///
/// # Examples
///
/// ```
/// let name = goruntime::run(|| {
///     let handle = goruntime::Builder::new()
///         .name("worker")
///         .stack_size(64 << 10)
///         .spawn(|| goruntime::thread::current().name().map(str::to_owned))
///         .unwrap();
///     handle.join().unwrap()
/// });
/// assert_eq!(name.as_deref(), Some("worker"));
/// ```
#[derive(Debug, Default, Clone)]
#[must_use = "a builder does nothing until `spawn` or `go` is called"]
pub struct Builder {
    pub(crate) name: Option<Arc<str>>,
    stack_size: Option<usize>,
}

impl Builder {
    /// Makes a builder with no name and the default stack size.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the goroutine, for dumps, panics and `thread::current().name()`.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into().into());
        self
    }

    /// Sets the stack size in bytes, rounded up to a power of two.
    ///
    /// The smallest is 16 KiB plus what a signal frame takes on this machine, rounded up; the largest 1 GiB.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts the goroutine and returns its handle; see [`spawn`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the stack size is out of range; the text says what is accepted.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let name = self.name.clone();
        let (class, extra) = self.prepare()?;
        // SAFETY: closure and result are 'static.
        let gp = unsafe { start_joined(f, class, extra, 0, type_name::<F>, Location::caller()) };
        Ok(JoinHandle::named(gp, name))
    }

    /// Starts the goroutine and forgets it; see [`go`].
    ///
    /// # Errors
    ///
    /// As for [`Builder::spawn`].
    #[track_caller]
    pub fn go<F>(self, f: F) -> io::Result<()>
    where
        F: FnOnce() + Send + 'static,
    {
        let (class, extra) = self.prepare()?;
        // SAFETY: the closure is 'static.
        unsafe { start_go(f, class, extra, type_name::<F>, Location::caller()) };
        Ok(())
    }

    /// Stack class and extra of the goroutine to be.
    pub(crate) fn prepare(self) -> io::Result<(u8, *mut ())> {
        let class = match self.stack_size {
            None => boot::default_stack_class(),
            Some(bytes) => {
                let class = StackClass::for_size(bytes)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error.to_string()))?;
                if class == StackClass::DEFAULT { 0 } else { class.log2() }
            }
        };
        let extra = match self.name {
            None => null_mut(),
            Some(name) => Extra { name: Some(name), ..Extra::default() }.into_raw(),
        };
        Ok((class, extra))
    }
}
