//! `goroutine_local!`: values that belong to a goroutine, where `thread_local!` values belong to whichever thread it is on.
//!
//! *Why here.* Floor 8: kept in the goroutine's extra.
//!
//! *Invariants.* XT1, XT2. LO1. A value is boxed and never moved or dropped before the goroutine's end, so a reference stays good while `with`
//! runs, even if the goroutine parks in it.
//!
//! *Locks.* None.
//!
//! *Go:* refused there; profiler labels are the nearest.

use core::any::Any;
use core::fmt;

use crate::task::extra;

/// The key of a goroutine-local value; made by [`goroutine_local!`](crate::goroutine_local).
pub struct LocalKey<T: 'static> {
    init: fn() -> T,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> LocalKey<T> {
        LocalKey { init }
    }

    /// Runs `f` with the calling goroutine's value, making it first if need be.
    ///
    /// Values are dropped at the end of the goroutine, the last made first. Their destructors may do anything, use other goroutine-local values too: one that
    /// is made, or made again, by a destructor is dropped as well.
    ///
    /// On a thread that is not a goroutine the value is the thread's. It is dropped with the thread-local values, so a panic that leaves its destructor aborts
    /// the process, as std has it; a value that is made by a thread-local destructor that runs after that is never dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// goruntime::goroutine_local! {
    ///     static COUNT: Cell<u32> = Cell::new(1);
    /// }
    ///
    /// let (mine, other) = goruntime::run(|| {
    ///     COUNT.with(|count| count.set(5));
    ///     let other = goruntime::spawn(|| COUNT.with(Cell::get)).join().unwrap();
    ///     (COUNT.with(Cell::get), other)
    /// });
    /// assert_eq!((mine, other), (5, 1));
    /// ```
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let key = core::ptr::from_ref(self).addr();
        let value = extra::with(|extra| {
            let locals = extra.locals.borrow();
            locals.iter().find(|local| local.0 == key).map(|local| pointer::<T>(&*local.1))
        });
        let value = value.unwrap_or_else(|| {
            // The initialiser may use other locals, so nothing is borrowed while it runs.
            let boxed: Box<dyn Any> = Box::new((self.init)());
            let value = pointer::<T>(&*boxed);
            extra::with(|extra| extra.locals.borrow_mut().push((key, boxed)));
            value
        });
        // SAFETY: the value is in a box that stays until the goroutine's end (LO1), and only this goroutine uses it.
        f(unsafe { &*value })
    }
}

fn pointer<T: 'static>(value: &dyn Any) -> *const T {
    core::ptr::from_ref(value.downcast_ref::<T>().expect("a key has one type"))
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKey { .. }")
    }
}

/// Declares goroutine-local values, as `thread_local!` declares thread-local ones.
///
/// # Examples
///
/// ```
/// goruntime::goroutine_local! {
///     /// How deep this goroutine has nested.
///     pub static DEPTH: std::cell::Cell<u32> = std::cell::Cell::new(0);
/// }
/// assert_eq!(DEPTH.with(|depth| depth.get()), 0);
/// ```
#[macro_export]
macro_rules! goroutine_local {
    () => {};
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $init:expr; $($rest:tt)*) => {
        $crate::goroutine_local! { $(#[$attribute])* $vis static $name: $type = $init }
        $crate::goroutine_local! { $($rest)* }
    };
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $init:expr) => {
        $(#[$attribute])*
        $vis static $name: $crate::LocalKey<$type> = {
            fn init() -> $type {
                $init
            }
            $crate::LocalKey::new(init)
        };
    };
}
