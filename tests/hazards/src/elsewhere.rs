//! Having a goroutine go on on another thread, or having the guard prevent it.
//!
//! Why here: every hazard needs it, in the library and in the program.
//!
//! The goroutine waits for a message. Behind it on its thread runs another goroutine, the *hog*, which has a plain thread send that message and then
//! does not let go of the thread before the goroutine has gone on, which it can only do elsewhere, or the guard has sent it back.
//!
//! *Invariants*
//! - E1. Nothing depends on time where the guard or nobody decides. Where the goroutine is tied to its thread the hog ends after [`TIED`].
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::{self, Receiver, Sender};
use goruntime::runtime::guard_stats;

use crate::thread_id;

/// How long the hog has the thread of a goroutine that nothing moves.
const TIED: Duration = Duration::from_millis(1);
/// Whether goroutines are tied to their threads.
static ARE_TIED: AtomicBool = AtomicBool::new(false);
/// Waits after which the goroutine was on another thread.
static MOVED: AtomicU64 = AtomicU64::new(0);

/// From now on goroutines are tied to their threads by other means than the guard.
pub fn all_are_tied() {
    ARE_TIED.store(true, Ordering::Relaxed);
}

/// How often a goroutine was on another thread after [`wait`].
pub fn moved() -> u64 {
    MOVED.load(Ordering::Relaxed)
}

/// Where a message goes, and what it says: whether the hog has the thread.
type Letter = (Sender<bool>, bool);

/// The plain thread that sends what it is told to.
fn post() -> &'static mpsc::Sender<Letter> {
    static POST: OnceLock<mpsc::Sender<Letter>> = OnceLock::new();
    POST.get_or_init(|| {
        let (post, letters) = mpsc::channel::<Letter>();
        thread::spawn(move || letters.into_iter().for_each(|(to, text)| _ = to.send(text)));
        post
    })
}

/// Waits for a message, which comes while the thread has something else to do.
pub fn wait() {
    wait_and_then(|| {});
}

/// The same; once the goroutine has gone on elsewhere, its former thread calls `then`. True if it does.
pub fn wait_and_then(then: fn()) -> bool {
    let kept_before = guard_stats().kept.total();
    wait_behind(move |gone_on| {
        hold(gone_on, kept_before);
        // Acquire: pairs with the Release below. The guard may have sent the goroutine back meanwhile, or it may be still on its way.
        if gone_on.load(Ordering::Acquire) {
            then();
        }
    })
}

/// Has the thread until the goroutine has gone on, or has to come back.
fn hold(gone_on: &AtomicBool, kept_before: u64) {
    let limit = ARE_TIED.load(Ordering::Relaxed).then(|| Instant::now() + TIED);
    let ended = || {
        gone_on.load(Ordering::Relaxed)
            || guard_stats().kept.total() != kept_before
            || limit.is_some_and(|limit| Instant::now() > limit)
    };
    while !ended() {
        hint::spin_loop();
    }
}

/// Waits for a message; the thread has `hog` to run meanwhile, which is told when the goroutine has gone on. True if that was
/// elsewhere while `hog` had the thread.
pub fn wait_behind(hog: impl FnOnce(&AtomicBool) + Send + 'static) -> bool {
    let (rx, gone_on) = behind(hog);
    let here = thread_id();
    let hog_has_thread = rx.recv().expect("the message comes before the channel goes");
    count(here, &gone_on) && hog_has_thread
}

/// As [`wait`], for a future, which is pending meanwhile.
pub async fn pend() {
    let kept_before = guard_stats().kept.total();
    let (rx, gone_on) = behind(move |gone_on| hold(gone_on, kept_before));
    let here = thread_id();
    rx.recv_async().await.expect("the message comes before the channel goes");
    count(here, &gone_on);
}

/// Starts the hog, and gives what the message comes through, and what tells the hog.
fn behind(hog: impl FnOnce(&AtomicBool) + Send + 'static) -> (Receiver<bool>, Arc<AtomicBool>) {
    let (tx, rx) = channel::bounded(1);
    let gone_on = Arc::new(AtomicBool::new(false));
    let here = thread_id();
    goruntime::go({
        let gone_on = Arc::clone(&gone_on);
        move || {
            // Somebody may have stolen it: it does not wait, and stays where it is.
            let has_thread = thread_id() == here;
            post().send((tx, has_thread)).expect("the plain thread lives as long as the program");
            if has_thread {
                hog(&gone_on);
            }
        }
    });
    (rx, gone_on)
}

/// The goroutine goes on, which was here before. True if it is elsewhere.
fn count(here: u32, gone_on: &AtomicBool) -> bool {
    let is_elsewhere = thread_id() != here;
    if is_elsewhere {
        MOVED.fetch_add(1, Ordering::Relaxed);
    }
    gone_on.store(true, Ordering::Release);
    is_elsewhere
}
