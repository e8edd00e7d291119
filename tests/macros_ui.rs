//! The attributes as the compiler sees them: what they accept, and what they say about everything else.
//!
//! Why here: procedural macros can be tested only by a crate that uses them.
//!
//! *Invariants*
//! - The programs in `ui/pass` compile and end with status 0.
//! - Those in `ui/fail` fail with our own messages and nothing else, so the snapshots survive compiler updates. After a
//!   wanted change `TRYBUILD=overwrite cargo test --test macros_ui` writes them anew.
//!
//! *Locks*: none.
//!
//! *Go:* the `errorcheck` tests in `test/`.

#[test]
fn attributes_accept_and_refuse_what_they_promise() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}

mod test_attribute {
    #[goruntime::test]
    fn a_result_may_be_returned() -> Result<(), std::num::ParseIntError> {
        "4".parse::<u8>().map(drop)
    }

    #[goruntime::test]
    #[should_panic(expected = "not four: 5")]
    fn a_panic_reaches_should_panic() {
        let number = 2 + 3;
        assert_eq!(number, 4, "not four: {number}");
    }

    #[goruntime::test]
    #[should_panic(expected = "ParseIntError")]
    fn an_unwrapped_error_fails() {
        "x".parse::<u8>().unwrap();
    }
}
