//! Where an expression ends, without knowing what it means.
//!
//! Why here: a case ends at a comma, and so does an argument; expressions have commas of their own. Those in brackets are inside of groups. Those
//! between angle brackets and between the bars of a closure are found here by the rules by which the compiler's parser finds them. A full
//! parser of expressions would be the largest feature of syn.
//!
//! *Invariants*
//! - CU1. A position is never moved backwards, so every scan ends.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use proc_macro2::{Delimiter, Group, Spacing, TokenTree};

/// Whether `token` is this punctuation.
pub(crate) fn is(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

/// Whether `token` is this word.
pub(crate) fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

/// Whether `->` or `=>`, by its first character, stands at `at`.
pub(crate) fn is_arrow(tokens: &[TokenTree], at: usize, first: char) -> bool {
    is_joint(tokens.get(at), first) && is(tokens.get(at + 1), '>')
}

fn is_joint(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c && punct.spacing() == Spacing::Joint)
}

/// What the token before a place tells about the next one.
#[derive(Clone, Copy, PartialEq)]
enum Expects {
    /// The beginning of an expression: `<` begins a path and `|` a closure.
    Operand,
    /// The beginning of a pattern: `<` begins a path.
    Pattern,
    /// More of an expression: `<` and `|` are operators.
    Operator,
}

/// The end of the expression that begins at `from`: a comma, a semicolon, a `=>`, or the end of the tokens.
pub(crate) fn end_of_expression(tokens: &[TokenTree], from: usize) -> usize {
    let (mut at, mut expects) = (from, Expects::Operand);
    while at < tokens.len() {
        if is(tokens.get(at), ',') || is(tokens.get(at), ';') || is_arrow(tokens, at, '=') {
            return at;
        }
        (at, expects) = step(tokens, at, expects);
    }
    at
}

/// What a group in an expression is part of.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Operand,
    /// The pattern of a `let` or a `for`.
    Pattern,
    /// The type of a cast, or its end, where a `<` follows that is an operator.
    TypeInFrontOfAngle,
}

/// The groups in an expression that are operands, or begin one, those in patterns, and types that would go on without the end of a group.
pub(crate) fn places(tokens: &[TokenTree]) -> Vec<(usize, Place)> {
    let (mut at, mut expects, mut in_pattern, mut found) = (0, Expects::Operand, false, Vec::new());
    while at < tokens.len() {
        if matches!(tokens[at], TokenTree::Group(_)) {
            let is_operand = expects == Expects::Operand;
            found.extend(in_pattern.then_some((at, Place::Pattern)));
            found.extend((is_operand && !in_pattern).then_some((at, Place::Operand)));
        }
        if is_word(tokens.get(at), "as") {
            let end = over_type(tokens, at + 1);
            let is_group = matches!(tokens[end - 1], TokenTree::Group(_));
            found.extend((is_group && is(tokens.get(end), '<')).then_some((end - 1, Place::TypeInFrontOfAngle)));
        }
        in_pattern = begins_pattern(tokens, at) || in_pattern && !is_behind_pattern(tokens, at);
        (at, expects) = step(tokens, at, expects);
    }
    found
}

/// Whether a `let` stands here, or a `for` that introduces no lifetimes.
fn begins_pattern(tokens: &[TokenTree], at: usize) -> bool {
    is_word(tokens.get(at), "let") || is_word(tokens.get(at), "for") && !is(tokens.get(at + 1), '<')
}

/// The `=` of `..=` is part of a pattern.
fn is_behind_pattern(tokens: &[TokenTree], at: usize) -> bool {
    is_word(tokens.get(at), "in") || is(tokens.get(at), '=') && !is(tokens.get(at - 1), '.')
}

/// Whether the tokens are a path as expressions have it, where `a < b` is a comparison, perhaps with the parentheses of a call at the end.
pub(crate) fn is_path(tokens: &[TokenTree]) -> bool {
    let from = if is(tokens.first(), '<') { over_angles(tokens, 0).unwrap_or(0) } else { 0 };
    let angle = (from + 1..tokens.len()).find(|&at| is(tokens.get(at), '<'));
    angle.is_none_or(|at| is(tokens.get(at - 1), ':')) && over_path(tokens, 0) == tokens.len()
}

