//! The sources of the project as the checks see them: code without its comments and texts, and without its tests.
//!
//! Why here: a check that greps for `unsafe` or `cfg(` must not find them in prose.
//!
//! *Invariants*
//! - S1. `code` has as many lines as the file, and each is as long as the original or shorter at its end only by white space,
//!   so line numbers and columns agree.
//! - S2. What is blanked out: comments, what is between the quotes of texts and characters, and items under `#[cfg(test)]`.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with everything blanked out that is not code (S1, S2).
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let code = if is_test_file(path) { blank_all(text) } else { without_tests(&without_prose(text)) };
        Source { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The `//!` comment at the beginning, without its slashes.
    pub(crate) fn head(&self) -> String {
        // In files whose `//!` is read by users, the answers stand in a plain comment below it.
        let lines =
            self.text.lines().take_while(|line| line.starts_with("//") && !line.starts_with("///") || line.is_empty());
        lines.map(|line| line.trim_start_matches(['/', '!']).trim()).collect::<Vec<_>>().join("\n")
    }

    /// The lines of code with their numbers.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Number of lines up to the last one that is not part of the tests.
    pub(crate) fn lines_without_tests(&self) -> usize {
        if is_test_file(&self.path) {
            return self.text.lines().count();
        }
        self.code_lines().filter(|(_, line)| !line.trim().is_empty()).last().map_or(0, |(number, _)| number)
    }

    /// Name, first and last line of every function with a body.
    pub(crate) fn functions(&self) -> Vec<(String, usize, usize)> {
        let mut found = Vec::new();
        for (at, _) in words(&self.code).filter(|&(_, word)| word == "fn") {
            let rest = self.code[at + 2..].trim_start();
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(body) = self.code[at..].find(['{', ';']).map(|offset| at + offset) else { continue };
            if name.is_empty() || self.code.as_bytes()[body] == b';' {
                continue;
            }
            let end = body + closing(&self.code[body..]);
            found.push((name, self.line_of(at), self.line_of(end)));
        }
        found
    }

    fn line_of(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

/// The identifiers of a piece of code, with their places.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + code[at..].find(is_part)?;
        let end = code[start..].find(|c| !is_part(c)).map_or(code.len(), |length| start + length);
        at = end;
        Some((start, &code[start..end]))
    })
}

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_owned()
}

/// Reads a file by its path from the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files below some directories of the root.
pub(crate) fn sources(directories: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for directory in directories {
        collect(&root().join(directory), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no sources in {directories:?}");
    found
}

fn collect(directory: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("a directory can be read to its end").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with("target") {
            collect(&path, found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let relative = path.strip_prefix(root()).expect("it was found below the root");
            found.push(Source::new(&relative.to_string_lossy().replace('\\', "/"), &text));
        }
    }
}

/// Files that are compiled only for tests: `tests.rs` and what is in `tests/` inside of a crate's `src`.
fn is_test_file(path: &str) -> bool {
    path.contains("/src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
        || path.split_once("/src/").is_some_and(|(_, inside)| inside.ends_with("_tests.rs"))
}

fn blank_all(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// Blanks out comments and the insides of texts and characters.
fn without_prose(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (keep, length) = token(rest, first, code.chars().next_back());
        let (token, after) = rest.split_at(length);
        if keep {
            code.push_str(token);
        } else {
            code.push_str(&blank_all(token));
        }
        rest = after;
    }
    code
}

/// Whether the piece that begins here is code, and how long it is.
fn token(rest: &str, first: char, before: Option<char>) -> (bool, usize) {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match first {
        '/' if rest.starts_with("//") => (false, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (false, block_comment(rest)),
        '"' => (false, text_end(rest)),
        'r' | 'b' | 'c' if !in_word => match raw_text(rest) {
            Some(length) => (false, length),
            None => (true, 1),
        },
        '\'' => match character(rest) {
            Some(length) => (false, length),
            None => (true, 1),
        },
        _ => (true, first.len_utf8()),
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn text_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of `r"..."`, `br#"..."#`, `c"..."` and the like.
fn raw_text(rest: &str) -> Option<usize> {
    let letters = rest.find(|c: char| !matches!(c, 'r' | 'b' | 'c'))?;
    let quote = letters + rest[letters..].find(|c| c != '#')?;
    if letters > 2 || !rest[quote..].starts_with('"') {
        return None;
    }
    if !rest[..letters].contains('r') {
        return (quote == letters).then(|| letters + text_end(&rest[letters..]));
    }
    let end = format!("\"{}", &rest[letters..quote]);
    rest[quote + 1..].find(&end).map(|at| quote + 1 + at + end.len())
}

/// The length of a character; `None` for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (_, _escaped) = chars.next()?;
        return chars.find(|&(_, c)| c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|&(_, c)| c == '\'').map(|(at, _)| at + 1)
}

/// Blanks out the items under `#[cfg(test)]` and its relatives.
fn without_tests(code: &str) -> String {
    let mut code = code.to_owned();
    for attribute in ["#[cfg(test)]", "#[cfg(all(test,"] {
        while let Some(at) = code.find(attribute) {
            let Some(body) = code[at..].find(['{', ';']).map(|offset| at + offset) else { break };
            let end = if code.as_bytes()[body] == b';' { body + 1 } else { body + closing(&code[body..]) };
            code.replace_range(at..end, &blank_all(&code[at..end]));
        }
    }
    code
}

/// The place after the brace that closes the one at the beginning.
fn closing(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}
