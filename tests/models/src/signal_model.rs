//! Models of the words of `sigqueue`: a signal beside the end of listening.
//!
//! *What.* A handler notes a signal, or else does what it did before anybody listened. Whoever delivers takes and sends under the table's lock; whoever ends
//! listening holds it, too, and takes what is left. The disposition is not modelled: to the protocol the handler has begun.
//!
//! *Why here.* Between a look at `wanted` and a mark in `pending` a handler may stand still for as long as it likes.
//!
//! *Invariants.* SQ1-SQ3 of `sigqueue`, SN3 of `signal::table`.
//!
//! *Locks.* The table's.
//!
//! *Go:* none.

use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::explore;
use crate::sigqueue::{SigQueue, bit};

const TERM: i32 = 15;
const HUP: i32 = 1;

/// What the table's lock protects: who listens, and how often each signal was delivered.
#[derive(Default)]
struct Table {
    listens: bool,
    delivered: u32,
    others: u32,
}

struct World {
    queue: SigQueue,
    table: Mutex<Table>,
}

impl World {
    fn new() -> Arc<World> {
        let queue = SigQueue::new();
        queue.want(bit(TERM) | bit(HUP));
        // Once, see H1 of the shim.
        assert_eq!(queue.take(), 0);
        assert!(!queue.has_pending() && queue.is_wanted(bit(TERM)) && !queue.note(bit(2)));
        Arc::new(World { queue, table: Mutex::new(Table { listens: true, ..Table::default() }) })
    }

    /// Under the lock.
    fn deliver(&self, table: &mut Table) {
        let taken = self.queue.take();
        table.delivered += u32::from(taken & bit(TERM) != 0 && table.listens);
        table.others += u32::from(taken & bit(HUP) != 0);
    }

    fn stop(&self) {
        let mut table = self.table.lock().unwrap();
        self.queue.forget(bit(TERM));
        self.deliver(&mut table);
        table.listens = false;
    }
}

/// Fails without either of the fences, if `forget` does not wait, and if `stop` does not deliver what is left. The Acquire and the Release of `noting` it
/// cannot judge: what they order ends in a `swap`, and loom lets that see every mark that was made before it runs.
#[test]
fn a_signal_beside_a_stop_is_delivered_or_refused() {
    explore(|| {
        let world = World::new();
        let handler = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.queue.note(bit(TERM)))
        };
        let delivery = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.deliver(&mut world.table.lock().unwrap()))
        };
        world.stop();
        let at_stop = world.table.lock().unwrap().delivered;
        let accepted = handler.join().unwrap();
        delivery.join().unwrap();
        let table = world.table.lock().unwrap();
        assert_eq!(table.delivered, u32::from(accepted), "accepted and not delivered, or the other way round");
        assert_eq!(table.delivered, at_stop, "delivered after the stop");
    });
}

/// Fails if `forget` clears more than it is asked to, or if `take` drops what it does not return.
#[test]
fn the_end_of_one_signal_loses_no_other() {
    explore(|| {
        let world = World::new();
        let handlers = [TERM, HUP].map(|signal| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.queue.note(bit(signal)))
        });
        world.stop();
        let [term, hup] = handlers.map(|handler| handler.join().unwrap());
        let mut table = world.table.lock().unwrap();
        world.deliver(&mut table);
        assert!(hup, "somebody listens for it");
        assert_eq!((table.delivered, table.others), (u32::from(term), 1));
        assert!(!world.queue.note(bit(TERM)), "nobody listens any more");
    });
}
