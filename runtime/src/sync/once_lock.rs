//! `OnceLock`: a value that is set once.
//!
//! *Why here.* Floor 7, over `Once`.
//!
//! *Invariants.* OL1. The value is there exactly if `once` is complete; only the closure of `once` writes it, and nobody changes it through a shared
//! reference after that.
//!
//! *Locks.* None of its own.
//!
//! *Go:* `sync.OnceValue`.

use core::cell::UnsafeCell;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::sync::once::Once;

/// A value that is set once; see `std::sync::OnceLock`, whose interface it has.
///
/// # Examples
///
/// ```
/// use goruntime::sync::OnceLock;
///
/// static GREETING: OnceLock<String> = OnceLock::new();
///
/// let first = GREETING.get_or_init(|| "hello".to_owned());
/// assert_eq!((first.as_str(), GREETING.set("ciao".to_owned())), ("hello", Err("ciao".to_owned())));
/// ```
#[doc(alias = "OnceValue")]
pub struct OnceLock<T> {
    once: Once,
    /// An `Option`, so that it drops itself: with a `Drop` of our own, borrows in T would have to outlive the cell.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: threads share the value by reference (T: Sync), and one may set what another drops (T: Send); `once` orders them.
unsafe impl<T: Sync + Send> Sync for OnceLock<T> {}

impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// Makes one without a value.
    #[inline]
    pub const fn new() -> OnceLock<T> {
        OnceLock { once: Once::new(), value: UnsafeCell::new(None) }
    }

    /// The value, if it is set. Does not wait.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: complete means that the value is there (OL1).
        self.once.is_completed().then(|| unsafe { self.get_unchecked() })
    }

    /// The value, if it is set.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: complete means that the value is there (OL1), and the borrow is exclusive.
        self.once.is_completed_mut().then(|| unsafe { self.value.get_mut().as_mut().unwrap_unchecked() })
    }

    /// The value, when it is set.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until then.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::OnceLock;
    ///
    /// static ANSWER: OnceLock<i32> = OnceLock::new();
    /// goruntime::go(|| ANSWER.set(42).unwrap());
    /// assert_eq!(*ANSWER.wait(), 42);
    /// ```
    #[track_caller]
    pub fn wait(&self) -> &T {
        self.once.wait_force();
        // SAFETY: complete means that the value is there (OL1).
        unsafe { self.get_unchecked() }
    }

    /// Sets the value.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) while another one initializes it.
    ///
    /// # Errors
    ///
    /// With `value`, if there is one already.
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| match value.take() {
            Some(value) => value,
            None => unreachable!("the closure of a Once is called once"),
        });
        value.map_or(Ok(()), Err)
    }

    /// The value, which `f` makes if there is none.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) while another one initializes it. An `f` that asks for the same value waits for good.
    ///
    /// # Panics
    ///
    /// If `f` panics; then there is still no value, and the next caller may make it.
    #[inline]
    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        if !self.once.is_completed() {
            self.once.call_once_force(|_| {
                let value = f();
                // SAFETY: nobody reads before `once` is complete, and its closures run one after the other (OL1).
                unsafe { self.value.get().write(Some(value)) };
            });
        }
        // SAFETY: complete means that the value is there (OL1).
        unsafe { self.get_unchecked() }
    }

    /// Takes the value out, leaving none.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        if !self.once.is_completed_mut() {
            return None;
        }
        self.once = Once::new();
        self.value.get_mut().take()
    }

    /// Takes the value out.
    #[inline]
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }

    /// # Safety
    ///
    /// - `once` is complete.
    #[inline]
    unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: the caller has seen that it is complete (OL1).
        unsafe { (*self.value.get()).as_ref().unwrap_unchecked() }
    }
}

impl<T> Default for OnceLock<T> {
    #[inline]
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => shown.field(value),
            None => shown.field(&format_args!("<uninit>")),
        };
        shown.finish()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        self.get().map_or_else(OnceLock::new, |value| OnceLock::from(value.clone()))
    }
}

impl<T> From<T> for OnceLock<T> {
    /// Makes one that is set.
    fn from(value: T) -> OnceLock<T> {
        let cell = OnceLock::new();
        let _: Result<(), T> = cell.set(value);
        cell
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}
