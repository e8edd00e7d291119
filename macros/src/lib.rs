//! The attributes of goruntime, `main`, `init` and `test`, and the inside of its `select!`.
//!
//! Why here: outside of the floors. A procedural macro needs a crate of its own; `goruntime` re-exports them all, and
//! the expansions name nothing but `goruntime::__private` and, in `select!`, `goruntime::channel`.
//!
//! *Invariants*
//! - X1. The function of the user is emitted also when something is wrong, so that an editor keeps understanding it.
//! - X2. Everything that is wrong is reported in one go, each at its own token.
//! - X3. Tokens of the user keep their spans; tokens of ours carry the span of the attribute.
//!
//! *Locks*: none.
//!
//! *Go:* `main.main`, `init` functions and `testing.T` are known to Go's compiler and linker; here they are attributes.

mod args;
mod cut;
mod errors;
mod expressions;
mod init_attr;
mod item;
mod main_attr;
mod select;
mod test_attr;

use proc_macro::TokenStream;

/// Turns `fn main` into goroutine 1 of the runtime.
///
/// The thread that enters `main` becomes the main thread of the runtime, init functions run in order, then the body
/// runs as a goroutine. When it returns, the program ends; other goroutines are not waited for.
/// Every return type that a plain `main` may have works: `()`, `Result<(), E>`, `ExitCode`, `!`.
///
/// # Arguments
///
/// | argument | value | meaning |
/// |---|---|---|
/// | `max_procs` | constant `usize`, at least 1 | goroutines that run at the same time; `GOMAXPROCS` of the environment wins |
/// | `main_stack_size` | constant `usize`, bytes, at most 1 GiB | stack of the main goroutine |
/// | `stack_size` | constant `usize`, bytes, at most 1 GiB | stack of every other goroutine |
/// | `migrate` | `true` or `false` | whether goroutines may move between threads; `true` unless given |
/// | `crate` | path or string | where goruntime is found; `::goruntime` unless given |
///
/// A value that contains a comma outside of brackets goes into braces: `max_procs = { pick::<A, B>() }`.
///
/// # Examples
///
/// ```ignore
/// #[goruntime::main(max_procs = 4, stack_size = 64 * 1024)]
/// fn main() -> Result<(), std::io::Error> {
///     goruntime::go(|| println!("hello"));
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    main_attr::expand(args.into(), item.into()).into()
}

/// Registers a function that runs before the body of `main`.
///
/// The functions run one after the other on the main goroutine, which stays on the main thread meanwhile, in every crate
/// that the program links. First come the functions that are named in `after`; otherwise the name of the crate decides,
/// then the file, then the line. A function may return `()` or `Result<(), E>` with `E: Debug`; an error or a panic
/// ends the program with status 2.
///
/// A hidden type of the same name goes with the function, so that `after` finds it by the path of the function.
///
/// # Arguments
///
/// | argument | value | meaning |
/// |---|---|---|
/// | `after` | list of paths | init functions, of this crate or of others, that run before this one |
/// | `crate` | path or string | where goruntime is found; `::goruntime` unless given |
///
/// # Examples
///
/// ```ignore
/// #[goruntime::init]
/// fn configure() {}
///
/// #[goruntime::init(after = [configure, database::connect])]
/// fn migrate() -> Result<(), database::Error> {
///     database::migrate()
/// }
/// ```
#[proc_macro_attribute]
pub fn init(args: TokenStream, item: TokenStream) -> TokenStream {
    init_attr::expand(args.into(), item.into()).into()
}

/// Makes a test whose body is a goroutine.
///
/// The function may return what a plain test may return, as long as it is `Send`; `#[should_panic]` and `#[ignore]` work
/// as usual. A deadlock fails the test.
///
/// # Arguments
///
/// | argument | value | meaning |
/// |---|---|---|
/// | `crate` | path or string | where goruntime is found; `::goruntime` unless given |
///
/// # Examples
///
/// ```ignore
/// #[goruntime::test]
/// fn a_goroutine_can_be_joined() {
///     assert_eq!(goruntime::spawn(|| 6 * 7).join().unwrap(), 42);
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    test_attr::expand(args.into(), item.into()).into()
}

/// The inside of `goruntime::select!` and `goruntime::select_biased!`, where it is documented.
///
/// Takes the path of the crate in parentheses, then `random` or `biased`, then the cases.
#[doc(hidden)]
#[proc_macro]
pub fn select_cases(input: TokenStream) -> TokenStream {
    select::expand(input.into()).into()
}
