//! The heart of the house: run a goroutine until it says why it stopped, and settle that.
//!
//! *Why here.* Floor 5.
//!
//! *Invariants.* S1, C4, G5. E1. Every path of the loop gives the goroutine that it dequeued to exactly one place: the CPU, a queue, an
//! inbox, or what it waits for.
//!
//! *Locks.* None held while a goroutine runs.
//!
//! *Go:* `schedule`, `execute`, `park_m`, `gosched_m`, `goexit0`.

use core::mem::MaybeUninit;
use core::sync::atomic::Ordering;

use crate::base::throw::{print_facts, throw};
use crate::coro::switch::Yielder;
use crate::coro::{self, Stack, StackClass};
use crate::gmp::claim::PREEMPT;
use crate::gmp::g::{GCoro, Switch, flag};
use crate::gmp::{GPtr, MPtr, P, PPtr, SCHED};
use crate::os;
use crate::proc::{OnG0, boot, chaos, findrunnable, keep, newproc, queue, wake, wire};

/// Runs goroutines for ever.
pub(crate) fn schedule(g0: &OnG0, mp: MPtr) -> ! {
    loop {
        if let Some((gp, inherit)) = next(g0, mp) {
            execute(g0, mp, gp, inherit);
        }
    }
}

/// What this M is to run next; None when its situation has changed meanwhile.
fn next(g0: &OnG0, mp: MPtr) -> Option<findrunnable::Found> {
    if mp.p().is_none() {
        wake::stopm(g0, mp, None);
    }
    if SCHED.exiting.load(Ordering::Relaxed) {
        sleep_for_good();
    }
    if SCHED.stopping.load(Ordering::Relaxed) {
        wake::gcstopm(g0, mp);
        return None;
    }
    if let Some(gp) = wake::take_mail(mp) {
        wake::stop_spinning_and_wake(mp);
        return Some((gp, false));
    }
    if mp.is_dedicated() {
        wake::stop_spinning(mp);
        wake::handoffp(wake::releasep(mp));
        wake::stopm(g0, mp, None);
        return None;
    }
    let chosen = if chaos::is_on() { chaos::disturb(g0, mp) } else { None };
    let found = match chosen {
        Some(found) => found,
        None => findrunnable::findrunnable(g0, mp)?,
    };
    wake::stop_spinning_and_wake(mp);
    let home = found
        .0
        .wired_to()
        .or_else(|| boot::is_sticky().then(|| MPtr::from_raw(found.0.home.load(Ordering::Relaxed))).flatten());
    match home {
        Some(home) if home != mp => {
            wake::deliver(g0, mp, found.0, home);
            None
        }
        Some(_) => Some(found),
        None => match keep::better_home(mp, found.0) {
            Some(home) => {
                wake::deliver(g0, mp, found.0, home);
                None
            }
            None => Some(found),
        },
    }
}

/// The process leaves: this thread starts nothing further.
fn sleep_for_good() -> ! {
    loop {
        std::thread::park();
    }
}

/// Resumes `gp` until it stops, and settles why.
#[inline]
fn execute(g0: &OnG0, mp: MPtr, gp: GPtr, inherit: bool) {
    gp.status.runnable_to_running();
    mp.set_curg(Some(gp));
    gp.home.store(mp.as_ptr(), Ordering::Relaxed);
    if !inherit && let Some(pp) = mp.p() {
        pp.bump_tick();
    }
    if mp.claim.bits() & PREEMPT != 0 && !inherit {
        mp.claim.clear(PREEMPT);
    }
    gp.count_resume();
    ensure_stack(mp, gp);
    if let Some(pp) = mp.p() {
        warm_up(pp);
    }
    loop {
        let ashore = gp.fiber.board();
        mp.claim.set_depth(1);
        // SAFETY: the status says that the goroutine is ours to run (S1), and `bind_stack` has initialised the coroutine.
        let stopped = unsafe { (*gp.coro.get()).assume_init_mut() }.resume();
        mp.set_curg(None);
        if stopped.is_none() {
            if !gp.has(flag::STACKLESS) {
                gp.fiber.leave(ashore);
                return goexit0(mp, gp);
            }
            leave_stack(mp, gp);
        }
        let switch = mp.said.switch.get();
        // A commit belongs to the goroutine, in the eyes of a race detector as well.
        let parked = switch == Switch::Park && settle_park(mp, gp);
        gp.fiber.leave(ashore);
        match switch {
            Switch::Park => {
                if parked {
                    return after_park(mp, gp);
                }
                gp.status.runnable_to_running();
                mp.set_curg(Some(gp));
                ensure_stack(mp, gp);
            }
            Switch::Yield => {
                gp.status.running_to_runnable();
                let Some(pp) = mp.p() else { throw("a goroutine yielded without a P") };
                return queue::put_yielded(pp, gp);
            }
            Switch::Preempted => {
                gp.status.running_to_runnable();
                return queue::inject(gp);
            }
            Switch::LostP => {
                gp.status.running_to_runnable();
                queue::inject(gp);
                return wake::stopm(g0, mp, None);
            }
        }
    }
}

