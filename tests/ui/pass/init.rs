//! Init functions may be private, nested, named by a keyword and fallible; `after` finds them by their paths.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]

use std::sync::Mutex;

use storage::connect;

static ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());

fn note(name: &'static str) {
    ORDER.lock().unwrap().push(name);
}

/// A module with inits of its own.
pub mod storage {
    /// Documentation stays.
    #[goruntime::init(after = [super::r#type, self::open])]
    pub fn connect() {
        super::note("connect");
    }

    #[goruntime::init]
    pub(super) fn open() -> Result<(), std::fmt::Error> {
        super::note("open");
        Ok(())
    }
}

#[goruntime::init(after = [nested, connect, storage::connect,])]
fn last() -> Result<(), Box<dyn std::error::Error>> {
    note("last");
    Ok(())
}

#[goruntime::init(after = [crate::storage::connect])]
fn nested() {
    #[goruntime::init(after = [last])]
    fn inner() {
        #[goruntime::init(after = [inner])]
        fn innermost() {
            note("innermost");
        }
        note("inner");
    }
    note("nested");
}

#[goruntime::init(crate = "::goruntime")]
fn r#type() {
    note("type");
}

#[goruntime::init]
#[cfg(any())]
fn never() {
    does_not_exist();
}

#[goruntime::main]
fn main() {
    let order = ORDER.lock().unwrap();
    assert_eq!(*order, ["open", "type", "connect", "nested", "last", "inner", "innermost"]);
}
