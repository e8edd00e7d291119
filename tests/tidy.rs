//! What the compiler does not check: floors, heads, caps, where `unsafe` and `cfg` may stand, and the words around them.
//!
//! Why here: rules that nothing checks are forgotten. Each check is a function from sources to complaints, and the last test
//! shows that each complains when it has to.
//!
//! *Invariants*
//! - T1. A complaint names file and line, and says what to do.
//! - T2. An exception stands in `tidy/lists.rs` with its reason, and an exception that nothing needs is a complaint.
//!
//! *Locks*: none.
//!
//! *Go:* `cmd/vet` and `cmd/dist/test.go`, in spirit.

#[path = "tidy/checks.rs"]
mod checks;
#[path = "tidy/lists.rs"]
mod lists;
#[path = "tidy/safety.rs"]
mod safety;
#[path = "tidy/source.rs"]
mod source;

use checks::Floors;
use source::{Source, read, root, sources};

const SHIPPED: [&str; 2] = ["runtime/src", "macros/src"];
const EVERYTHING: [&str; 5] = ["runtime", "macros", "examples", "tests", "benches"];

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n{} complaints", complaints.join("\n"), complaints.len());
}

#[test]
fn a_file_imports_only_its_own_floor_or_lower_ones() {
    let floors = Floors::from_docs(&read("runtime/src/lib.rs"));
    none(checks::upward_imports(&sources(&["runtime/src"]), &floors));
}

#[test]
fn every_file_has_a_head_that_answers_the_questions() {
    none(checks::heads(&sources(&SHIPPED)));
}

#[test]
fn files_and_functions_are_short() {
    none(checks::long_files(&sources(&EVERYTHING), lists::FILE_CAP));
    let (apps, examples): (Vec<_>, Vec<_>) =
        sources(&["examples"]).into_iter().partition(|file| file.path.starts_with("examples/apps/"));
    none(checks::long_files(&examples, lists::EXAMPLE_CAP));
    none(checks::long_files(&apps, lists::APP_CAP));
    none(checks::long_functions(&sources(&EVERYTHING)));
}

#[test]
fn unsafe_stands_only_in_the_listed_files() {
    none(checks::unlisted_unsafe(&sources(&SHIPPED), lists::UNSAFE));
}

#[test]
fn what_unsafe_code_relies_on_is_written_down_and_exists() {
    let doc = read("runtime/SAFETY.md");
    let names = safety::known_names(&sources(&EVERYTHING), |path| root().join(path).exists(), &doc);
    none(safety::complaints(&doc, &sources(&["runtime/src"]), lists::UNSAFE, &names));
}

#[test]
fn safety_comments_argue() {
    none(checks::empty_arguments(&sources(&EVERYTHING)));
}

#[test]
fn conditional_compilation_stands_only_in_the_listed_files() {
    none(checks::unlisted_cfg(&sources(&SHIPPED), lists::CFG));
}

#[test]
fn strong_orderings_are_explained() {
    none(checks::bare_orderings(&sources(&["runtime/src"])));
}

#[test]
fn nothing_is_left_over() {
    none(checks::leftovers(&sources(&EVERYTHING), lists::LEFTOVERS));
    none(checks::prints(&sources(&SHIPPED)));
}

#[test]
fn the_changelog_has_an_unreleased_section_on_top() {
    none(checks::changelog(&read("CHANGELOG.md")));
}

#[test]
fn the_first_program_of_the_readme_is_the_example() {
    let hello = read("examples/hello.rs");
    let program = hello.split_once("\n\n").expect("a head, then the program").1;
    assert!(
        read("README.md").contains(&format!("```rust\n{program}```")),
        "README.md shows another program than examples/hello.rs"
    );
}

