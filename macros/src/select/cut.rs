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

use proc_macro2::{Spacing, TokenTree};

/// Whether `token` is this punctuation.
pub(super) fn is(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

/// Whether `token` is this word.
pub(super) fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

/// Whether `->` or `=>`, by its first character, stands at `at`.
pub(super) fn is_arrow(tokens: &[TokenTree], at: usize, first: char) -> bool {
    is_joint(tokens.get(at), first) && is(tokens.get(at + 1), '>')
}

fn is_joint(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c && punct.spacing() == Spacing::Joint)
}

/// The end of the expression that begins at `from`: a comma, a semicolon, a `=>`, or the end of the tokens.
pub(super) fn end_of_expression(tokens: &[TokenTree], from: usize) -> usize {
    let mut at = from;
    while at < tokens.len() {
        if is(tokens.get(at), ',') || is(tokens.get(at), ';') || is_arrow(tokens, at, '=') {
            return at;
        }
        at = step(tokens, from, at);
    }
    at
}

/// Goes over one token, or over all that belongs together and may have a comma in it.
fn step(tokens: &[TokenTree], from: usize, at: usize) -> usize {
    let begins_operand = at == from || begins_operand(&tokens[at - 1]);
    match &tokens[at] {
        TokenTree::Punct(punct) => match punct.as_char() {
            '|' if begins_operand => over_parameters(tokens, at),
            '|' if is_joint(tokens.get(at), '|') && is(tokens.get(at + 1), '|') => at + 2,
            '<' if begins_operand || at >= 2 && is(tokens.get(at - 1), ':') && is(tokens.get(at - 2), ':') => {
                over_angles(tokens, at).unwrap_or(at + 1)
            }
            '-' if is_arrow(tokens, at, '-') => over_type(tokens, at + 2),
            _ => at + 1,
        },
        TokenTree::Ident(word) if word == "as" => over_type(tokens, at + 1),
        _ => at + 1,
    }
}

/// Whether an operand, rather than an operator, comes after this token.
fn begins_operand(before: &TokenTree) -> bool {
    match before {
        // The colons of a path are not followed by `|`, and by `<` only in a turbofish, which counts in either way.
        TokenTree::Punct(punct) => !matches!(punct.as_char(), '?' | '>'),
        TokenTree::Ident(word) => {
            ["move", "return", "break", "in", "async", "static"].iter().any(|known| word == known)
        }
        TokenTree::Group(_) | TokenTree::Literal(_) => false,
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

/// Over a type, as far as it is names, references and what is in brackets.
fn over_type(tokens: &[TokenTree], from: usize) -> usize {
    let mut at = from;
    while let Some(token) = tokens.get(at) {
        at = match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => match over_angles(tokens, at) {
                Some(end) => end,
                None => return at,
            },
            TokenTree::Punct(punct) if !matches!(punct.as_char(), ':' | '&' | '*' | '\'' | '!') => return at,
            _ => at + 1,
        };
    }
    at
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
        ] {
            assert_cut(first, first);
            assert_cut(&format!("{first}, rest, <more>"), first);
            assert_cut(&format!("{first} => rest"), first);
            assert_cut(&format!("{first}; rest"), first);
        }
    }
}
