//! `runtime/SAFETY.md` against the sources.
//!
//! Why here: a list of what unsafe code relies on is worth as much as it is true. What it says is for readers to judge; that nothing is missing in it, and that
//! what it names exists, can be checked.
//!
//! *Invariants*
//! - SA1. A section is a heading with the path of a file below `runtime/src`, and what follows it up to the next heading. An entry is a list item in it.
//! - SA2. A label is defined where its sentence begins: `T1. A timer's fields ..`; anywhere else it is a mention.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// What an entry says of its labels.
const PARTS: [&str; 3] = ["*Used:*", "*Why:*", "*Caught:*"];
const ROOT: &str = "runtime/src/";

/// Everything that is amiss between the document, the files that may have unsafe code, and what exists (`sources`, and names of other things).
pub(crate) fn complaints(
    doc: &str,
    sources: &[Source],
    listed: &[(&str, &str)],
    names: &BTreeSet<String>,
) -> Vec<String> {
    let sections = sections(doc);
    let mut complaints = Vec::new();
    let mut seen = BTreeMap::new();
    for (path, section) in &sections {
        let Some(file) = sources.iter().find(|file| file.path.strip_prefix(ROOT) == Some(path)) else {
            complaints.push(format!("SAFETY.md: there is no file {ROOT}{path}"));
            continue;
        };
        let defined = labels_defined(&file.head());
        for label in labels_explained(section) {
            if !defined.contains(&label) {
                complaints.push(format!("SAFETY.md: {path} does not define {label}"));
            }
            if let Some(other) = seen.insert(label.clone(), path.clone()) {
                complaints
                    .push(format!("SAFETY.md: {label} is explained for {other} and for {path}; labels are unique"));
            }
        }
        complaints.extend(incomplete_entries(path, section));
        complaints.extend(unknown_names(path, section, names));
    }
    for file in sources.iter().filter(|file| listed.iter().any(|(entry, _)| file.path.starts_with(entry))) {
        complaints.extend(uncovered(file, &sections));
    }
    complaints
}

/// What the section of a file lacks.
fn uncovered(file: &Source, sections: &BTreeMap<String, String>) -> Vec<String> {
    let path = file.path.strip_prefix(ROOT).unwrap_or(&file.path);
    let (defined, unsafe_places) = (labels_defined(&file.head()), unsafe_places(file));
    let Some(section) = sections.get(path) else {
        let is_plain = defined.is_empty() && unsafe_places.is_empty();
        let complaint = format!("{}: SAFETY.md has no section ### `{path}`", file.path);
        return if is_plain { Vec::new() } else { vec![complaint] };
    };
    let explained = labels_explained(section);
    let labels = defined.iter().filter(|label| !explained.contains(*label));
    let labels = labels.map(|label| format!("{}: SAFETY.md does not explain {label}", file.path));
    let places = unsafe_places.iter().filter(|place| !section.contains(&format!("`{place}`")));
    labels
        .chain(places.map(|place| format!("{}: SAFETY.md does not name `{place}`, which is unsafe", file.path)))
        .collect()
}

/// The sections by their paths, white space made even.
fn sections(doc: &str) -> BTreeMap<String, String> {
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut current = None;
    for line in doc.lines() {
        if line.starts_with('#') {
            let path = line.strip_prefix("### `").and_then(|line| line.strip_suffix('`'));
            current = path.map(str::to_owned);
        }
        if let Some(path) = &current {
            let text = sections.entry(path.clone()).or_default();
            // A line for each entry and paragraph.
            text.push_str(if line.is_empty() || line.starts_with("* ") { "\n" } else { " " });
            text.push_str(line.trim());
        }
    }
    sections
}

/// The labels that a head defines (SA2).
fn labels_defined(head: &str) -> BTreeSet<String> {
    let words: Vec<&str> = head.split_whitespace().collect();
    let begins = |word: &str| word.starts_with(|c: char| c.is_uppercase() || c == '`' || c == '"');
    let pairs = words.windows(2).filter(|pair| begins(pair[1]) && as_label(pair[1], '.').is_none());
    pairs.filter_map(|pair| as_label(pair[0], '.')).map(str::to_owned).collect()
}

