//! Waiting for sockets: parking for one, readying those whose wait has ended, looking at the poller.
//!
//! *Why here.* Floor 5: joins the poller, which only returns lists, with the scheduler.
//!
//! Who looks, as in Go: an M without work before it steals; the last idle M, which sleeps in the poller until the next timer; sysmon when nobody
//! did for ten milliseconds. Beyond Go, every 61st pass of a busy P that sees that nobody did for two.
//!
//! *Invariants.* NP1, PD3. NW1. A wait that begins is seen by somebody who looks: a goroutine's by its own M, which goes on to look for work; a
//! plain thread's by the M that it wakes. NW2. A proxy counts as one waiter while tasks have announced themselves and were not called.
//!
//! *Locks.* A descriptor's (rank 1); its heap's lock and `SCHED.lock` are taken under it.
//!
//! *Go:* `netpollblock`, `netpollgoready`, `netpollDeadline`, `injectglist`.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};

use crate::base::throw::throw;
use crate::gmp::g::flag;
use crate::gmp::timers::Timer;
use crate::gmp::{GList, GPtr, PPtr, SCHED, WaitReason, m};
use crate::netpoll::edges::{Announced, Edges, Seen};
use crate::netpoll::polldesc::{self, Ended, PollDesc, Side};
use crate::netpoll::word::Prepared;
use crate::netpoll::{self, Readied};
use crate::os;
use crate::proc::{Entered, OnG0, deadlock, foreign, gopark, goready, queue, timer, wake};

/// A busy P looks at the poller when nobody did for so long, ns.
const BUSY_PERIOD: i64 = 2_000_000;
/// Sysmon looks when nobody did for so long, ns; Go's number.
const SYSMON_PERIOD: i64 = 10_000_000;

/// A wait on its way to the commit.
struct Wait {
    desc: &'static PollDesc,
    side: Side,
    limit: Option<i64>,
}

/// Parks until this side of the socket has an edge; Err when the wait ended otherwise. `limit` is a time for this wait alone.
pub(crate) fn wait(inside: &Entered, desc: &'static PollDesc, side: Side, limit: Option<i64>) -> Result<(), Ended> {
    loop {
        match desc.word(side).prepare() {
            Prepared::Ready => return Ok(()),
            Prepared::Busy => throw("two goroutines wait for one side of a socket"),
            Prepared::Wait => {}
        }
        let mut wait = Wait { desc, side, limit };
        gopark(inside, WaitReason::IoWait, commit, (&raw mut wait).cast());
        let ready = desc.word(side).finish();
        let passed = limit.is_some() && desc.take_limit(side);
        if ready {
            return Ok(());
        }
        desc.check(side)?;
        if passed {
            return Err(Ended::Limit);
        }
        // A deadline had passed, and was changed before this goroutine ran: the wait goes on.
    }
}

fn commit(gp: GPtr, wait: *mut ()) -> bool {
    // SAFETY: the goroutine waits, and nobody can ready it before `PollDesc::commit` has published it: its frame lives.
    let Wait { desc, side, limit } = unsafe { wait.cast::<Wait>().read() };
    let is_thread = gp.has(flag::THREAD);
    netpoll::add_waiter(is_thread);
    if !desc.commit(gp, side, limit, &arm) {
        forget(is_thread);
        return false;
    }
    if is_thread {
        // No M goes on from here to look for work (NW1).
        have_watched();
    }
    true
}

/// One goroutine or plain thread waits no longer (NP1).
fn forget(is_thread: bool) {
    netpoll::remove_waiters(usize::from(!is_thread), usize::from(is_thread));
}

/// Somebody is to watch the poller from now on.
fn have_watched() {
    // SeqCst: pairs with the fence in `findrunnable::become_watcher`: either the M that goes idle sees the waiter or we see that nobody watches.
    fence(Ordering::SeqCst);
    if SCHED.poller.load(Ordering::SeqCst).is_null() {
        wake::wakep();
    }
}

/// The poller has just been made: the M that watches the timers is to sleep in it.
pub(crate) fn poller_opened() {
    // SeqCst: pairs with the fence in `findrunnable::become_watcher`: either the watcher sees the poller or we see the watcher.
    fence(Ordering::SeqCst);
    wake::rouse_watcher();
}

