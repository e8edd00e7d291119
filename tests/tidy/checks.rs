//! The checks: each takes sources and returns complaints.
//!
//! Why here: apart from the tests that call them, so that they can be called with made-up sources.
//!
//! *Invariants*
//! - K1. A check looks at its arguments only.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::collections::BTreeMap;

use crate::lists;
use crate::source::{Source, words};

/// Which module is on which floor.
#[derive(Debug)]
pub(crate) struct Floors(BTreeMap<String, u32>);

impl Floors {
    /// Reads the table in the docs of `lib.rs`: number, modules, two spaces or more, what they are.
    pub(crate) fn from_docs(text: &str) -> Floors {
        let mut floors = BTreeMap::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("//! ")) {
            let Some((number, rest)) = line.split_once("  ") else { continue };
            let (Ok(number), Some((modules, _))) = (number.parse::<u32>(), rest.split_once("  ")) else { continue };
            floors.extend(modules.split_whitespace().map(|module| (module.to_owned(), number)));
        }
        assert!(!floors.is_empty(), "lib.rs has no table of floors");
        Floors(floors)
    }

    /// The floor of a file in `runtime/src`, by its first directory or its name.
    fn of_file(&self, path: &str) -> Option<u32> {
        let inside = path.strip_prefix("runtime/src/")?;
        let module = inside.split(['/', '.']).next()?;
        self.0.get(module).copied()
    }
}

/// Imports of a floor above the file's own; modules without a floor.
pub(crate) fn upward_imports(files: &[Source], floors: &Floors) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| !file.path.ends_with("src/lib.rs")) {
        let Some(own) = floors.of_file(&file.path) else {
            complaints.push(format!("{}: its module is not in the table of floors in lib.rs", file.path));
            continue;
        };
        for (line, module) in imports(&file.code) {
            match floors.0.get(&module) {
                Some(&floor) if floor <= own => {}
                Some(floor) => {
                    complaints.push(format!("{}:{line}: floor {own} imports `{module}` of floor {floor}", file.path))
                }
                None => complaints.push(format!(
                    "{}:{line}: `crate::{module}` is on no floor; name the module it is from",
                    file.path
                )),
            }
        }
    }
    complaints
}

/// The modules named by `crate::..` paths, with their lines.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate` is for other crates.
        if code[..at].ends_with('$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        let list = if rest.starts_with('{') {
            top_level(rest)
        } else {
            words(rest).next().map(|(_, word)| word).into_iter().collect()
        };
        found.extend(list.into_iter().map(|module| (line, module.to_owned())));
    }
    found
}