/// The labels that a section explains: `**T1.**`.
fn labels_explained(section: &str) -> Vec<String> {
    section.split("**").skip(1).step_by(2).filter_map(|bold| as_label(bold, '.')).map(str::to_owned).collect()
}

/// One to three capitals and a number, before `end`.
fn as_label(word: &str, end: char) -> Option<&str> {
    let label = word.strip_suffix(end)?;
    let letters = label.len() - label.trim_start_matches(|c: char| c.is_ascii_uppercase()).len();
    let digits = &label[letters..];
    let is_label = (1..=3).contains(&letters) && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_label.then_some(label)
}

/// Entries that do not say all that an entry says.
fn incomplete_entries(path: &str, section: &str) -> Vec<String> {
    let entries = section.split('\n').filter(|entry| entry.starts_with("* **"));
    let lacks = |entry: &str| PARTS.iter().copied().filter(|part| !entry.contains(part)).collect::<Vec<_>>().join(" ");
    let name = |entry: &str| labels_explained(entry).join(", ");
    let complaint = |entry| format!("SAFETY.md: the entry {} of {path} lacks {}", name(entry), lacks(entry));
    entries.filter(|entry| !lacks(entry).is_empty()).map(complaint).collect()
}

/// What is said to catch a violation, and does not exist.
fn unknown_names(path: &str, section: &str, names: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for caught in section.split(PARTS[2]).skip(1).filter_map(|rest| rest.split('\n').next()) {
        let quoted = caught.split('`').skip(1).step_by(2);
        let unknown = quoted.filter(|name| !names.contains(*name));
        complaints
            .extend(unknown.map(|name| format!("SAFETY.md: {path}: `{name}` catches nothing: it does not exist")));
    }
    complaints
}

/// Where a file has unsafe code: functions, and what `unsafe impl` is for.
fn unsafe_places(file: &Source) -> BTreeSet<String> {
    let functions = file.functions();
    let mut places = BTreeSet::new();
    for (number, line) in file.code_lines() {
        for (at, _) in crate::source::words(line).filter(|&(_, word)| word == "unsafe") {
            let rest = &line[at..];
            if let Some(implementation) = rest.strip_prefix("unsafe impl") {
                places.insert(without_generics(implementation));
            } else if let Some((_, name)) =
                rest.split_once("fn ").filter(|_| rest.contains("unsafe fn") || rest.contains("unsafe extern"))
            {
                let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // A type of functions has no name.
                places.extend((!name.is_empty()).then_some(name));
            } else {
                let around = functions.iter().filter(|(_, first, last)| (*first..=*last).contains(&number));
                places.extend(around.min_by_key(|(_, first, last)| last - first).map(|(name, ..)| name.clone()));
            }
        }
    }
    places
}

/// `Send for List` of ` <T: Linked + Send> Send for List<T> {}`.
fn without_generics(implementation: &str) -> String {
    let (mut depth, mut plain) = (0, String::new());
    for c in implementation.chars().take_while(|&c| c != '{') {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain.trim().to_owned()
}

/// The names that a section may give as what catches a violation: functions and types of the sources, tests included, the scenarios of `tests/stress`, the programs of
/// `tests/ui/refused`, and paths.
pub(crate) fn known_names(sources: &[Source], exists: impl Fn(&str) -> bool, doc: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in sources {
        names.extend(file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).map(str::to_owned));
        for introduction in ["fn ", "struct ", "name: \""] {
            let after = file.text.split(introduction).skip(1);
            names.extend(
                after.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()),
            );
        }
    }
    let paths = doc.split('`').skip(1).step_by(2).filter(|name| name.contains(['/', '.']));
    names.extend(paths.filter(|path| exists(path) || exists(&format!("{ROOT}{path}"))).map(str::to_owned));
    names.remove("");
    names
}