/// Arms a side's timer on the P of the calling thread.
fn arm(timer: &Timer, when: i64, side: Side) {
    let callback = match side {
        Side::Read => read_is_due,
        Side::Write => write_is_due,
    };
    let inside = ManuallyDrop::new(Entered::adopt());
    timer::arm(&inside, timer, when, callback);
}

fn read_is_due(timer: NonNull<Timer>, now: i64) {
    expire(timer, Side::Read, now);
}

fn write_is_due(timer: NonNull<Timer>, now: i64) {
    expire(timer, Side::Write, now);
}

fn expire(timer: NonNull<Timer>, side: Side, now: i64) {
    // SAFETY: the timer is part of a descriptor, which is never freed.
    unsafe { timer.as_ref() }.fired();
    ready_each(polldesc::of_timer(timer, side).expire(side, now, &arm));
}

/// Sets the deadline of some sides of a socket: 0 for none, a negative time for one that has passed.
pub(crate) fn set_deadline(_: &Entered, desc: &PollDesc, sides: &[Side], when: i64) -> Result<(), Ended> {
    desc.set_deadline(sides, when, &arm).map(ready_each)
}

/// Closes a descriptor for good; false if it was closed already.
pub(crate) fn evict(_: &Entered, desc: &PollDesc) -> bool {
    desc.evict().map(ready_each).is_some()
}

/// Readies goroutines that something of the caller's doing has unblocked.
pub(crate) fn ready_each(mut list: GList) {
    while let Some(gp) = list.pop_front() {
        let is_thread = is_thread(gp);
        goready(gp);
        forget(is_thread);
    }
}

/// Whether it counts as a plain thread. A proxy counts as a goroutine: its tasks are on some.
fn is_thread(gp: GPtr) -> bool {
    gp.has(flag::THREAD) && !gp.has(flag::PROXY)
}

/// Has a task called when this side of the socket has an edge that has not been `seen`, or when its waits end; false if there was one since.
/// Everybody who waits on the socket is counted from then on until they are called.
pub(crate) fn announce_task(inside: &Entered, edges: &Edges, seen: Seen) -> bool {
    netpoll::add_waiter(false);
    let announced = edges.announce(seen);
    if announced != Announced::First {
        forget(false);
    }
    if announced != Announced::Missed && inside.g().has(flag::THREAD) {
        // No M goes on from here to look for work (NW1).
        have_watched();
    }
    announced != Announced::Missed
}

/// Queues what the poller has readied: on the P of the calling thread if it has one. True if there was anything.
pub(crate) fn inject(Readied(mut list): Readied) -> bool {
    let count = list.len();
    if count == 0 {
        return false;
    }
    let pp = m::current().and_then(|mp| mp.p());
    let mut threads = 0;
    let mut global = GList::new();
    while let Some(gp) = list.pop_front() {
        if gp.has(flag::THREAD) {
            threads += usize::from(is_thread(gp));
            foreign::ready(gp);
            continue;
        }
        if !gp.status.waiting_to_runnable() {
            throw("the poller has readied a goroutine that does not wait");
        }
        match pp {
            Some(pp) => queue::runqput(pp, gp, false),
            None => global.push_back(gp),
        }
    }
    if !global.is_empty() {
        SCHED.lock.lock().globrunq_append(&mut global);
    }
    netpoll::remove_waiters(count - threads, threads);
    match pp {
        None => wake::wake_for_global(),
        Some(_) if count > 1 => wake::wakep(),
        Some(_) => {}
    }
    true
}

/// The look of an M that has found no work on its P: true if there is some now.
pub(crate) fn look(_: &OnG0, _: PPtr) -> bool {
    netpoll::has_waiters() && netpoll::poll().is_some_and(inject)
}

/// The look of a busy P, now and then.
#[inline(always)]
pub(crate) fn look_when_busy(_: &OnG0) {
    if !netpoll::has_waiters() {
        return;
    }
    let now = os::nanotime();
    timer::freshen_coarse(now);
    if now - netpoll::last_poll() > BUSY_PERIOD {
        netpoll::poll().map(inject);
    }
}

/// Sysmon's look.
pub(crate) fn look_from_sysmon(now: i64) {
    if netpoll::has_waiters() && now - netpoll::last_poll() > SYSMON_PERIOD && netpoll::poll().is_some_and(inject) {
        // An M may have run what was readied, and have gone to sleep, before the wait was taken off the count (DL3 of `deadlock`).
        deadlock::suspect();
    }
}