/// Whether the tokens are `'a`.
pub(crate) fn is_label(tokens: &[TokenTree]) -> bool {
    tokens.len() == 2 && is(tokens.first(), '\'')
}

/// Goes over one token of a pattern, or over generic arguments, which may have commas and arrows in them.
pub(crate) fn step_in_pattern(tokens: &[TokenTree], at: usize) -> usize {
    let angles = is(tokens.get(at), '<').then(|| over_angles(tokens, at)).flatten();
    angles.unwrap_or(at + 1)
}

/// Goes over one token, or over all that belongs together and may have a comma in it.
fn step(tokens: &[TokenTree], at: usize, expects: Expects) -> (usize, Expects) {
    use Expects::{Operand, Operator, Pattern};
    match &tokens[at] {
        TokenTree::Punct(punct) => match punct.as_char() {
            '|' | '<' if punct.spacing() == Spacing::Joint && is(tokens.get(at + 1), '=') => (at + 2, Operand),
            '|' if expects == Operand => (over_parameters(tokens, at), Operand),
            '|' if is_joint(tokens.get(at), '|') && is(tokens.get(at + 1), '|') => (at + 2, Operand),
            '<' if expects != Operator || at >= 2 && is(tokens.get(at - 1), ':') && is(tokens.get(at - 2), ':') => {
                // What `for<'a>` introduces is a closure.
                let is_binder = at > 0 && is_word(tokens.get(at - 1), "for");
                let after = if is_binder { Operand } else { Operator };
                over_angles(tokens, at).map_or((at + 1, Operand), |end| (end, after))
            }
            '<' if is_joint(tokens.get(at), '<') && is(tokens.get(at + 1), '<') => (at + 2, Operand),
            '-' if is_arrow(tokens, at, '-') => (over_type(tokens, at + 2), Operator),
            '|' if expects == Pattern => (at + 1, Pattern),
            '?' => (at + 1, Operator),
            _ => (at + 1, Operand),
        },
        TokenTree::Ident(word) if word == "as" => (over_type(tokens, at + 1), Operator),
        TokenTree::Ident(_) => (at + 1, after_word(tokens, at)),
        // An attribute.
        TokenTree::Group(_) if at > 0 && is(tokens.get(at - 1), '#') => (at + 1, Operand),
        // In front of what a loop that has a label is left with.
        TokenTree::Group(group) if at > 0 && is_word(tokens.get(at - 1), "break") && is_matched_label(group) => {
            (at + 1, Operand)
        }
        TokenTree::Group(_) | TokenTree::Literal(_) => (at + 1, Operator),
    }
}

/// A label that `macro_rules` has matched.
fn is_matched_label(group: &Group) -> bool {
    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
    group.delimiter() == Delimiter::None && is_label(&inside)
}

fn after_word(tokens: &[TokenTree], at: usize) -> Expects {
    const OPERAND: [&str; 12] =
        ["move", "return", "break", "in", "async", "static", "mut", "const", "if", "while", "match", "yield"];
    let is_label = at >= 2 && is(tokens.get(at - 1), '\'') && is_word(tokens.get(at - 2), "break");
    if is_label || OPERAND.iter().any(|word| is_word(tokens.get(at), word)) {
        Expects::Operand
    } else if is_word(tokens.get(at), "let") || is_word(tokens.get(at), "for") {
        Expects::Pattern
    } else {
        Expects::Operator
    }
}

/// From the first bar of a closure to behind the second.
fn over_parameters(tokens: &[TokenTree], at: usize) -> usize {
    let second = (at + 1..tokens.len()).find(|&at| is(tokens.get(at), '|'));
    second.map_or(tokens.len(), |second| second + 1)
}

