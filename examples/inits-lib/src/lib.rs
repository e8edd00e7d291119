//! A library that prepares itself before `main`: the linker finds its init functions, nobody calls them.

use std::sync::OnceLock;

static PLACE: OnceLock<&str> = OnceLock::new();
static STORE: OnceLock<String> = OnceLock::new();

/// Opens the store. It stands above `configure`, and runs after it.
#[goruntime::init(after = [configure])]
pub fn open() {
    let place = PLACE.get().expect("`configure` has run");
    STORE.get_or_init(|| format!("store in {place}"));
    println!("storage::open");
}

/// Says where the store is. An error here would end the program with status 2.
#[goruntime::init]
pub fn configure() -> Result<(), &'static str> {
    println!("storage::configure");
    PLACE.set("memory")
}

/// What `open` has opened; nothing before that.
pub fn store() -> Option<&'static str> {
    STORE.get().map(String::as_str)
}
