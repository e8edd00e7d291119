//! The operations that give up when a context ends.
//!
//! *Why here.* Floor 8: the public shell of the waits that `sync::cancel` can end.
//!
//! Each looks at the context first, and then waits with the context's `Cancel` as a bound: parked once, without a helper goroutine.
//!
//! *Invariants.* CT3: a wait that was cancelled finds the cause.
//!
//! *Locks.* None.
//!
//! *Go:* a `select` with `<-ctx.Done()`, written out each time.

use core::panic::Location;
use std::sync::LockResult;
use std::thread;

use crate::channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender};
use crate::context::{Cause, Context, RecvCtxError, SendCtxError};
use crate::gmp::WaitReason;
use crate::proc::enter_preemptible;
use crate::proc::park::{check_goexit, note_place};
use crate::sync::cancel::{Bounds, Ending, park_for};
use crate::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit, WaitGroup, sudog};
use crate::task::JoinHandle;
use crate::time::{self, Duration};

impl Context {
    /// The cause of an end that was just noticed.
    fn ended(&self) -> Cause {
        self.cause().expect("a context that ends has its cause first")
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds { when: None, cancel: self.signal() }
    }
}

impl<T> Receiver<T> {
    /// As [`Receiver::recv`], until the context ends.
    ///
    /// # Blocking
    ///
    /// As [`Receiver::recv`], and until the context ends. On a context that has ended it returns at once, and receives nothing.
    ///
    /// # Errors
    ///
    /// [`RecvCtxError`]: `Canceled` with the cause, or `Disconnected` if the channel is empty, and closed or without senders.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context::{self, RecvCtxError};
    /// use goruntime::time::Duration;
    ///
    /// let (_tx, rx) = goruntime::channel::bounded::<i32>(0);
    /// let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(1));
    /// let error = rx.recv_ctx(&ctx).unwrap_err();
    /// assert_eq!(error.to_string(), "context deadline exceeded");
    /// ```
    #[track_caller]
    pub fn recv_ctx(&self, ctx: &Context) -> Result<T, RecvCtxError> {
        let Some(cancel) = ctx.signal() else { return self.recv().map_err(|_| RecvCtxError::Disconnected) };
        if let Some(cause) = ctx.cause() {
            return Err(RecvCtxError::Canceled(cause));
        }
        self.recv_within(cancel, Location::caller()).map_err(|error| match error {
            RecvTimeoutError::Timeout => RecvCtxError::Canceled(ctx.ended()),
            RecvTimeoutError::Disconnected => RecvCtxError::Disconnected,
        })
    }
}

impl<T> Sender<T> {
    /// As [`Sender::send`], until the context ends.
    ///
    /// # Blocking
    ///
    /// As [`Sender::send`], and until the context ends. On a context that has ended it returns at once, and sends nothing.
    ///
    /// # Errors
    ///
    /// [`SendCtxError`] with the value: `Canceled`, also with the cause, or `Disconnected` if the channel is closed or all receivers are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    ///
    /// let (tx, _rx) = goruntime::channel::bounded(1);
    /// let (ctx, cancel) = context::with_cancel(&context::background());
    /// assert!(tx.send_ctx(1, &ctx).is_ok());
    /// cancel.cancel();
    /// assert_eq!(tx.send_ctx(2, &ctx).unwrap_err().into_inner(), 2);
    /// ```
    #[track_caller]
    pub fn send_ctx(&self, value: T, ctx: &Context) -> Result<(), SendCtxError<T>> {
        let Some(cancel) = ctx.signal() else { return self.send(value).map_err(|e| SendCtxError::Disconnected(e.0)) };
        if let Some(cause) = ctx.cause() {
            return Err(SendCtxError::Canceled(value, cause));
        }
        self.send_within(value, cancel, Location::caller()).map_err(|error| match error {
            SendTimeoutError::Timeout(value) => SendCtxError::Canceled(value, ctx.ended()),
            SendTimeoutError::Disconnected(value) => SendCtxError::Disconnected(value),
        })
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As [`Mutex::lock`], until the context ends.
    ///
    /// # Blocking
    ///
    /// As [`Mutex::lock`], and until the context ends. On a context that has ended it returns at once, even if the mutex is free.
    ///
    /// # Errors
    ///
    /// The cause, if the context ends first. The inner result is that of [`Mutex::lock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    /// use goruntime::sync::Mutex;
    /// use goruntime::time::Duration;
    ///
    /// let mutex = Mutex::new(1);
    /// let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(1));
    /// let held = mutex.lock().unwrap();
    /// assert_eq!(mutex.lock_ctx(&ctx).unwrap_err().to_string(), "context deadline exceeded");
    /// drop(held);
    /// assert_eq!(*mutex.lock_ctx(&context::background()).unwrap().unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn lock_ctx(&self, ctx: &Context) -> Result<LockResult<MutexGuard<'_, T>>, Cause> {
        let Some(cancel) = ctx.signal() else { return Ok(self.lock()) };
        if let Some(cause) = ctx.cause() {
            return Err(cause);
        }
        self.lock_within(cancel, Location::caller()).ok_or_else(|| ctx.ended())
    }
}

