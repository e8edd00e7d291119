//! A tree of contexts, and what a model knows of each.
//!
//! Why here: a part of `programs`.
//!
//! *Invariants*
//! - TR1. What ends a context ends those below it, with the same error; nothing goes on after it has ended.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use goruntime::channel::TryRecvError;
use goruntime::context::{
    CancelFunc, Context, ContextError, StopFunc, after_func, background, with_cancel, with_timeout, with_value,
    without_cancel,
};
use goruntime::runtime::yield_now;

const HOUR: Duration = Duration::from_secs(3600);
/// Most contexts of a program.
const MOST: usize = 40;

struct Node {
    context: Context,
    cancel: Option<CancelFunc>,
    /// The context whose end is the end of this one.
    parent: Option<usize>,
    end: Option<ContextError>,
    value: Option<u64>,
    has_deadline: bool,
}

/// A function that is called when a context has ended.
struct Call {
    stop: StopFunc,
    node: usize,
    is_pending: bool,
}

/// The contexts, parents before children.
pub(super) struct Tree {
    nodes: Vec<Node>,
    calls: Vec<Call>,
    called: Arc<AtomicUsize>,
    expected_calls: usize,
}

impl Tree {
    pub(super) fn new() -> Tree {
        let root =
            Node { context: background(), cancel: None, parent: None, end: None, value: None, has_deadline: false };
        Tree { nodes: vec![root], calls: Vec::new(), called: Arc::default(), expected_calls: 0 }
    }

    /// A context that has ended, if there is one.
    pub(super) fn an_end(&self) -> Option<&Context> {
        self.nodes.iter().find(|node| node.end.is_some()).map(|node| &node.context)
    }

    /// Does an operation, and compares.
    pub(super) fn step(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let at = bytes.choose_index(self.nodes.len())?;
        match bytes.int_in_range(0..=7)? {
            how @ 0..=4 if self.nodes.len() < MOST => self.derive(at, how, bytes.arbitrary()?),
            5 => self.end_of(at, bytes.arbitrary()?),
            6 if self.calls.len() < MOST => self.call_after(at),
            _ => self.stop(bytes.choose_index(MOST)?),
        }
        self.look(bytes.choose_index(self.nodes.len())?);
        Ok(())
    }

    fn derive(&mut self, at: usize, how: u8, value: u64) {
        let parent = &self.nodes[at];
        let (mut end, mut cancel, mut above) = (parent.end, None, Some(at));
        let (mut known, mut has_deadline) = (parent.value, parent.has_deadline);
        let context = match how {
            0 => {
                let (context, function) = with_cancel(&parent.context);
                cancel = Some(function);
                context
            }
            1 | 2 => {
                let limit = if how == 1 { HOUR } else { Duration::ZERO };
                let (context, function) = with_timeout(&parent.context, limit);
                cancel = Some(function);
                has_deadline = true;
                if how == 2 {
                    end = end.or(Some(ContextError::DeadlineExceeded));
                }
                context
            }
            3 => {
                known = Some(value);
                with_value(&parent.context, value)
            }
            _ => {
                (end, above, has_deadline) = (None, None, false);
                without_cancel(&parent.context)
            }
        };
        self.nodes.push(Node { context, cancel, parent: above, end, value: known, has_deadline });
        self.look(self.nodes.len() - 1);
    }

    /// Cancels, by a call or by dropping the function.
    fn end_of(&mut self, at: usize, drops: bool) {
        let node = &mut self.nodes[at];
        match node.cancel.take() {
            None => return,
            Some(function) if drops => drop(function),
            Some(function) => {
                function.cancel();
                function.cancel();
            }
        }
        node.end = node.end.or(Some(ContextError::Canceled));
        for below in at + 1..self.nodes.len() {
            if let (None, Some(parent)) = (self.nodes[below].end, self.nodes[below].parent) {
                self.nodes[below].end = self.nodes[parent].end;
            }
        }
        for call in self.calls.iter_mut().filter(|call| call.is_pending && self.nodes[call.node].end.is_some()) {
            call.is_pending = false;
            self.expected_calls += 1;
        }
    }

    fn call_after(&mut self, at: usize) {
        let called = Arc::clone(&self.called);
        let stop = after_func(&self.nodes[at].context, move || _ = called.fetch_add(1, Ordering::Relaxed));
        let is_pending = self.nodes[at].end.is_none();
        self.expected_calls += usize::from(!is_pending);
        self.calls.push(Call { stop, node: at, is_pending });
    }

    fn stop(&mut self, at: usize) {
        if let Some(call) = self.calls.get_mut(at) {
            assert_eq!(call.stop.stop(), std::mem::take(&mut call.is_pending), "whether the call was still to come");
        }
    }

    fn look(&self, at: usize) {
        let Node { context, end, value, has_deadline, .. } = &self.nodes[at];
        assert_eq!(context.err(), *end);
        assert_eq!(context.cause().map(|cause| cause.to_string()), end.map(|end| end.to_string()));
        let done = if end.is_some() { TryRecvError::Disconnected } else { TryRecvError::Empty };
        assert_eq!(context.done().try_recv().map(|never| match never {}), Err(done));
        assert_eq!(context.value::<u64>(), value.as_ref());
        assert_eq!(context.deadline().is_some(), *has_deadline);
    }

    /// Everything ends; what was to be called is.
    pub(super) fn end(mut self) {
        (0..self.nodes.len()).for_each(|at| self.end_of(at, true));
        (0..self.nodes.len()).for_each(|at| self.look(at));
        while self.called.load(Ordering::Relaxed) < self.expected_calls {
            yield_now();
        }
        (0..self.calls.len()).for_each(|at| self.stop(at));
        assert_eq!(self.called.load(Ordering::Relaxed), self.expected_calls, "a function was called twice");
    }
}
