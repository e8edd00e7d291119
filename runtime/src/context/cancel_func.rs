//! The rights to cancel a context, and to be called when it ends.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* CF1. A place in a tree's slab is given back by the one handle that was made for it, once.
//!
//! *Locks.* Those of `node`.
//!
//! *Go:* `CancelFunc`, `CancelCauseFunc`, `context.AfterFunc`.

use core::any::type_name;
use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, Ordering};
use std::error::Error;
use std::sync::Arc;

use crate::context::node::{Func, Node, end};
use crate::context::{Cause, Context, ContextError};
use crate::task::spawn::go_at;

/// The right to cancel a context. Clones share it.
///
/// When the last clone is dropped the context is cancelled: an activity that was forgotten would otherwise be told to stop by nobody, and its
/// parent would know it for ever. So keep it in a variable (`_cancel`; not `_`, which drops at once), or say [`detach`](CancelFunc::detach).
#[derive(Clone)]
#[must_use = "the context is cancelled when this is dropped"]
pub struct CancelFunc {
    guard: Arc<Guard>,
}

struct Guard {
    node: Arc<Node>,
    detached: AtomicBool,
}

impl CancelFunc {
    pub(super) fn new(context: &Context) -> CancelFunc {
        CancelFunc { guard: Arc::new(Guard { node: Arc::clone(&context.node), detached: AtomicBool::new(false) }) }
    }

    /// Cancels the context and everything made from it. When it returns all of that has ended; a second call changes nothing.
    ///
    /// # Blocking
    ///
    /// Does not wait for those who work under the context; only for another call that is about to end a part of it.
    pub fn cancel(&self) {
        end(&self.guard.node, ContextError::Canceled, None);
    }

    /// Gives the right up, for all clones, if they do not use it: the context ends with its parent, or at its deadline.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    ///
    /// let (ctx, cancel) = context::with_cancel(&context::background());
    /// cancel.detach();
    /// assert!(ctx.err().is_none());
    /// ```
    pub fn detach(self) {
        self.guard.detached.store(true, Ordering::Relaxed);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !*self.detached.get_mut() {
            end(&self.node, ContextError::Canceled, None);
        }
    }
}

impl fmt::Debug for CancelFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelFunc").finish_non_exhaustive()
    }
}

/// As [`CancelFunc`], with a cause. Dropping the last clone cancels without one.
#[derive(Clone, Debug)]
#[must_use = "the context is cancelled when this is dropped"]
pub struct CancelCauseFunc(pub(crate) CancelFunc);

impl CancelCauseFunc {
    /// Cancels the context and everything made from it, with `cause`: an error or a text. The first cause stays.
    ///
    /// # Blocking
    ///
    /// As [`CancelFunc::cancel`].
    pub fn cancel(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        end(&self.0.guard.node, ContextError::Canceled, Some(Cause::new(cause)));
    }

    /// As [`CancelFunc::detach`].
    pub fn detach(self) {
        self.0.detach();
    }
}

/// The right to keep a function from being called; see [`after_func`].
///
/// Unlike with a [`CancelFunc`], dropping it changes nothing: the function is called when the context ends, however long that takes. A
/// function that is of use only for a while wants a [`guard`](StopFunc::guard).
#[must_use = "dropping it does not take the function back: use `guard` for that, or `_ =` if it is to stay"]
pub struct StopFunc {
    used: AtomicBool,
    /// None if the function is never called, or was already.
    registered: Option<(Arc<Node>, usize)>,
}

/// Calls `f` in a goroutine of its own when the context has ended; at once, if it has.
///
/// A panic of `f` ends the program, as with [`go`](crate::go()). Until the context ends or the function is stopped the context is kept alive, and so is
/// `f` with all that it has captured: what works for a while under a context that lives for long keeps a [`StopGuard`] meanwhile.
///
/// # Blocking
///
/// Never waits.
///
/// # Examples
///
/// ```
/// use goruntime::{channel, context};
///
/// goruntime::run(|| {
///     let (ctx, cancel) = context::with_cancel(&context::background());
///     let (tx, rx) = channel::bounded(1);
///     _ = context::after_func(&ctx, move || tx.send("ended").unwrap());
///     let never = context::after_func(&ctx, || unreachable!());
///     assert!(never.stop());
///     cancel.cancel();
///     assert_eq!(rx.recv(), Ok("ended"));
/// });
/// ```
#[doc(alias = "AfterFunc")]
#[track_caller]
pub fn after_func<F: FnOnce() + Send + 'static>(ctx: &Context, f: F) -> StopFunc {
    let Some((node, tree)) = ctx.node.tree_node().zip(ctx.node.tree()) else {
        return StopFunc { used: AtomicBool::new(false), registered: None };
    };
    let func = Func { call: Box::new(f), creator: type_name::<F>, at: Location::caller(), node: Arc::clone(node) };
    match tree.register(func) {
        Ok(place) => StopFunc { used: AtomicBool::new(false), registered: Some((Arc::clone(node), place)) },
        Err(Func { call, creator, at, .. }) => {
            go_at(call, creator, at);
            StopFunc { used: AtomicBool::new(true), registered: None }
        }
    }
}

impl StopFunc {
    /// Keeps the function from being called. True if that was still possible; false if it was called (or stopped) before. Does not wait for
    /// a call that has begun.
    pub fn stop(&self) -> bool {
        if self.used.swap(true, Ordering::Relaxed) {
            return false;
        }
        let Some((node, place)) = &self.registered else { return true };
        // The function is dropped here, outside of the locks.
        node.tree().and_then(|tree| tree.unregister(*place)).is_some()
    }

    /// Makes a guard that [`stop`](StopFunc::stop)s when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    /// use std::sync::Arc;
    ///
    /// let (ctx, cancel) = context::with_cancel(&context::background());
    /// let resource = Arc::new(());
    /// let theirs = Arc::clone(&resource);
    /// {
    ///     let _guard = context::after_func(&ctx, move || drop(theirs)).guard();
    ///     assert_eq!(Arc::strong_count(&resource), 2);
    /// }
    /// assert_eq!(Arc::strong_count(&resource), 1);
    /// cancel.cancel();
    /// ```
    pub fn guard(self) -> StopGuard {
        StopGuard(self)
    }
}

/// Keeps a function registered for when a context ends; see [`StopFunc::guard`]. Dropping it takes the function back, if it has not been called.
///
/// A call that has begun is not waited for.
#[derive(Debug)]
#[must_use = "the function is taken back when this is dropped"]
pub struct StopGuard(StopFunc);

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl fmt::Debug for StopFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopFunc").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::channel::bounded;
    use crate::context::{after_func, background, with_cancel};

    #[test]
    fn a_guard_takes_back_what_was_not_called() {
        crate::run(|| {
            let (ctx, cancel) = with_cancel(&background());
            let (tx, rx) = bounded(2);
            let other = tx.clone();
            drop(after_func(&ctx, move || other.send("taken back").unwrap()).guard());
            let guard = after_func(&ctx, move || tx.send("called").unwrap()).guard();
            cancel.cancel();
            // The channel ends when neither function is left.
            assert_eq!(rx.iter().collect::<Vec<_>>(), ["called"]);
            drop(guard);
        });
    }
}