/// From a `<` to behind its `>`; None if it has none, and so is an operator.
fn over_angles(tokens: &[TokenTree], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for place in at..tokens.len() {
        let in_arrow = place > at && (is_arrow(tokens, place - 1, '-') || is_arrow(tokens, place - 1, '='));
        if is(tokens.get(place), '<') {
            depth += 1;
        } else if is(tokens.get(place), '>') && !in_arrow {
            depth -= 1;
            if depth == 0 {
                return Some(place + 1);
            }
        }
    }
    None
}

/// Over a type without `+`, which is how casts and closures have it.
fn over_type(tokens: &[TokenTree], from: usize) -> usize {
    let at = over_prefixes(tokens, from);
    match tokens.get(at) {
        Some(TokenTree::Punct(never)) if never.as_char() == '!' => at + 1,
        Some(TokenTree::Ident(word)) if word == "_" => at + 1,
        // A tuple, the arguments of a `fn`, an array, a type that `macro_rules` has matched.
        Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::Brace => over_return_type(tokens, at + 1),
        _ => over_path(tokens, at),
    }
}

/// Over references, pointers, lifetimes and words in front of a type.
fn over_prefixes(tokens: &[TokenTree], from: usize) -> usize {
    const WORDS: [&str; 8] = ["mut", "const", "dyn", "impl", "fn", "unsafe", "extern", "for"];
    let mut at = from;
    loop {
        at = match tokens.get(at) {
            Some(TokenTree::Punct(punct)) if matches!(punct.as_char(), '&' | '*') => at + 1,
            Some(TokenTree::Punct(punct)) if punct.as_char() == '\'' => at + 2,
            Some(TokenTree::Ident(word)) if WORDS.iter().any(|known| word == known) => at + 1,
            Some(TokenTree::Literal(_)) if is_word(tokens.get(at - 1), "extern") => at + 1,
            Some(TokenTree::Punct(_)) if is(tokens.get(at), '<') && is_word(tokens.get(at - 1), "for") => {
                match over_angles(tokens, at) {
                    Some(end) => end,
                    None => return at,
                }
            }
            _ => return at.min(tokens.len()),
        }
    }
}

/// Over `a::B<C>::D(E) -> F`, `<A as B>::C` and `a::b!(..)`.
fn over_path(tokens: &[TokenTree], from: usize) -> usize {
    let is_qualified = is(tokens.get(from), '<');
    let mut at = if is_qualified { over_angles(tokens, from).unwrap_or(from) } else { from };
    loop {
        let name = over_colons(tokens, at);
        let is_segment = name > at || at == from;
        if !is_segment || !matches!(tokens.get(name), Some(TokenTree::Ident(_))) {
            return name;
        }
        at = over_arguments(tokens, name + 1);
    }
}

/// Over what may follow a name in the path of a type, once: `<A, B>`, `(A, B) -> C`, both also behind `::`, and `!(..)`.
fn over_arguments(tokens: &[TokenTree], from: usize) -> usize {
    let at = over_colons(tokens, from);
    match tokens.get(at) {
        Some(TokenTree::Punct(punct)) if punct.as_char() == '<' && !is_comparison_or_assignment(tokens, at) => {
            over_angles(tokens, at).unwrap_or(at)
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
            over_return_type(tokens, at + 1)
        }
        Some(TokenTree::Punct(punct))
            if punct.as_char() == '!' && matches!(tokens.get(at + 1), Some(TokenTree::Group(_))) =>
        {
            at + 2
        }
        _ => from,
    }
}

/// Whether `<=` or `<<=` stands at `at`. Unlike `<` and `<<` they are operators behind the name of a type, too.
fn is_comparison_or_assignment(tokens: &[TokenTree], at: usize) -> bool {
    let joint = (at..tokens.len()).take_while(|&at| is_joint(tokens.get(at), '<')).take(2).count();
    joint > 0 && is(tokens.get(at + joint), '=')
}

fn over_colons(tokens: &[TokenTree], at: usize) -> usize {
    if is_joint(tokens.get(at), ':') && is(tokens.get(at + 1), ':') { at + 2 } else { at }
}

