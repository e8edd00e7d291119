//! The tree of contexts: who is whose parent, and how an end goes down.
//!
//! *Why here.* Floor 8, under the functions of `mod.rs`; it starts the functions of `after_func`.
//!
//! A context is a node that knows its parent. Nodes that can end hold a [`Tree`]; a value is a node without one. A tree knows the trees below it as weak
//! members of a slab, in which each has a place, so that it leaves in constant time. An end walks the subtree with a list, level by level.
//!
//! *Invariants.* CT1. `outcome` is set once. A member that ends by its parent gets it while the parent's `state` is locked, so nobody who finds the parent
//! `ended` finds a member without an outcome. CT2. After `ended` is set, under `state`, no member, timer or function is added. CT3. The outcome is there before
//! `cancel` ends. CT4. Whoever ends a subtree holds `settling` of its root until everything below has ended, and whoever meets the end of another waits for
//! that: when a cancel returns, everything below has ended. CT5. User code (values, functions) is neither run nor dropped under a lock.
//!
//! *Locks.* `settling` parks; `state` is std's, is taken after it, and nothing is done under it but moving pointers. One `state` at a time.
//!
//! *Go:* `cancelCtx`, `propagateCancel`, `removeChild`.

use core::any::{Any, TypeId};
use core::convert::Infallible;
use core::mem;
use core::panic::Location;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{self, Arc, MutexGuard, OnceLock, PoisonError, Weak};

use crate::channel::{Receiver, Sender, bounded};
use crate::context::error::{Cause, ContextError};
use crate::context::slab::Slab;
use crate::gmp::g::flag;
use crate::proc::enter;
use crate::sync::Mutex;
use crate::sync::cancel::Cancel;
use crate::task::spawn::go_at;
use crate::time::{AfterFunc, Instant};

/// No place in a slab.
const NOWHERE: usize = usize::MAX;

/// A context.
pub(super) struct Node {
    pub(super) parent: Option<Arc<Node>>,
    pub(super) kind: Kind,
}

/// What a node adds to its parent.
pub(super) enum Kind {
    Background,
    Todo,
    /// Nothing from above ends it.
    WithoutCancel,
    Value(Value),
    Cancel(Box<Tree>),
}

/// A value by its type.
pub(super) struct Value {
    pub(super) key: TypeId,
    pub(super) name: &'static str,
    pub(super) value: Box<dyn Any + Send + Sync>,
}

/// The part of a context that ends.
pub(super) struct Tree {
    pub(super) cancel: Cancel,
    outcome: OnceLock<Arc<Outcome>>,
    state: sync::Mutex<State>,
    settling: Mutex<()>,
    done: OnceLock<Done>,
    /// The earlier one of its own and its parent's.
    pub(super) deadline: Option<Instant>,
    /// Its own, for display.
    pub(super) own_deadline: bool,
    /// In the slab of the nearest tree above.
    place: AtomicUsize,
}

/// How and why a subtree has ended.
pub(super) struct Outcome {
    pub(super) error: ContextError,
    pub(super) cause: Cause,
    /// Where the end began (CT4).
    root: Weak<Node>,
}

#[derive(Default)]
struct State {
    ended: bool,
    members: Slab<Member>,
    timer: Option<AfterFunc>,
}

enum Member {
    Child(Weak<Node>),
    Func(Func),
}

/// A function to be called at the end. While it is registered the node lives.
pub(super) struct Func {
    pub(super) call: Box<dyn FnOnce() + Send>,
    pub(super) creator: fn() -> &'static str,
    pub(super) at: &'static Location<'static>,
    pub(super) node: Arc<Node>,
}

/// The channel of `done`.
struct Done {
    sender: Sender<Infallible>,
    receiver: Receiver<Infallible>,
}

impl Node {
    /// A node without a tree.
    pub(super) fn plain(parent: Option<Arc<Node>>, kind: Kind) -> Arc<Node> {
        Arc::new(Node { parent, kind })
    }

    /// A node that can end; it has ended if its parent has.
    pub(super) fn with_tree(parent: &Arc<Node>, own: Option<Instant>) -> Arc<Node> {
        let above = parent.tree().and_then(|tree| tree.deadline);
        let own_deadline = own.is_some_and(|own| above.is_none_or(|above| own < above));
        let tree = Tree {
            cancel: Cancel::new(),
            outcome: OnceLock::new(),
            state: sync::Mutex::default(),
            settling: Mutex::new(()),
            done: OnceLock::new(),
            deadline: if own_deadline { own } else { above },
            own_deadline,
            place: AtomicUsize::new(NOWHERE),
        };
        let node = Arc::new(Node { parent: Some(Arc::clone(parent)), kind: Kind::Cancel(Box::new(tree)) });
        if let (Some(above), Some(tree)) = (parent.tree(), node.own_tree()) {
            match above.admit(&node) {
                Ok(place) => tree.place.store(place, Ordering::Relaxed),
                Err(outcome) => tree.end_at_birth(outcome),
            }
        }
        node
    }

