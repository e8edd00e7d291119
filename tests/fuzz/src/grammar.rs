//! Texts in Rust, chosen by bytes from a table of productions.
//!
//! Why here: bytes that are taken for a text are hardly ever Rust; those that choose productions always nearly are.
//!
//! *Invariants*
//! - GR1. The first production of each symbol has no symbols, and so has what is chosen when the bytes or the depth are used up: every text ends.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use arbitrary::{Result, Unstructured};

/// How deep symbols may be inside of each other.
const DEPTH: usize = 6;

/// What a symbol may stand for: `$` and a letter in a production is a symbol, and `none(..)` stands for the invisible brackets that `macro_rules` puts
/// around what it has matched. Two dollars are one.
fn productions(symbol: char) -> &'static [&'static str] {
    match symbol {
        // A list of cases, one case, what may separate two.
        'S' => SELECTS,
        'C' => CASES,
        ',' => SEPARATORS,
        'b' => BODIES,
        'e' => EXPRESSIONS,
        'o' => OPERATORS,
        't' => TYPES,
        'p' => PATTERNS,
        'i' => STRAYS,
        // An item, and the parts of a function.
        'I' => ITEMS,
        'A' => ATTRIBUTES,
        'V' => VISIBILITIES,
        'Q' => QUALIFIERS,
        'G' => GENERICS,
        'P' => PARAMETERS,
        'R' => RETURNS,
        'W' => WHERES,
        'n' => NAMES,
        // The arguments of an attribute.
        'M' => ARGUMENT_LISTS,
        'm' => ARGUMENTS,
        'v' => VALUES,
        'l' => LITERALS,
        'L' => PATH_LISTS,
        'q' => PATHS,
        _ => &["a"],
    }
}

const SELECTS: &[&str] = &["", "$C", "$C $S", "$C $S", "$C $S"];

const CASES: &[&str] = &[
    "default => a,",
    "recv(rx) -> _ => {}",
    "recv(rx) -> x => a $o b,",
    "recv(rx) -> x => a $o b $o c,",
    "recv(rx) -> x => a as $t $o b $o c,",
    "send(tx, a $o b) -> $p => {}",
    "send(tx, $e) -> _ => b $o c,",
    "recv($e) -> $p => $b$,",
    "recv($e) -> $p => $b$,",
    "send($e, $e) -> $p => $b$,",
    "send($e, $e,) -> $p => $b$,",
    "default => $b$,",
    "default($e) => $b$,",
    "recv($e) $i $p => $b$,",
    "$i($e) -> $p => $b$,",
    "recv($e) -> $p if $e => $b$,",
];

const SEPARATORS: &[&str] = &[",", ",", ",", "", ";", ",,"];

const BODIES: &[&str] = &["{}", "{ $e }", "$e", "$e", "none($e)"];

const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "&&", "||", "=", "+=", "<<=",
    ">>=", "|=", "-=", "..", "..=",
];

const STRAYS: &[&str] =
    &["x", "recv", "send", "default", "match", "if", "r#match", "self", "=>", "->", "'a", "\"s\"", "|", "<", ">"];

const ITEMS: &[&str] = &[
    "fn main() {}",
    "$A fn $n() { $e }",
    "$V fn $n() {}",
    "$Q fn main() {}",
    "fn main$G() {}",
    "fn main($P) {}",
    "fn main() $R {}",
    "fn main() $R $W {}",
    "$A $V fn $n() $R { $e }",
    "$A $V $Q fn $n$G($P) $R $W { $e }",
    "$A $V $Q fn $n$G($P) $R $W;",
    "none($V) fn $n() -> none($t) none({ $e })",
    "$A $V struct S { a: $t }",
    "$A $V const $n: $t = $e;",
    "$A mod m { $I }",
    "$A impl S { $I }",
    "m! { $e }",
    "$A $V use a::{b, c};",
];

const ATTRIBUTES: &[&str] = &[
    "",
    "$A #[cfg(unix)]",
    "/// A.\n$A",
    "#[test] $A",
    "#[tokio::main(a = $l)] $A",
    "#[goruntime::init] $A",
    "#[goruntime::main] $A",
    "#[a = $l] $A",
    "#[::a::bench] $A",
    "#[unsafe(no_mangle)] $A",
];

const VISIBILITIES: &[&str] = &["", "pub", "pub(crate)", "pub(in a::b)", "pub (self)"];

const QUALIFIERS: &[&str] =
    &["", "const", "async", "unsafe", "extern", "extern \"C\"", "const unsafe extern \"C\"", "safe", "default"];

const GENERICS: &[&str] = &[
    "",
    "<>",
    "<'a>",
    "<T: Fn($t) -> $t>",
    "<'a, T: A<'a, $t>, const N: usize>",
    "<T>",
    "<const B: bool = { 1 > 2 }>",
];

const PARAMETERS: &[&str] =
    &["", "a: $t", "$p: $t, b: $t", "self", "&mut self", "&'a self, x: $t", "self: $t", "mut self", "x: fn($t) -> $t"];

const RETURNS: &[&str] = &["", "-> $t", "-> $t", "-> !", "-> Result<(), $t>"];

const WHERES: &[&str] = &["", "where T: Copy", "where", "where for<'a> $t: A<'a>, T: B"];