fn over_return_type(tokens: &[TokenTree], at: usize) -> usize {
    if is_arrow(tokens, at, '-') { over_type(tokens, at + 2) } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first expression of a text.
    #[track_caller]
    fn assert_cut(text: &str, first: &str) {
        let tokens: Vec<_> = text.parse::<proc_macro2::TokenStream>().expect("these are tokens").into_iter().collect();
        let expected: proc_macro2::TokenStream = first.parse().expect("these are tokens");
        let cut: proc_macro2::TokenStream = tokens[..end_of_expression(&tokens, 0)].iter().cloned().collect();
        assert_eq!(cut.to_string(), expected.to_string(), "{text}");
    }

    #[test]
    fn an_expression_ends_at_its_own_comma() {
        for first in [
            "a",
            "f(a, b)",
            "f::<A, B>(c)",
            "HashMap::<A, Vec<B>>::new()",
            "<A as Into<B, C>>::into(d)",
            "x as Map<A, B>",
            "|a, b| a + b",
            "move |a, b| -> Map<A, B> { a }",
            "|| c",
            "a || b",
            "a | b",
            "f(|a| a) || |a, b| c",
            "a < b",
            "a > b",
            "a << b",
            "a <= b && c >= d",
            "f::<fn(A) -> B, C>()",
            "x as fn(A) -> Map<B, C>",
            "match a { b => c, d => e }",
            "if a { b } else { c }",
            "'a: loop { break 'a (b, c) }",
            "a?.b",
            "-1",
            "!a",
            "return f::<A, B>()",
            "[0; 4]",
            "a << b",
            "a << <B as C<D, E>>::f(g)",
            "a > <B as C<D, E>>::f(g)",
            "&mut <A as B<C, D>>::f()",
            "match <A as B<C, D>>::f() { _ => e }",
            "if <A as B<C, D>>::f() { e }",
            "if let <A as B<C, D>>::E = f { g }",
            "for<'a, 'b> |a: &'a A, b: &'b B| c",
            "break 'a |b, c| d",
            "break 'a |= b",
            "return <= b",
            "x as u8 & y < z",
            "x as u8 && |a, b| c",
            "x as &'a mut dyn for<'b> Fn(A) -> Map<B, C>",
            "x as unsafe extern \"C\" fn(A) -> B",
            "x as m!(a, b)",
            "#[a] |b, c| d",
        ] {
            assert_cut(first, first);
            assert_cut(&format!("{first}, rest, <more>"), first);
            assert_cut(&format!("{first}, more >> rest"), first);
            assert_cut(&format!("{first} => rest"), first);
            assert_cut(&format!("{first}; rest"), first);
        }
    }

    #[test]
    fn what_follows_the_type_of_a_cast_is_an_operator() {
        for first in [
            "x as u8 <= y",
            "x as u8 <<= y",
            "x as _ < y",
            "x as _ << y",
            "x as ! <= y",
            "x as A<B, C> < y",
            "x as A<B, C> << y",
            "x as A<B, C> <= y",
            "x as A<B, C> <<= y",
            "x as A<B, C>= y",
            "x as A<<B as C>::D, E>>= y",
            "x as A::<B, C> << y",
            "x as A<B, C>::D <= y",
            "x as A<B, C>::D<E, F> < y",
            "x as ::a::B<C, D> < y",
            "x as <A as B<C, D>>::E <= y",
            "x as <<A as B>::C as D>::E<F, G> << y",
            "x as *const A<B, C> << y",
            "x as fn(A) -> B <= y",
            "x as fn(A) -> fn(B) -> C<D, E> << y",
            "x as for<'a> fn(&'a A, B) -> C<D, E> <= y",
            "x as dyn Fn(A) -> B<C, D> << y",
            "x as Fn::(A, B) -> C<D, E> < y",
            "x as Fn(A)::B<C, D> <= y",
            "x as (A, B) < y",
            "x as [A; 2] << y",
            "x as m!{a, b} < y",
        ] {
            assert_cut(&format!("{first}, more >>= rest, more > rest"), first);
        }
    }
}