/// Lines of a parked stack that are fetched ahead, from its end: the frames of the functions through which a goroutine parks.
const STACK_LINES: usize = 4;
/// Where the compiler has inlined it, the switch saves its registers so far below `G::frames` at most, bytes.
const SAVED: usize = 32;

/// Fetches what the next switches will touch: with a thousand goroutines in turn their stacks and Gs are not in the nearest cache.
#[inline(always)]
fn warm_up(pp: PPtr) {
    if let Some(second) = pp.runq.hint_ahead(1) {
        os::prefetch(second.as_ptr().cast_const().cast());
        os::prefetch(second.as_ptr().cast_const().cast::<u8>().wrapping_add(128));
    }
    if let Some(first) = pp.runq.hint_ahead(0) {
        let gp = GPtr::new(first);
        let top = gp.yielder().cast::<u8>();
        if !top.is_null() {
            os::prefetch(top);
            let frames = gp.frames.load(Ordering::Relaxed).cast::<u8>().wrapping_sub(SAVED);
            for line in 0..STACK_LINES {
                os::prefetch(frames.wrapping_add(line * 64));
            }
        }
    }
}

/// Completes a park; false when its commit took it back, and the goroutine is runnable and still ours.
#[inline(always)]
fn settle_park(mp: MPtr, gp: GPtr) -> bool {
    gp.status.running_to_waiting();
    if mp.said.commit_park(gp) {
        return true;
    }
    if !gp.status.waiting_to_runnable() {
        throw("a park was taken back after the goroutine had been readied");
    }
    false
}

/// It may already run elsewhere.
#[inline(always)]
fn after_park(mp: MPtr, gp: GPtr) {
    if chaos::is_on() {
        chaos::parked(mp, gp);
    }
}

/// Gives the goroutine a stack if it has none, as before its first run.
#[inline(always)]
fn ensure_stack(mp: MPtr, gp: GPtr) {
    if gp.yielder().is_null() {
        bind_stack(mp, gp);
    }
}

fn bind_stack(mp: MPtr, gp: GPtr) {
    let class = gp.stack_class.get();
    let stack = match mp.p() {
        // SAFETY: this M owns the P (P1), and the reference ends with the statement.
        Some(pp) if class == 0 => unsafe { &mut *pp.stacks.get() }.take(),
        _ => coro::allocate(StackClass::from_log2(class)),
    };
    let stack: Stack = match stack {
        Ok(stack) => stack,
        Err(error) => {
            print_facts(format_args!("cannot start goroutine {}: {error}", gp.goid()));
            throw("out of stacks");
        }
    };
    // SAFETY: `goroutine_entry` may run once with this G on whatever thread resumes it, and does not unwind.
    let coro: GCoro = unsafe { GCoro::new(stack, goroutine_entry, gp.as_ptr().cast()) };
    // SAFETY: the goroutine is ours (S1) and has no coroutine yet.
    unsafe { *gp.coro.get() = MaybeUninit::new(coro) };
}

/// Takes the stack of a goroutine whose first function has returned.
#[inline(always)]
fn unbind_stack(pp: Option<PPtr>, gp: GPtr) {
    gp.set_yielder(core::ptr::null());
    // SAFETY: the goroutine is ours (S1) and its coroutine has returned; it is not used after this.
    let stack = unsafe { (*gp.coro.get()).assume_init_read() }.into_stack();
    match pp {
        // SAFETY: this M owns the P (P1), and the reference ends with the statement.
        Some(pp) if gp.stack_class.get() == 0 => unsafe { &mut *pp.stacks.get() }.put(stack),
        _ => coro::release(stack),
    }
}

/// The goroutine is about to wait without a stack.
fn leave_stack(mp: MPtr, gp: GPtr) {
    gp.unset(flag::STACKLESS);
    unbind_stack(mp.p(), gp);
}

/// First frame of every goroutine: what it runs is behind `entry`.
///
/// # Safety
///
/// - `argument` is the address of the G that this stack was bound to.
unsafe fn goroutine_entry(argument: *mut (), yielder: *const Yielder<()>) {
    let Some(gp) = GPtr::from_raw(argument.cast()) else { throw("goroutine without a G") };
    gp.set_yielder(yielder);
    let Some(entry) = gp.entry.take() else { throw("goroutine without an entry") };
    // SAFETY: `newproc`'s caller has filled the slot for this one call, or that of `park_without_stack` for the next one.
    unsafe { entry(gp) };
}

/// The goroutine has ended: takes its stack back, and the G if nobody holds the handle.
#[inline]
fn goexit0(mp: MPtr, gp: GPtr) {
    let pp = mp.p();
    gp.status.running_to_dead();
    if !gp.has(flag::SYSTEM) {
        match pp {
            Some(pp) => P::count(&pp.ended),
            None => throw("a goroutine ended without a P"),
        }
    }
    gp.fiber.destroy();
    unbind_stack(pp, gp);
    if gp.wired_to().is_some() {
        wire::release_at_end(mp, gp);
    }
    if gp.join.gone() {
        newproc::recycle(pp, gp);
    }
}
