//! Random programs of channel operations, against a model that does one thing after the other.
//!
//! Why here: a part of `select`. The model is in `world`.
//!
//! *Invariants*: MD1 of `world`.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use proptest::prelude::*;

use super::procs::with_procs;
use super::world::{CAPACITIES, Side, Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let channel = || 0..CAPACITIES.len();
    let side = || prop_oneof![channel().prop_map(Side::Send), channel().prop_map(Side::Recv)];
    let sides = || prop::collection::vec(side(), 0..12);
    let step = prop_oneof![
        6 => channel().prop_map(Step::TrySend),
        4 => channel().prop_map(Step::TryRecv),
        2 => channel().prop_map(Step::SendTimeout),
        2 => channel().prop_map(Step::RecvTimeout),
        1 => channel().prop_map(Step::Close),
        1 => channel().prop_map(Step::DropSender),
        2 => channel().prop_map(Step::Look),
        6 => (channel(), channel(), channel(), any::<bool>(), any::<bool>()).prop_map(|(a, b, send, biased, limit)| {
            Step::Macro { receives: [a, b], send, biased, limit }
        }),
        6 => (sides(), any::<bool>()).prop_map(|(sides, biased)| Step::List { sides, biased }),
        2 => sides().prop_map(Step::Ready),
    ];
    prop::collection::vec(step, 1..120)
}

/// How many random programs: fewer where a sanitizer slows everything down.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_do_what_the_model_does(program in steps()) {
        with_procs(1, || {
            let mut world = World::new();
            for step in program {
                world.step(step);
            }
            world.end();
        });
    }
}
