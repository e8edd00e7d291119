//! Programs of one goroutine: every result follows from the operations before it.
//!
//! Why here: a part of `programs`. Channels are modelled in `world`, what locks and counts in `objects`, contexts in `tree`.
//!
//! *Invariants*
//! - SQ1. An operation that would wait is only asked whether it would: there is nobody to wake it.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use arbitrary::{Result, Unstructured};

use super::objects::{Holder, Objects};
use super::tree::Tree;
use super::world::{CAPACITIES, Side, Step, World};

/// Does what the bytes say until there are none left.
pub(super) fn run(bytes: &mut Unstructured<'_>) -> Result<()> {
    let objects = Objects::new(bytes.int_in_range(0..=5)?);
    let (mut world, mut holder, mut tree) = (World::new(), Holder::new(&objects), Tree::new());
    let mut result = Ok(());
    while !bytes.is_empty() && result.is_ok() {
        result = match bytes.int_in_range(0..=9)? {
            0..=3 => step(bytes).map(|step| world.step(step)),
            4..=6 => holder.step(bytes, tree.an_end()),
            _ => tree.step(bytes),
        };
    }
    tree.end();
    world.end();
    result
}

fn step(bytes: &mut Unstructured<'_>) -> Result<Step> {
    let channel = bytes.choose_index(CAPACITIES.len())?;
    Ok(match bytes.int_in_range(0..=15)? {
        0..=3 => Step::TrySend(channel),
        4..=6 => Step::TryRecv(channel),
        7 => Step::SendTimeout(channel),
        8 => Step::RecvTimeout(channel),
        9 if bytes.ratio(1, 4)? => Step::Close(channel),
        10 if bytes.ratio(1, 4)? => Step::DropSender(channel),
        9 | 10 => Step::Look(channel),
        11 | 12 => Step::Macro {
            receives: [bytes.choose_index(CAPACITIES.len())?, bytes.choose_index(CAPACITIES.len())?],
            send: channel,
            biased: bytes.arbitrary()?,
            limit: bytes.arbitrary()?,
        },
        13 | 14 => Step::List { sides: sides(bytes)?, biased: bytes.arbitrary()? },
        _ => Step::Ready(sides(bytes)?),
    })
}

fn sides(bytes: &mut Unstructured<'_>) -> Result<Vec<Side>> {
    let count = bytes.int_in_range(0..=8)?;
    let side = |bytes: &mut Unstructured<'_>| {
        let channel = bytes.choose_index(CAPACITIES.len())?;
        Ok(if bytes.arbitrary()? { Side::Send(channel) } else { Side::Recv(channel) })
    };
    (0..count).map(|_| side(bytes)).collect()
}
