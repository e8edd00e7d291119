//! The list of goroutines while the program goes on.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* LV1. What only the owner of a goroutine may read is read of a waiting one between `try_scan` and `end_scan`, or of the caller itself, and
//! copied. In between nothing is called that waits: whoever readies the goroutine spins meanwhile (S3).
//!
//! *Locks.* None.
//!
//! *Go:* `pprof.Lookup("goroutine").WriteTo(w, 1)`, `runtime.Stack(buf, true)`.

use core::sync::atomic::Ordering;
use std::io::{self, Write};

use crate::debug::block::{Origin, header};
use crate::gmp::g::flag;
use crate::gmp::status::State;
use crate::gmp::{GPtr, WaitReason, gslab, m};
use crate::proc::enter;

/// What there is to say about a goroutine.
struct Seen {
    id: u64,
    head: Head,
    /// Not known of one that another thread runs, or is about to.
    origin: Option<Origin>,
}

enum Head {
    Waits(GPtr, u8, Option<&'static core::panic::Location<'static>>),
    Other(GPtr, &'static str),
}

/// Writes a list of all goroutines, oldest first, while the program goes on: number, what each waits for, where it called that, and where it was started.
///
/// It is what `SIGQUIT` prints before it ends the program, without the frames of the stacks: enough to see who has been forgotten. Of a goroutine that runs, or is
/// about to, only the number and that are told. The goroutines of the runtime itself and plain threads are left out, as in
/// [`num_goroutine`](crate::runtime::num_goroutine). It is not one moment that is shown: the others go on while they are looked at.
///
/// ```text
/// goroutine 7 [chan receive]:
/// blocked at
///     src/worker.rs:31
/// created by app::start in goroutine 1
///     src/main.rs:12
/// ```
///
/// # Blocking
///
/// Whatever `out` does. Nobody is stopped; about 100 bytes of memory are taken for each goroutine.
///
/// # Errors
///
/// Those of `out`.
///
/// # Examples
///
/// ```
/// use goruntime::{channel, debug, runtime, spawn};
///
/// goruntime::run(|| {
///     let (tx, rx) = channel::bounded::<i32>(0);
///     let worker = spawn(move || rx.recv());
///     let list = loop {
///         let mut list = Vec::new();
///         debug::write_goroutines(&mut list).unwrap();
///         let list = String::from_utf8(list).unwrap();
///         if list.contains("[chan receive]:\nblocked at\n") {
///             break list;
///         }
///         // It is not there yet.
///         runtime::yield_now();
///     };
///     assert!(list.contains("[running]:\n") && list.contains("created by"));
///     drop(tx);
///     assert!(worker.join().unwrap().is_err());
/// });
/// ```
#[doc(alias = "Stack")]
pub fn write_goroutines<W: Write + ?Sized>(out: &mut W) -> io::Result<()> {
    // So that there is a runtime to look at.
    drop(enter());
    let me = m::current().and_then(|mp| mp.curg()).filter(|gp| !gp.has(flag::THREAD));
    let mut all = Vec::new();
    gslab::for_each(|gp| all.extend(look_at(gp, me)));
    all.sort_unstable_by_key(|seen| seen.id);
    for (place, seen) in all.iter().enumerate() {
        if place > 0 {
            out.write_all(b"\n")?;
        }
        out.write_all(seen.text().as_bytes())?;
    }
    Ok(())
}

/// None if the slot has no goroutine of the user's.
fn look_at(gp: GPtr, me: Option<GPtr>) -> Option<Seen> {
    let is_users = || gp.goid() != 0 && !gp.has(flag::THREAD | flag::SYSTEM);
    if !is_users() {
        return None;
    }
    if Some(gp) == me {
        return Some(Seen { id: gp.goid(), head: Head::Other(gp, "running"), origin: Some(Origin::of(gp)) });
    }
    if gp.status.try_scan() {
        // LV1. Whoever was there before may have ended since.
        let seen = is_users().then(|| {
            let reason = gp.wait_reason.load(Ordering::Relaxed);
            Seen { id: gp.goid(), head: Head::Waits(gp, reason, gp.blocked_location()), origin: Some(Origin::of(gp)) }
        });
        gp.status.end_scan();
        return seen;
    }
    let (state, id) = (gp.status.load(), gp.goid());
    let text = match state {
        State::Dead => return None,
        State::Running => "running",
        // It was about to wait, or has just been readied.
        State::Runnable | State::Waiting => "runnable",
    };
    (id != 0).then_some(Seen { id, head: Head::Other(gp, text), origin: None })
}

impl Seen {
    fn text(&self) -> String {
        let mut text = match self.head {
            Head::Other(gp, state) => header(gp, self.id, state),
            Head::Waits(gp, reason, place) => {
                let mut text = header(gp, self.id, WaitReason::text(reason));
                if let Some(place) = place {
                    text.push_str(&format!("blocked at\n\t{}:{}\n", place.file(), place.line()));
                }
                text
            }
        };
        if let Some(origin) = &self.origin {
            text.push_str(&origin.text());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::write_goroutines;
    use crate::channel::bounded;
    use crate::runtime::{goid, yield_now};
    use crate::time::{Duration, Instant};
    use crate::{run, spawn};

    fn block_of(id: u64) -> Option<String> {
        let mut list = Vec::new();
        write_goroutines(&mut list).unwrap();
        let list = String::from_utf8(list).unwrap();
        let head = format!("goroutine {id} [");
        list.split("\n\n").find(|block| block.starts_with(&head)).map(str::to_owned)
    }

    #[test]
    fn a_waiting_goroutine_is_shown_with_its_places_until_it_ends() {
        run(|| {
            let (tell, told) = bounded(1);
            let (tx, rx) = bounded::<()>(0);
            let started = line!() + 1;
            let worker = spawn(move || {
                tell.send((goid(), line!() + 1)).unwrap();
                rx.recv()
            });
            let (id, line) = told.recv().unwrap();
            let deadline = Instant::now() + Duration::from_secs(60);
            let block = loop {
                let block = block_of(id).expect("it lives");
                if block.contains("[chan receive]") {
                    break block;
                }
                assert!(Instant::now() < deadline, "{block}");
                yield_now();
            };
            assert!(block.contains(&format!("blocked at\n\t{}:{line}\n", file!())), "{block}");
            assert!(block.contains(&format!("in goroutine {}\n\t{}:{started}", goid(), file!())), "{block}");
            assert!(block_of(goid()).unwrap().contains(" [running]:"));
            drop(tx);
            worker.join().unwrap().unwrap_err();
            // Its value is there before it has left its thread.
            while let Some(block) = block_of(id) {
                assert!(Instant::now() < deadline, "{block}");
                yield_now();
            }
        });
    }

    #[test]
    fn goroutines_that_come_and_go_are_looked_at_without_harm() {
        run(|| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    spawn(|| {
                        for _ in 0..300 {
                            let (tx, rx) = bounded(0);
                            let one = spawn(move || tx.send(1));
                            assert_eq!(rx.recv(), Ok(1));
                            one.join().unwrap().unwrap();
                        }
                    })
                })
                .collect();
            while !workers.iter().all(crate::JoinHandle::is_finished) {
                assert!(block_of(goid()).is_some());
                yield_now();
            }
        });
    }
}