    /// The node's own tree.
    fn own_tree(&self) -> Option<&Tree> {
        if let Kind::Cancel(tree) = &self.kind { Some(tree) } else { None }
    }

    /// The nearest tree, from this node upwards; None if the context never ends.
    pub(super) fn tree(&self) -> Option<&Tree> {
        let mut node = self;
        loop {
            match &node.kind {
                Kind::Cancel(tree) => return Some(tree),
                Kind::Value(_) => node = node.parent.as_deref()?,
                Kind::Background | Kind::Todo | Kind::WithoutCancel => return None,
            }
        }
    }

    /// The nearest node with a tree, from this one upwards.
    pub(super) fn tree_node(self: &Arc<Node>) -> Option<&Arc<Node>> {
        let mut node = self;
        while let Kind::Value(_) = node.kind {
            node = node.parent.as_ref()?;
        }
        node.own_tree().map(|_| node)
    }

    /// Leaves the parent, which is returned; the timer is stopped.
    fn leave(&mut self) -> Option<Arc<Node>> {
        let parent = self.parent.take()?;
        if let Kind::Cancel(tree) = &mut self.kind {
            tree.leave(&parent);
            let state = tree.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Some(timer) = state.timer.take() {
                timer.stop();
            }
        }
        Some(parent)
    }
}

impl Drop for Node {
    /// With a loop, because a chain of contexts may be longer than a stack is deep.
    fn drop(&mut self) {
        let mut parent = self.leave();
        while let Some(mut node) = parent.and_then(Arc::into_inner) {
            parent = node.leave();
        }
    }
}

impl Tree {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it has ended, if it has.
    pub(super) fn outcome(&self) -> Option<&Arc<Outcome>> {
        self.outcome.get()
    }

    /// Takes a child in; its place, or what it has to share.
    fn admit(&self, child: &Arc<Node>) -> Result<usize, Arc<Outcome>> {
        let mut state = self.state();
        match self.outcome.get() {
            // Also when the end has not come to the members yet.
            Some(outcome) => Err(Arc::clone(outcome)),
            None => Ok(state.members.insert(Member::Child(Arc::downgrade(child)))),
        }
    }

    fn end_at_birth(&self, outcome: Arc<Outcome>) {
        // The tree is new, so the cell takes the value.
        let _ = self.outcome.set(outcome);
        self.state().ended = true;
        self.cancel.end();
    }

    /// Leaves the slab of the nearest tree above, if it is in there.
    fn leave(&self, parent: &Node) {
        let place = self.place.swap(NOWHERE, Ordering::Relaxed);
        if place != NOWHERE
            && let Some(above) = parent.tree()
        {
            // Only a weak pointer: dropped under the lock.
            above.state().members.remove(place);
        }
    }

    /// Has `func` called at the end; its place, or itself if the end has come.
    pub(super) fn register(&self, func: Func) -> Result<usize, Func> {
        let mut state = self.state();
        if state.ended { Err(func) } else { Ok(state.members.insert(Member::Func(func))) }
    }

    /// Takes a function back that was not called; for the one who has its place.
    pub(super) fn unregister(&self, place: usize) -> Option<Func> {
        match self.state().members.remove(place) {
            Some(Member::Func(func)) => Some(func),
            _ => None,
        }
    }

    /// Leaves the timer of the deadline with the tree, which stops it when it ends.
    pub(super) fn keep_timer(&self, timer: AfterFunc) {
        let mut state = self.state();
        if !state.ended {
            state.timer = Some(timer);
            return;
        }
        drop(state);
        timer.stop();
    }

    /// The channel that is closed at the end.
    pub(super) fn done(&self) -> &Receiver<Infallible> {
        if let Some(done) = self.done.get() {
            return &done.receiver;
        }
        let (sender, receiver) = bounded(0);
        let mut new = Some(Done { sender, receiver });
        let state = self.state();
        // Another one may have been faster: then what was made here is dropped after the unlock.
        let done = self.done.get_or_init(|| new.take().expect("it is made once"));
        let ended = state.ended;
        drop(state);
        if ended {
            done.sender.disconnect();
        }
        &done.receiver
    }

    /// Ends this one tree: wakes who waits, and takes the members.
    fn end(&self, outcome: &Arc<Outcome>, found: &mut Found) {
        let mut state = self.state();
        state.ended = true;
        let timer = state.timer.take();
        for member in mem::take(&mut state.members).into_items() {
            match member {
                Member::Func(func) => found.funcs.push(func),
                Member::Child(child) => found.meet(child.upgrade(), outcome),
            }
        }
        drop(state);
        self.cancel.end();
        if let Some(done) = self.done.get() {
            done.sender.disconnect();
        }
        if let Some(timer) = timer {
            timer.stop();
            found.timers.push(timer);
        }
    }
}

impl Tree {
    /// Waits until whoever ended this tree has come to everything below it (CT4). The caller holds no `settling`, or one further up.
    fn wait_until_settled(&self) {
        if let Some(root) = self.outcome.get().and_then(|outcome| outcome.root.upgrade())
            && let Some(tree) = root.own_tree()
        {
            drop(tree.settling.lock());
        }
    }
}

