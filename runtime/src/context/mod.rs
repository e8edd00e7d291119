//! Contexts: telling a tree of activities to stop, when, and why.
//!
//! A [`Context`] is handed down from caller to callee and from goroutine to goroutine. It ends when it is cancelled, when its deadline passes, or when its parent
//! ends; then everything made from it has ended, too. Who works under a context looks at [`Context::err`], waits for [`Context::done`] in a `select!`, or
//! uses operations that give up by themselves: [`Receiver::recv_ctx`], [`Sender::send_ctx`], [`Mutex::lock_ctx`], [`WaitGroup::wait_ctx`],
//! [`JoinHandle::join_ctx`], [`time::sleep_ctx`]. [`scope`] runs goroutines under a context that ends with the first failure.
//!
//! What an operation with a context does when both have happened: it looks at the context first, so on a context that has ended nothing is
//! done, and the cause is returned at once. While it waits, what comes first counts.
//!
//! The names are Go's; the ends of a context are [`ContextError`] and [`Cause`]. Unlike in Go, dropping the last [`CancelFunc`] cancels.
//!
//! # Examples
//!
//! ```
//! use goruntime::context::{self, ContextError};
//! use goruntime::{channel, spawn};
//!
//! goruntime::run(|| {
//!     let (ctx, cancel) = context::with_cancel(&context::background());
//!     let (tx, rx) = channel::bounded(0);
//!     let worker = spawn(move || {
//!         let mut sum = 0;
//!         while let Ok(number) = rx.recv_ctx(&ctx) {
//!             sum += number;
//!         }
//!         (sum, ctx.err())
//!     });
//!     (1..=3).for_each(|number| tx.send(number).unwrap());
//!     cancel.cancel();
//!     assert_eq!(worker.join().unwrap(), (6, Some(ContextError::Canceled)));
//! });
//! ```
//!
//! [`Receiver::recv_ctx`]: crate::channel::Receiver::recv_ctx
//! [`Sender::send_ctx`]: crate::channel::Sender::send_ctx
//! [`Mutex::lock_ctx`]: crate::sync::Mutex::lock_ctx
//! [`WaitGroup::wait_ctx`]: crate::sync::WaitGroup::wait_ctx
//! [`JoinHandle::join_ctx`]: crate::JoinHandle::join_ctx
//! [`time::sleep_ctx`]: crate::time::sleep_ctx

// *Why here.* Floor 8: deadlines and functions start goroutines, and so does a scope. What parks is `sync::cancel`, on floor 7.
//
// *Invariants.* CT1-CT5 of `node`, CA1-CA4 of `sync::cancel`. *Locks.* See `node`. *Go:* package context.

mod cancel_func;
mod error;
mod node;
mod ops;
mod scope;
mod slab;

use core::any::{Any, TypeId, type_name};
use core::convert::Infallible;
use core::fmt;
use std::error::Error;
use std::sync::{Arc, OnceLock};

use crate::channel::{Receiver, never};
use crate::sync::cancel::Cancel;
use crate::time::{self, Duration, Instant};

pub use self::cancel_func::{CancelCauseFunc, CancelFunc, StopFunc, StopGuard, after_func};
pub use self::error::{Cause, ContextError, RecvCtxError, SendCtxError};
pub(crate) use self::ops::sleep_ctx;
pub use self::scope::{Scope, scope};

use self::node::{Kind, Node, Outcome, Value, end};

/// What an activity is told by those who started it: when to stop, and values. Clones are the same context, and cheap.
///
/// Shows itself as Go's do: `context.Background.WithCancel`.
#[derive(Clone)]
pub struct Context {
    node: Arc<Node>,
}

/// The context that never ends and has no values: the root of all others.
///
/// # Examples
///
/// ```
/// let ctx = goruntime::context::background();
/// assert!(ctx.err().is_none() && ctx.deadline().is_none());
/// ```
pub fn background() -> Context {
    static BACKGROUND: OnceLock<Context> = OnceLock::new();
    BACKGROUND.get_or_init(|| Context { node: Node::plain(None, Kind::Background) }).clone()
}

/// As [`background`], for a place that has no context yet but is to have one.
pub fn todo() -> Context {
    static UNDECIDED: OnceLock<Context> = OnceLock::new();
    UNDECIDED.get_or_init(|| Context { node: Node::plain(None, Kind::Todo) }).clone()
}

