//! `LazyLock`: a value that is made when it is first used.
//!
//! *Why here.* Floor 7, over `Once`.
//!
//! *Invariants.* LL1. `data` holds the value if `once` is complete, nothing if it is poisoned, else the function that makes the value. LL2. Once the
//! function is taken out, a run that does not end poisons, even by goexit.
//!
//! *Locks.* None of its own.
//!
//! *Go:* `sync.OnceValue`.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};

use crate::sync::once::Once;

/// A value that is made when it is first used; see `std::sync::LazyLock`, whose interface it has.
///
/// # Examples
///
/// ```
/// use goruntime::sync::LazyLock;
///
/// static PRIMES: LazyLock<Vec<u32>> = LazyLock::new(|| vec![2, 3, 5, 7]);
///
/// assert_eq!(PRIMES.len(), 4);
/// ```
#[doc(alias = "OnceValue")]
pub struct LazyLock<T, F = fn() -> T> {
    once: Once,
    data: UnsafeCell<Data<T, F>>,
}

union Data<T, F> {
    value: ManuallyDrop<T>,
    make: ManuallyDrop<F>,
}

// SAFETY: threads share the value by reference (T: Sync); it is made on one thread, from a function of another (F: Send), and may be dropped on a
// third (T: Send). `once` orders them.
unsafe impl<T: Sync + Send, F: Send> Sync for LazyLock<T, F> {}

impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// Makes one whose value `f` will make.
    #[inline]
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock { once: Once::new(), data: UnsafeCell::new(Data { make: ManuallyDrop::new(f) }) }
    }

    /// The value, which is made now if it was not yet. The same as dereferencing.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) while another one makes the value. A function that uses the value it makes waits for good.
    ///
    /// # Panics
    ///
    /// If the function panics, and from then on with `LazyLock instance has previously been poisoned`. A function that ends by `goexit` poisons, too.
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        this.once.call_once_force(|state| {
            if state.is_poisoned() {
                poisoned();
            }
            state.spend();
            let data = this.data.get();
            // SAFETY: incomplete and not poisoned, so the function is there (LL1); it is not read again, because this run completes or poisons (LL2).
            let make = unsafe { ManuallyDrop::take(&mut (*data).make) };
            let value = ManuallyDrop::new(make());
            // SAFETY: nobody else gets at the data while this runs.
            unsafe { (*data).value = value };
        });
        // SAFETY: `once` is complete, so the value is there (LL1), and nobody changes it while it is shared.
        unsafe { &(*this.data.get()).value }
    }

    /// As [`LazyLock::force`], for the owner.
    ///
    /// # Panics
    ///
    /// As [`LazyLock::force`].
    #[inline]
    #[track_caller]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        LazyLock::force(this);
        // SAFETY: forced, so the value is there (LL1), and the borrow is exclusive.
        unsafe { &mut this.data.get_mut().value }
    }
}

impl<T, F> LazyLock<T, F> {
    /// The value, if it was made already.
    #[inline]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        // SAFETY: complete means that the value is there (LL1), and nobody changes it while it is shared.
        this.once.is_completed().then(|| unsafe { &*(*this.data.get()).value })
    }

    /// The value, if it was made already, for the owner.
    #[inline]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        // SAFETY: complete means that the value is there (LL1), and the borrow is exclusive.
        this.once.is_completed_mut().then(|| unsafe { &mut *this.data.get_mut().value })
    }
}

#[cold]
fn poisoned() -> ! {
    panic!("LazyLock instance has previously been poisoned")
}

impl<T, F> Drop for LazyLock<T, F> {
    fn drop(&mut self) {
        let data = self.data.get_mut();
        if self.once.is_completed_mut() {
            // SAFETY: complete means that the value is there (LL1), and it is not used again.
            unsafe { ManuallyDrop::drop(&mut data.value) };
        } else if !self.once.is_poisoned_mut() {
            // SAFETY: otherwise the function is there (LL1), and it is not used again.
            unsafe { ManuallyDrop::drop(&mut data.make) };
        }
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    /// See [`LazyLock::force`].
    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    /// See [`LazyLock::force_mut`].
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::force_mut(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    /// Makes one whose value will be the default.
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_tuple("LazyLock");
        match LazyLock::get(self) {
            Some(value) => shown.field(value),
            None => shown.field(&format_args!("<uninit>")),
        };
        shown.finish()
    }
}