impl WaitGroup {
    /// As [`WaitGroup::wait`], until the context ends.
    ///
    /// # Blocking
    ///
    /// As [`WaitGroup::wait`], and until the context ends. On a context that has ended it returns at once, even if nothing is to be waited for.
    ///
    /// # Errors
    ///
    /// The cause, if the context ends first.
    ///
    /// # Panics
    ///
    /// As [`WaitGroup::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    /// use goruntime::sync::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let (ctx, cancel) = context::with_cancel(&context::background());
    /// assert!(group.wait_ctx(&ctx).is_ok());
    /// cancel.cancel();
    /// assert!(group.wait_ctx(&ctx).is_err());
    /// ```
    #[track_caller]
    pub fn wait_ctx(&self, ctx: &Context) -> Result<(), Cause> {
        match ctx.cause() {
            Some(cause) => Err(cause),
            None if self.wait_within(ctx.bounds(), Location::caller()) => Ok(()),
            None => Err(ctx.ended()),
        }
    }
}

impl Semaphore {
    /// As [`Semaphore::acquire`], until the context ends.
    ///
    /// # Blocking
    ///
    /// As [`Semaphore::acquire`], and until the context ends. On a context that has ended it returns at once, even if permits are free.
    ///
    /// # Errors
    ///
    /// The cause, if the context ends first.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    /// use goruntime::sync::Semaphore;
    /// use goruntime::time::Duration;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(1));
    /// let permit = semaphore.acquire_ctx(&context::background()).unwrap();
    /// assert_eq!(semaphore.acquire_ctx(&ctx).unwrap_err().to_string(), "context deadline exceeded");
    /// drop(permit);
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    #[track_caller]
    pub fn acquire_ctx(&self, ctx: &Context) -> Result<SemaphorePermit<'_>, Cause> {
        self.acquire_many_ctx(1, ctx)
    }

    /// As [`Semaphore::acquire_many`], until the context ends.
    ///
    /// # Blocking
    ///
    /// As [`Semaphore::acquire_ctx`].
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire_ctx`].
    #[track_caller]
    pub fn acquire_many_ctx(&self, count: usize, ctx: &Context) -> Result<SemaphorePermit<'_>, Cause> {
        if let Some(cause) = ctx.cause() {
            return Err(cause);
        }
        self.acquire_within(count, ctx.bounds(), Location::caller()).ok_or_else(|| ctx.ended())
    }
}

impl<T> JoinHandle<T> {
    /// As [`JoinHandle::join`], until the context ends.
    ///
    /// # Blocking
    ///
    /// As [`JoinHandle::join`], and until the context ends. On a context that has ended it returns at once, even if the goroutine has ended.
    ///
    /// # Errors
    ///
    /// The handle and the cause, if the context ends first; the goroutine goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    ///
    /// goruntime::run(|| {
    ///     let (tx, rx) = goruntime::channel::bounded::<i32>(0);
    ///     let handle = goruntime::spawn(move || rx.recv().unwrap());
    ///     let (ctx, cancel) = context::with_cancel(&context::background());
    ///     cancel.cancel();
    ///     let (handle, cause) = handle.join_ctx(&ctx).unwrap_err();
    ///     assert_eq!(cause.to_string(), "context canceled");
    ///     tx.send(5).unwrap();
    ///     assert_eq!(handle.join().unwrap(), 5);
    /// });
    /// ```
    #[track_caller]
    pub fn join_ctx(mut self, ctx: &Context) -> Result<thread::Result<T>, (JoinHandle<T>, Cause)> {
        match ctx.cause() {
            Some(cause) => Err((self, cause)),
            None if self.wait_within(ctx.bounds(), Location::caller()) => Ok(self.join()),
            None => Err((self, ctx.ended())),
        }
    }
}

/// `time::sleep_ctx`.
pub(crate) fn sleep_ctx(duration: Duration, ctx: &Context, at: &'static Location<'static>) -> Result<(), Cause> {
    if let Some(cause) = ctx.cause() {
        return Err(cause);
    }
    let Some(cancel) = ctx.signal() else {
        time::sleep_from(duration, at);
        return Ok(());
    };
    if duration.is_zero() {
        return Ok(());
    }
    check_goexit();
    let inside = enter_preemptible();
    note_place(&inside, at);
    let bounds = Bounds { when: sudog::deadline(duration), cancel: Some(cancel) };
    match park_for(&inside, bounds, WaitReason::Sleep) {
        Ending::Cancelled => Err(ctx.ended()),
        Ending::TimedOut | Ending::Served => Ok(()),
    }
}
