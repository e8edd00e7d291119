//! How a context ends, and what its operations return then.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* An error of a send returns the value.
//!
//! *Locks.* None.
//!
//! *Go:* `context.Canceled`, `context.DeadlineExceeded`, `context.Cause`.

use core::fmt;
use std::error::Error;
use std::sync::{Arc, OnceLock};

/// How a context has ended.
///
/// # Examples
///
/// ```
/// use goruntime::context::ContextError;
///
/// assert_eq!(ContextError::Canceled.to_string(), "context canceled");
/// assert_eq!(ContextError::DeadlineExceeded.to_string(), "context deadline exceeded");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextError {
    /// It was cancelled.
    Canceled,
    /// Its deadline has passed.
    DeadlineExceeded,
}

impl ContextError {
    /// Whether the time was up.
    pub fn is_timeout(self) -> bool {
        self == ContextError::DeadlineExceeded
    }
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ContextError::Canceled => "context canceled",
            ContextError::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for ContextError {}

/// Why a context has ended: the error that it was cancelled with, or else the [`ContextError`]. Clones share the error.
///
/// It shows itself as the error does, and is one: `?` turns it into a `Box<dyn Error>` and its like.
///
/// # Examples
///
/// ```
/// use goruntime::context::{Cause, ContextError};
///
/// let cause = Cause::new(ContextError::Canceled);
/// assert!(cause.is::<ContextError>());
/// assert_eq!(Cause::new("out of cheese").to_string(), "out of cheese");
/// ```
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Makes a cause of an error or a text. A cause stays the same.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Cause {
        match error.into().downcast::<Cause>() {
            Ok(cause) => *cause,
            Err(error) => Cause(Arc::from(error)),
        }
    }

    /// The cause of an end that nobody gave a cause for.
    pub(super) fn of(error: ContextError) -> Cause {
        static CAUSES: [OnceLock<Cause>; 2] = [const { OnceLock::new() }; 2];
        CAUSES[error as usize].get_or_init(|| Cause::new(error)).clone()
    }

    /// The error itself.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }

    /// Whether the error is an `E`.
    pub fn is<E: Error + 'static>(&self) -> bool {
        self.0.is::<E>()
    }

    /// The error, if it is an `E`.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// Whether both are the same error, not only equal ones.
    pub fn same_error(&self, other: &Cause) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Why [`Receiver::recv_ctx`](crate::channel::Receiver::recv_ctx) received nothing.
#[derive(Clone, Debug)]
pub enum RecvCtxError {
    /// The context has ended.
    Canceled(Cause),
    /// Nothing will ever come.
    Disconnected,
}

/// Why [`Sender::send_ctx`](crate::channel::Sender::send_ctx) did not send; holds the value.
#[derive(Clone)]
pub enum SendCtxError<T> {
    /// The context has ended.
    Canceled(T, Cause),
    /// The channel was closed, or all receivers are gone.
    Disconnected(T),
}

impl RecvCtxError {
    /// Why the context has ended, if that was the reason.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            RecvCtxError::Canceled(cause) => Some(cause),
            RecvCtxError::Disconnected => None,
        }
    }
}

impl<T> SendCtxError<T> {
    /// Takes the value back.
    pub fn into_inner(self) -> T {
        match self {
            SendCtxError::Canceled(value, _) | SendCtxError::Disconnected(value) => value,
        }
    }

    /// Why the context has ended, if that was the reason.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            SendCtxError::Canceled(_, cause) => Some(cause),
            SendCtxError::Disconnected(_) => None,
        }
    }
}

impl fmt::Display for RecvCtxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvCtxError::Canceled(cause) => fmt::Display::fmt(cause, f),
            RecvCtxError::Disconnected => f.pad("receiving on an empty and disconnected channel"),
        }
    }
}

impl Error for RecvCtxError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().and_then(Error::source)
    }
}

// The value is not shown, so that every `T` will do.
impl<T> fmt::Debug for SendCtxError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendCtxError::Canceled(_, cause) => write!(f, "Canceled(.., {cause:?})"),
            SendCtxError::Disconnected(_) => f.pad("Disconnected(..)"),
        }
    }
}

impl<T> fmt::Display for SendCtxError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendCtxError::Canceled(_, cause) => fmt::Display::fmt(cause, f),
            SendCtxError::Disconnected(_) => f.pad("sending on a disconnected channel"),
        }
    }
}

impl<T> Error for SendCtxError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().and_then(Error::source)
    }
}