const NAMES: &[&str] = &["main", "f", "r#fn", "test", "r#main", "_f"];

const ARGUMENT_LISTS: &[&str] = &["", "$m", "$m, $M", "$m, $M", "$m,, $M"];

const ARGUMENTS: &[&str] = &[
    "max_procs = 1",
    "max_procs = $v",
    "main_stack_size = $v",
    "stack_size = $v",
    "migrate = $v",
    "crate = $v",
    "crate = $q",
    "after = [$L]",
    "after = $v",
    "$i = $v",
    "max_procs",
    "max_procs =",
    "migrate == true",
];

const VALUES: &[&str] = &["4", "$l", "$e", "{ $e }", "none($e)", "[$L]", "$q", "-1", "2 * 1024", "true", "false"];

const LITERALS: &[&str] = &[
    "1",
    "0",
    "1usize",
    "1u8",
    "0x1_0",
    "99999999999999999999",
    "1073741824",
    "1073741825",
    "1.5",
    "'c'",
    "b'c'",
    "\"::a::b\"",
    "\"a b\"",
    "\"\"",
    "true",
    "c\"a\"",
    "b\"a\"",
    "1e3",
    "1f32",
];

const PATH_LISTS: &[&str] = &["", "$q", "$q, $L", "$q, $L", "$e, $L", "none($q), $L"];

const PATHS: &[&str] =
    &["a", "a::b", "::a::b", "crate::a", "self::a", "super::super::a", "a::<u8>", "r#fn::a", "$$crate::a", "a::"];

const EXPRESSIONS: &[&str] = &[
    "a",
    "1",
    "f(a, b)",
    "\"s\"",
    "$e $o $e",
    "$e $o $e",
    "$e $o $e",
    "-$e",
    "!$e",
    "&$e",
    "&mut $e",
    "&raw const $e",
    "*$e",
    "($e)",
    "($e, $e)",
    "[$e, $e]",
    "[$e; 2]",
    "none($e)",
    "$e.m($e)",
    "$e.m::<$t, $t>($e)",
    "$e.await",
    "$e?",
    "$e.0",
    "$e[$e]",
    "$e($e, $e)",
    "f::<$t, $t>($e)",
    "M::<$t, $t>::new()",
    "<$t as A<$t, $t>>::f($e)",
    "<$t>::f()",
    "$e as $t",
    "|$p, $p| $e",
    "|a: $t, b| -> $t { $e }",
    "move |$p| $e",
    "|| $e",
    "async move |a, b| $e",
    "for<'a, 'b> |a: &'a u8, b: &'b u8| { a }",
    "async { $e }",
    "unsafe { $e }",
    "const { $e }",
    "{ $e }",
    "if $e { $e } else { $e }",
    "if let $p = $e { $e }",
    "match $e { $p => $e, _ => $e }",
    "while $e { $e }",
    "for $p in $e { $e }",
    "loop { break $e }",
    "'a: loop { $e }",
    "'a: { $e }",
    "return $e",
    "return",
    "break $e",
    "break 'a $e",
    "break 'a",
    "S { a: $e, b }",
    "S::<$t, $t> { a: $e, ..$e }",
    "m!($e, $e)",
    "m! { $e }",
    "..$e",
    "$e..",
    "..",
    "|_: [u8; { 1 | 2 }], b| b",
    "#[a] $e",
];

const TYPES: &[&str] = &[
    "u8",
    "M<$t, $t>",
    "Vec<$t>",
    "&'a $t",
    "&'a mut $t",
    "*const $t",
    "fn($t, $t) -> $t",
    "[$t; 2]",
    "($t, $t)",
    "<$t as A<$t, $t>>::B",
    "dyn A<$t, $t> + Send",
    "impl Fn($t) -> $t",
    "!",
    "_",
    "A<'a, 1>",
    "A<{ 1 > 2 }, -1>",
    "dyn for<'a, 'b> A<B = $t, C: D>",
    "none($t)",
    "a::B::<$t, $t>::C",
    "m!($t)",
];

const PATTERNS: &[&str] = &[
    "_",
    "a",
    "Ok(a)",
    "($p, $p)",
    "[$p, ..]",
    "S { a, b: $p, .. }",
    "Ok($p) | Err($p)",
    "| $p",
    "ref mut a",
    "mut a",
    "&$p",
    "1..=2",
    "..2",
    "-1",
    "a @ $p",
    "A::<$t, $t>::B",
    "A::<$t, $t>(a)",
    "<$t as A<$t, $t>>::B",
    "const { 1 }",
    "m!($e)",
    "none($p)",
];

/// A text that the bytes choose for a symbol.
pub(crate) fn text(bytes: &mut Unstructured<'_>, symbol: char) -> Result<String> {
    let mut text = String::new();
    expand(bytes, symbol, DEPTH, &mut text)?;
    Ok(text)
}

fn expand(bytes: &mut Unstructured<'_>, symbol: char, depth: usize, text: &mut String) -> Result<()> {
    let all = productions(symbol);
    let chosen = if depth == 0 { all[0] } else { bytes.choose(all)? };
    let mut letters = chosen.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '$' => match letters.next() {
                Some('$') | None => text.push('$'),
                Some(symbol) => expand(bytes, symbol, depth.saturating_sub(1), text)?,
            },
            other => text.push(other),
        }
    }
    Ok(())
}