/// Makes a context that ends when it is cancelled, or with its parent.
///
/// It has ended from the beginning if the parent has.
///
/// # Examples
///
/// ```
/// use goruntime::context::{self, ContextError};
///
/// let (ctx, cancel) = context::with_cancel(&context::background());
/// let (child, _cancel_child) = context::with_cancel(&ctx);
/// cancel.cancel();
/// assert_eq!(child.err(), Some(ContextError::Canceled));
/// ```
pub fn with_cancel(parent: &Context) -> (Context, CancelFunc) {
    let context = Context { node: Node::with_tree(&parent.node, None) };
    let cancel = CancelFunc::new(&context);
    (context, cancel)
}

/// As [`with_cancel`], with a function that takes the cause.
///
/// # Examples
///
/// ```
/// use goruntime::context::{self, ContextError};
///
/// let (ctx, cancel) = context::with_cancel_cause(&context::background());
/// cancel.cancel("out of cheese");
/// assert_eq!(ctx.err(), Some(ContextError::Canceled));
/// assert_eq!(ctx.cause().unwrap().to_string(), "out of cheese");
/// ```
pub fn with_cancel_cause(parent: &Context) -> (Context, CancelCauseFunc) {
    let (context, cancel) = with_cancel(parent);
    (context, CancelCauseFunc(cancel))
}

/// Makes a context that ends at `deadline` at the latest; at once, if that has passed.
///
/// If the parent's deadline is earlier, that one counts. The timer goes when the context ends.
///
/// # Examples
///
/// ```
/// use goruntime::context::{self, ContextError};
/// use goruntime::time::Instant;
///
/// let (ctx, _cancel) = context::with_deadline(&context::background(), Instant::now());
/// assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
/// ```
#[track_caller]
pub fn with_deadline(parent: &Context, deadline: Instant) -> (Context, CancelFunc) {
    until(parent, Some(deadline), None)
}

/// As [`with_deadline`], with the cause that the context has if its own deadline ends it.
#[track_caller]
pub fn with_deadline_cause(
    parent: &Context,
    deadline: Instant,
    cause: impl Into<Box<dyn Error + Send + Sync>>,
) -> (Context, CancelFunc) {
    until(parent, Some(deadline), Some(Cause::new(cause)))
}

/// As [`with_deadline`], in `timeout` from now.
///
/// # Examples
///
/// ```
/// use goruntime::context::{self, ContextError};
/// use goruntime::time::Duration;
///
/// goruntime::run(|| {
///     let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(1));
///     assert!(ctx.done().recv().is_err());
///     assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
/// });
/// ```
#[track_caller]
pub fn with_timeout(parent: &Context, timeout: Duration) -> (Context, CancelFunc) {
    until(parent, Instant::now().checked_add(timeout), None)
}

/// As [`with_timeout`], with the cause that the context has if its own time ends it.
///
/// # Examples
///
/// ```
/// use goruntime::context;
/// use goruntime::time::Duration;
///
/// let (ctx, _cancel) = context::with_timeout_cause(&context::background(), Duration::ZERO, "the lookup was too slow");
/// assert_eq!(ctx.cause().unwrap().to_string(), "the lookup was too slow");
/// ```
#[track_caller]
pub fn with_timeout_cause(
    parent: &Context,
    timeout: Duration,
    cause: impl Into<Box<dyn Error + Send + Sync>>,
) -> (Context, CancelFunc) {
    until(parent, Instant::now().checked_add(timeout), Some(Cause::new(cause)))
}