/// The first words of the entries of `{a, b::{c, d}}`.
fn top_level(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut found = Vec::new();
    let mut begins = false;
    for (at, c) in list.char_indices() {
        match c {
            '{' => (depth, begins) = (depth + 1, depth == 0),
            '}' => depth -= 1,
            ',' => begins = depth == 1,
            c if begins && !c.is_whitespace() => {
                found.extend(words(&list[at..]).next().map(|(_, word)| word));
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Files without a head, or whose head leaves a question open.
pub(crate) fn heads(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let head = file.head().replace('*', "");
        if head.is_empty() {
            complaints.push(format!("{}: no `//!` head", file.path));
            continue;
        }
        let missing: Vec<_> = lists::QUESTIONS.into_iter().filter(|question| !head.contains(question)).collect();
        if !missing.is_empty() && !file.path.ends_with("runtime/src/lib.rs") {
            complaints.push(format!("{}: the head lacks {}", file.path, missing.join(", ")));
        }
    }
    complaints
}

/// Files over a cap, their tests left out.
pub(crate) fn long_files(files: &[Source], cap: usize) -> Vec<String> {
    let lengths = files.iter().map(|file| (file, file.lines_without_tests()));
    let long = lengths.filter(|&(_, length)| length > cap);
    long.map(|(file, length)| format!("{}: {length} lines, the cap is {cap}: cut it by subject", file.path)).collect()
}

/// Functions over the cap.
pub(crate) fn long_functions(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        for (name, first, last) in file.functions() {
            let length = last + 1 - first;
            if length > lists::FUNCTION_CAP {
                complaints.push(format!(
                    "{}:{first}: `{name}` has {length} lines, the cap is {}",
                    file.path,
                    lists::FUNCTION_CAP
                ));
            }
        }
    }
    complaints
}

/// Unsafe code in files that are not on the list, and files on the list without any.
pub(crate) fn unlisted_unsafe(files: &[Source], list: &[(&str, &str)]) -> Vec<String> {
    let users = files.iter().filter_map(|file| {
        let (at, _) = words(&file.code).find(|&(_, word)| word == "unsafe")?;
        Some((file.path.as_str(), file.code[..at].matches('\n').count() + 1))
    });
    against_list(users.collect(), list, "unsafe code", "UNSAFE")
}

/// Conditional compilation in files that are not on the list, and files on the list without any. Tests are free, and so is the
/// question how the program panics.
pub(crate) fn unlisted_cfg(files: &[Source], list: &[(&str, &str)]) -> Vec<String> {
    let users = files.iter().filter_map(|file| {
        let mut lines = file.code_lines();
        let (number, _) = lines.find(|(_, line)| {
            lists::CONDITIONS.into_iter().any(|word| line.replace("cfg!(panic", "").contains(word))
        })?;
        Some((file.path.as_str(), number))
    });
    against_list(users.collect(), list, "conditional compilation", "CFG")
}

/// Entries of the list that end in a slash stand for a directory.
fn against_list(users: Vec<(&str, usize)>, list: &[(&str, &str)], what: &str, name: &str) -> Vec<String> {
    let covers = |entry: &str, path: &str| if entry.ends_with('/') { path.starts_with(entry) } else { path == entry };
    let unlisted = users.iter().filter(|(path, _)| !list.iter().any(|(entry, _)| covers(entry, path)));
    let mut complaints: Vec<_> = unlisted
        .map(|(path, line)| {
            format!("{path}:{line}: {what}; do without, or give the reason in {name} of tests/tidy/lists.rs")
        })
        .collect();
    let stale = list.iter().filter(|(entry, _)| !users.iter().any(|(path, _)| covers(entry, path)));
    complaints.extend(
        stale.map(|(entry, _)| format!("{entry}: has no {what} any more; strike it off {name} in tests/tidy/lists.rs")),
    );
    complaints
}

/// `SAFETY` comments that would still be true if the code were wrong.
pub(crate) fn empty_arguments(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| !file.path.starts_with("tests/tidy")) {
        let mut inside = false;
        for (index, line) in file.text.lines().enumerate() {
            let comment = line.trim_start();
            inside = comment.starts_with("// SAFETY") || inside && comment.starts_with("//");
            let words = lists::EMPTY_WORDS.into_iter().filter(|words| inside && comment.to_lowercase().contains(words));
            complaints.extend(words.map(|words| format!("{}:{}: \"{words}\" is no argument", file.path, index + 1)));
        }
    }
    complaints
}

/// Functions with an ordering above Relaxed and no comment, in or above them or in the head of the file, that has its name or
/// speaks of pairs. One complaint for each function and ordering.
pub(crate) fn bare_orderings(files: &[Source]) -> Vec<String> {
    let mut complaints = BTreeMap::new();
    for file in files {
        let functions = file.functions();
        let text: Vec<_> = file.text.lines().collect();
        for (number, line) in file.code_lines() {
            let Some(ordering) =
                lists::ORDERINGS.into_iter().find(|ordering| line.contains(&format!("Ordering::{ordering}")))
            else {
                continue;
            };
            let inner = functions
                .iter()
                .filter(|&&(_, first, last)| (first..=last).contains(&number))
                .max_by_key(|function| function.1);
            let (first, last) = inner.map_or((number, number), |&(_, first, last)| (first, last));
            let above =
                text[..first - 1].iter().rev().take_while(|line| line.trim_start().starts_with(['/', '#'])).count();
            let comments = text[first - 1 - above..last]
                .iter()
                .filter_map(|line| line.split_once("//"))
                .map(|(_, comment)| comment);
            if !comments.chain([file.head().as_str()]).any(|comment| explains(comment, ordering)) {
                let complaint = || format!("{}:{number}: {ordering} without a word about its partner", file.path);
                complaints.entry((&file.path, first, ordering)).or_insert_with(complaint);
            }
        }
    }
    complaints.into_values().collect()
}

fn explains(comment: &str, ordering: &str) -> bool {
    comment.contains(ordering)
        || ["pairs with", "StoreLoad", "store-load"].into_iter().any(|words| comment.contains(words))
}

/// What is for the day only.
pub(crate) fn leftovers(files: &[Source], exceptions: &[(&str, &str)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| !file.path.starts_with("tests/tidy")) {
        for (index, line) in file.text.lines().enumerate() {
            let is_doc = line.trim_start().starts_with("//");
            let left =
                lists::left_over().into_iter().filter(|(word, in_docs)| line.contains(word) && (*in_docs || !is_doc));
            let left = left.filter(|(word, _)| !exceptions.contains(&(file.path.as_str(), word)));
            complaints.extend(left.map(|(word, _)| format!("{}:{}: `{word}`", file.path, index + 1)));
        }
    }
    complaints
}

/// Prints in code that is to be silent, or to write with `base::throw::print`.
pub(crate) fn prints(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let lines =
            file.code_lines().filter(|(_, line)| ["print!(", "println!("].into_iter().any(|word| line.contains(word)));
        complaints.extend(lines.map(|(number, _)| format!("{}:{number}: a print", file.path)));
    }
    complaints
}

/// A changelog whose first section is not the unreleased one, or has nothing in it.
pub(crate) fn changelog(text: &str) -> Vec<String> {
    let mut sections = text.split("\n## ").skip(1);
    let first = sections.next().unwrap_or_default();
    if !first.starts_with("Unreleased") {
        return vec!["CHANGELOG.md: the first section is not `Unreleased`".to_owned()];
    }
    let is_empty = sections.next().is_none() && !first.contains("\n* ");
    if is_empty { vec!["CHANGELOG.md: it has no entry at all".to_owned()] } else { Vec::new() }
}
