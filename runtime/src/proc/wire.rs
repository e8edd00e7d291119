//! Tying a goroutine to its thread: alone on it (dedicated), or merely always on it (wired).
//!
//! *Why here.* Floor 5: `wired` is a field of G, `locked_g` of M; the two change together.
//!
//! *Invariants.* WI1. `locked_g` of an M is null or the goroutine that has locked it, which is wired to it. WI2. A dedicated M runs no goroutine but those wired to it.
//!
//! *Locks.* None; all fields belong to the thread.
//!
//! *Go:* `lockOSThread`, `LockOSThread`, `dolockOSThread`.

use core::ptr::null_mut;
use core::sync::atomic::Ordering;

use crate::gmp::{GPtr, MPtr};
use crate::proc::wake;

/// Deepest nesting of `lock_os_thread`.
const MOST_LOCKS: u32 = 32_767;

/// Gives the goroutine its thread for itself for the time of a suspension, so that not even others who are wired to it run there; nests, and leaves
/// the thread's owner as it is.
pub(crate) fn dedicate(mp: MPtr, gp: GPtr) {
    gp.wire(mp);
    mp.locked_internal.set(mp.locked_internal.get() + 1);
    mp.sole.set(Some(gp));
}

/// Undoes one `dedicate`.
pub(crate) fn undedicate(mp: MPtr, gp: GPtr) {
    let left = mp.locked_internal.get() - 1;
    mp.locked_internal.set(left);
    gp.unwire();
    if left == 0 {
        mp.sole.set(None);
        wake::take_up_again(mp);
    }
}

/// Whether the thread is another goroutine's alone, and this one, which is not tied to it any more, is still on it: until it next suspends, after which
/// it goes on elsewhere (W2).
pub(crate) fn is_anothers(mp: MPtr, gp: GPtr) -> bool {
    mp.locked_external.get() > 0 && mp.locked_g.load(Ordering::Relaxed) != gp.as_ptr() && gp.wired_to().is_none()
}

/// The user's `lock_os_thread`, and the start's while the inits run; false when the nesting overflows.
#[must_use]
pub(crate) fn lock_thread(mp: MPtr, gp: GPtr) -> bool {
    let count = mp.locked_external.get();
    if count >= MOST_LOCKS {
        return false;
    }
    if count > 0 && mp.locked_g.load(Ordering::Relaxed) != gp.as_ptr() {
        // A goroutine that was tied to this thread before another one locked it: it stays here anyhow.
        gp.wire(mp);
        return true;
    }
    if count == 0 {
        mp.locked_g.store(gp.as_ptr(), Ordering::Relaxed);
        gp.wire(mp);
    }
    mp.locked_external.set(count + 1);
    true
}

/// Undoes one `lock_thread` of this goroutine; one too many does nothing.
pub(crate) fn unlock_thread(mp: MPtr, gp: GPtr) {
    if mp.locked_g.load(Ordering::Relaxed) != gp.as_ptr() {
        return;
    }
    let count = mp.locked_external.get() - 1;
    mp.locked_external.set(count);
    if count == 0 {
        mp.locked_g.store(null_mut(), Ordering::Relaxed);
        gp.unwire();
        wake::take_up_again(mp);
    }
}

/// The goroutine ends: forgets its ties; a thread that it had locked is left tainted.
pub(crate) fn release_at_end(mp: MPtr, gp: GPtr) {
    gp.unwire_all();
    if mp.locked_g.load(Ordering::Relaxed) == gp.as_ptr() {
        mp.locked_g.store(null_mut(), Ordering::Relaxed);
        mp.locked_external.set(0);
        mp.tainted.set(true);
        wake::take_up_again(mp);
    }
}