/// What a document may get wrong, each with a part of the complaint.
#[test]
fn the_check_of_the_document_complains_when_it_has_to() {
    let head = "//! *Invariants.* S1, X1. L1. A sentence. L2. `word` is one.\n\n";
    let code = "unsafe impl<T: Send> Send for List<T> {}\nfn deref() {\n    unsafe { f() };\n}\nfn caught() {}\n";
    let file = [Source::new("runtime/src/base/x.rs", &format!("{head}{code}"))];
    let good = "### `base/x.rs`\n\nUnsafe in `deref`; `Send for List`.\n\n* **L1.** It is so. *Used:* `deref`. *Why:* because. *Caught:*\n  `caught`.\n\
                * **L2.** It is one. *Used:* `deref`. *Why:* because. *Caught:* none: by reading.\n\n`elsewhere` is not looked up.\n";
    let complaints = |doc: &str| {
        let names = safety::known_names(&file, |_| false, doc);
        safety::complaints(doc, &file, &[("runtime/src/base/", "for a reason")], &names)
    };
    assert_eq!(complaints(good), Vec::<String>::new());
    let changes = [
        ("### `base/x.rs`", "## Base", "has no section"),
        ("### `base/x.rs`", "### `base/y.rs`", "there is no file"),
        ("**L2.**", "**L3.**", "does not explain L2"),
        ("**L2.**", "**L3.**", "does not define L3"),
        ("**L2.**", "**L1.**", "labels are unique"),
        ("`Send for List`", "`List`", "does not name `Send for List`"),
        ("`deref`", "it", "does not name `deref`"),
        ("*Why:*", "", "lacks *Why:*"),
        ("`caught`", "`missed`", "`missed` catches nothing"),
    ];
    for (what, instead, complaint) in changes {
        let found = complaints(&good.replace(what, instead));
        assert!(found.iter().any(|found| found.contains(complaint)), "{complaint}: {found:?}");
    }
}

/// Each check, and something that it has to complain about.
#[test]
fn the_checks_complain_when_they_have_to() {
    let floors = Floors::from_docs("//! 1  base   text\n//! 0  os   text\n");
    let one = |path: &str, text: &str| [Source::new(path, text)];
    let os = |text: &str| one("runtime/src/os/x.rs", text);
    let base = |text: &str| one("runtime/src/base/x.rs", text);
    let long = |lines: usize| base(&format!("fn f() {{\n{}}}\n", "    f();\n".repeat(lines)));
    let bad = [
        checks::upward_imports(&os("use crate::base::Lock;"), &floors),
        checks::upward_imports(&os("use crate::{os, base};"), &floors),
        checks::upward_imports(&base("use crate::cellar::Wine;"), &floors),
        checks::heads(&base("//! What.\n//!\n//! Why here: floor 1.\n//!\n//! *Locks*: none.\n//!\n//! *Go:* none.\n")),
        checks::heads(&base("use core::fmt;\n")),
        checks::long_files(&long(600), 500),
        checks::long_functions(&long(60)),
        checks::unlisted_unsafe(&base("fn f() { unsafe { g() } }"), &[]),
        checks::unlisted_unsafe(&base("fn f() {} // unsafe"), &[("runtime/src/base/x.rs", "for nothing")]),
        checks::empty_arguments(&base("// SAFETY: as required.\n")),
        checks::unlisted_cfg(&base("#[cfg(unix)]\nfn f() {}"), &[]),
        checks::unlisted_cfg(&base("fn f() {}"), &[("runtime/src/base/x.rs", "for nothing")]),
        checks::bare_orderings(&base("fn f() {\n    X.load(Ordering::Acquire);\n}\n")),
        checks::leftovers(&base(concat!("// TO", "DO: later")), &[]),
        checks::leftovers(&base(concat!("static ", "mut X: u8 = 0;")), &[]),
        checks::prints(&base("fn f() { println!(\"here\"); }")),
        checks::changelog("# Changelog\n\n## 1.0.0\n\n* x\n"),
        checks::changelog("# Changelog\n\n## Unreleased\n"),
    ];
    for (number, complaints) in bad.iter().enumerate() {
        assert!(!complaints.is_empty(), "case {number} passed");
    }
    let good = [
        checks::upward_imports(
            &base("use crate::os; // crate::proc\nmacro_rules! m { () => { $crate::proc } }"),
            &floors,
        ),
        checks::unlisted_unsafe(
            &base("// unsafe\nconst A: &str = \"unsafe\"; #[cfg(test)]\nmod tests { unsafe fn f() {} }"),
            &[],
        ),
        checks::unlisted_cfg(&base("#[cfg(test)]\nmod tests {\n    #[cfg(unix)]\n    fn f() {}\n}\n"), &[]),
        checks::bare_orderings(&base(
            "fn f() {\n    // Acquire: pairs with the Release in g.\n    X.load(Ordering::Acquire);\n}\n",
        )),
        checks::long_functions(&long(58)),
    ];
    for (number, complaints) in good.iter().enumerate() {
        assert_eq!(complaints, &Vec::<String>::new(), "good case {number}");
    }
}