/// What an end comes across.
#[derive(Default)]
struct Found {
    /// Nodes that end by it; those before `next` have.
    nodes: Vec<Arc<Node>>,
    /// Nodes that have ended otherwise.
    strangers: Vec<Arc<Node>>,
    funcs: Vec<Func>,
    /// Stopped; they hold causes (CT5).
    timers: Vec<AfterFunc>,
}

impl Found {
    /// A member of a tree that ends, under its lock: dropped later (CT5).
    fn meet(&mut self, child: Option<Arc<Node>>, outcome: &Arc<Outcome>) {
        let Some(child) = child else { return };
        let set = child.own_tree().map(|tree| tree.outcome.set(Arc::clone(outcome)));
        if set.is_some_and(|set| set.is_ok()) { &mut self.nodes } else { &mut self.strangers }.push(child);
    }
}

/// Ends a node and everything below it, unless it has ended; returns how many ended by this call.
pub(super) fn end(root: &Arc<Node>, error: ContextError, cause: Option<Cause>) -> usize {
    let Some(tree) = root.own_tree() else { return 0 };
    let cause = cause.unwrap_or_else(|| Cause::of(error));
    let _uninterruptible = Uninterruptible::begin();
    let settling = tree.settling.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = Arc::new(Outcome { error, cause, root: Arc::downgrade(root) });
    if tree.outcome.set(Arc::clone(&outcome)).is_err() {
        drop(settling);
        tree.wait_until_settled();
        return 0;
    }
    let mut found = Found { nodes: vec![Arc::clone(root)], ..Found::default() };
    let mut count = 0;
    while let Some(node) = found.nodes.get(count).cloned() {
        if let Some(tree) = node.own_tree() {
            tree.end(&outcome, &mut found);
        }
        count += 1;
    }
    // Who meets this end waits for its `settling`, and that is to be enough. Whoever had ended a member before began there: everybody who
    // holds a lock of this kind waits for one further down, so nobody waits in a circle.
    found.strangers.iter().filter_map(|stranger| stranger.own_tree()).for_each(Tree::wait_until_settled);
    drop(settling);
    if let Some(parent) = &root.parent {
        tree.leave(parent);
    }
    for Func { call, creator, at, node } in found.funcs {
        go_at(call, creator, at);
        drop(node);
    }
    count
}

/// While it exists a goexit that user code has caught is not raised again: half an end is none.
struct Uninterruptible {
    was: bool,
}

impl Uninterruptible {
    fn begin() -> Uninterruptible {
        let gp = enter().g();
        let was = gp.has(flag::UNINTERRUPTIBLE);
        gp.set(flag::UNINTERRUPTIBLE);
        Uninterruptible { was }
    }
}

impl Drop for Uninterruptible {
    fn drop(&mut self) {
        if !self.was {
            enter().g().unset(flag::UNINTERRUPTIBLE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: usize = 10_000;

    fn root() -> Arc<Node> {
        Node::plain(None, Kind::Background)
    }

    fn members(node: &Node) -> usize {
        node.tree().map_or(0, |tree| tree.state().members.len())
    }

    fn ended(node: &Arc<Node>) -> bool {
        node.tree().is_some_and(|tree| tree.outcome().is_some() && tree.cancel.is_ended())
    }

    /// Counts visits, which is what a cancel costs: each node below is visited once, and none twice.
    #[test]
    fn an_end_visits_each_context_once_whatever_the_shape_of_the_tree() {
        let background = root();
        let wide = Node::with_tree(&background, None);
        let leaves: Vec<_> = (1..MANY).map(|_| Node::with_tree(&wide, None)).collect();
        assert_eq!(members(&wide), MANY - 1);
        assert_eq!(end(&wide, ContextError::Canceled, None), MANY);
        assert!(leaves.iter().all(ended));

        let deep = Node::with_tree(&background, None);
        let mut chain = vec![deep];
        for _ in 1..MANY {
            let next = Node::with_tree(&chain[chain.len() - 1], None);
            chain.push(next);
        }
        assert_eq!(end(&chain[MANY / 2], ContextError::Canceled, None), MANY / 2);
        assert_eq!(end(&chain[0], ContextError::DeadlineExceeded, None), MANY / 2);
        assert_eq!(end(&chain[0], ContextError::Canceled, None), 0);
        assert!(chain.iter().all(ended));
    }

    #[test]
    fn whoever_ends_or_goes_leaves_the_parent() {
        let parent = Node::with_tree(&root(), None);
        let mut children: Vec<_> = (0..100).map(|_| Node::with_tree(&parent, None)).collect();
        assert_eq!(end(&children[3], ContextError::Canceled, None), 1);
        assert_eq!(members(&parent), 99);
        // Ended already: its place, which somebody else has now, is not given back again.
        let next = Node::with_tree(&parent, None);
        children.truncate(3);
        assert_eq!(members(&parent), 4);
        drop(children);
        assert_eq!(members(&parent), 1);
        assert_eq!(end(&parent, ContextError::Canceled, None), 2);
        assert!(ended(&next));
    }
}
