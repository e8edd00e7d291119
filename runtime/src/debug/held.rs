//! The report of a goroutine that waits with thread-local state in its hands (`GODEBUG=tlsguard=log`).
//!
//! *Why here.* Floor 8: it needs frames. `proc::keep` calls it on the stack of that goroutine, in traceback mode.
//!
//! *Invariants.* HE1. A place is reported once, whoever comes there.
//!
//! *Locks.* `PLACES`, a leaf.
//!
//! *Go:* none.

use std::sync::{Mutex, PoisonError};

use crate::base::throw::print;
use crate::debug::frames;
use crate::gmp::affinity::Why;
use crate::proc::enter;

/// Frames that are shown.
const FRAMES: usize = 4;
/// Lines of a frame.
const LINES: usize = 2;

/// The innermost frames of what was reported.
static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Reports the calling goroutine.
pub(crate) fn report() {
    let gp = enter().g();
    let Some(why) = gp.kept_because() else { return };
    let mut frames: String = frames::capture().split_inclusive('\n').take(FRAMES * LINES).collect();
    if frames.is_empty() {
        frames = gp
            .blocked_location()
            .map_or_else(|| "?\n".to_owned(), |place| format!("\t{}:{}\n", place.file(), place.line()));
    }
    let place: String = frames.split_inclusive('\n').take(LINES).collect();
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    if places.contains(&place) {
        return;
    }
    places.push(place);
    drop(places);
    let what = match why {
        Why::Reference => "a reference into thread-local storage",
        Why::Handle => "a handle on what is in thread-local storage",
        Why::StdLock => "the lock of standard output or standard error",
    };
    print(format_args!(
        "goruntime: goroutine {} seems to hold {what} while it waits in\n{frames}\
         \tIt is kept on its thread for up to 20 ms. End the borrow before the wait, or use goroutine_local!, runtime::pin() or migrate = false.\n",
        gp.goid()
    ));
}