/// A deadline that cannot be told is none.
#[track_caller]
fn until(parent: &Context, deadline: Option<Instant>, cause: Option<Cause>) -> (Context, CancelFunc) {
    let node = Node::with_tree(&parent.node, deadline);
    let context = Context { node };
    let cancel = CancelFunc::new(&context);
    let Some(tree) = context.node.tree().filter(|tree| tree.own_deadline && tree.outcome().is_none()) else {
        return (context, cancel);
    };
    let left = deadline.map_or(Duration::ZERO, |deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_zero() {
        end(&context.node, ContextError::DeadlineExceeded, cause);
    } else {
        // Weak: a context that nobody has any more need not end.
        let node = Arc::downgrade(&context.node);
        tree.keep_timer(time::after_func(left, move || {
            if let Some(node) = node.upgrade() {
                end(&node, ContextError::DeadlineExceeded, cause.clone());
            }
        }));
    }
    (context, cancel)
}

/// Makes a context with one more value. It ends with its parent.
///
/// The key is the type: give each kind of value a type of its own. A context has one value of a type, the nearest one.
///
/// # Examples
///
/// ```
/// use goruntime::context;
///
/// struct RequestId(u64);
///
/// let ctx = context::with_value(&context::background(), RequestId(7));
/// assert_eq!(ctx.value::<RequestId>().map(|id| id.0), Some(7));
/// assert!(ctx.value::<String>().is_none());
/// ```
pub fn with_value<T: Any + Send + Sync>(parent: &Context, value: T) -> Context {
    let value = Value { key: TypeId::of::<T>(), name: type_name::<T>(), value: Box::new(value) };
    Context { node: Node::plain(Some(Arc::clone(&parent.node)), Kind::Value(value)) }
}

/// Makes a context with the values of its parent that does not end with it, and has no deadline.
///
/// # Examples
///
/// ```
/// use goruntime::context;
///
/// let (parent, cancel) = context::with_cancel(&context::background());
/// let ctx = context::without_cancel(&context::with_value(&parent, 7));
/// cancel.cancel();
/// assert_eq!((ctx.err(), ctx.value::<i32>()), (None, Some(&7)));
/// ```
pub fn without_cancel(parent: &Context) -> Context {
    Context { node: Node::plain(Some(Arc::clone(&parent.node)), Kind::WithoutCancel) }
}

impl Context {
    /// The channel that is closed when the context ends, for `select!`; nothing is ever sent on it.
    ///
    /// Who keeps a clone of the channel keeps the context as well: when the last handle of a context and of those below it is dropped, nothing can end
    /// it any more, and the channel is closed.
    ///
    /// If the context cannot end it is that of [`never`](never()). To wait for one thing within a context, a `_ctx` operation is cheaper.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::TryRecvError;
    /// use goruntime::context;
    ///
    /// let (ctx, cancel) = context::with_cancel(&context::background());
    /// assert_eq!(ctx.done().try_recv(), Err(TryRecvError::Empty));
    /// cancel.cancel();
    /// assert_eq!(ctx.done().try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[doc(alias = "Done")]
    pub fn done(&self) -> &Receiver<Infallible> {
        static NEVER: OnceLock<Receiver<Infallible>> = OnceLock::new();
        match self.node.tree() {
            Some(tree) => tree.done(),
            None => NEVER.get_or_init(never),
        }
    }

    /// How the context has ended; `None` if it has not.
    #[doc(alias = "Err")]
    pub fn err(&self) -> Option<ContextError> {
        self.outcome().map(|outcome| outcome.error)
    }

    /// Why the context has ended: the first cause that it, or whoever above it ended it, was given. `None` if it has not ended.
    #[doc(alias = "Cause")]
    pub fn cause(&self) -> Option<Cause> {
        self.outcome().map(|outcome| outcome.cause.clone())
    }

    /// When the context will end at the latest, if that is known.
    #[doc(alias = "Deadline")]
    pub fn deadline(&self) -> Option<Instant> {
        self.node.tree()?.deadline
    }

    /// The nearest value of a type; see [`with_value`].
    #[doc(alias = "Value")]
    pub fn value<T: Any + Send + Sync>(&self) -> Option<&T> {
        let key = TypeId::of::<T>();
        let mut node = Some(&*self.node);
        while let Some(here) = node {
            match &here.kind {
                Kind::Value(value) if value.key == key => return value.value.downcast_ref(),
                _ => node = here.parent.as_deref(),
            }
        }
        None
    }

    fn outcome(&self) -> Option<&Arc<Outcome>> {
        self.node.tree()?.outcome()
    }

    /// What waits can be ended by; None if the context cannot end.
    fn signal(&self) -> Option<&Cancel> {
        self.node.tree().map(|tree| &tree.cancel)
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = vec![&*self.node];
        while let Some(parent) = chain.last().and_then(|node| node.parent.as_deref()) {
            chain.push(parent);
        }
        f.write_str("context")?;
        chain.into_iter().rev().try_for_each(|node| match &node.kind {
            Kind::Background => f.write_str(".Background"),
            Kind::Todo => f.write_str(".TODO"),
            Kind::WithoutCancel => f.write_str(".WithoutCancel"),
            Kind::Value(value) => write!(f, ".WithValue({})", value.name),
            Kind::Cancel(tree) => match tree.deadline.filter(|_| tree.own_deadline) {
                Some(at) => write!(f, ".WithDeadline({:?})", at.saturating_duration_since(Instant::now())),
                None => f.write_str(".WithCancel"),
            },
        })
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
