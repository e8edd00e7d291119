//! Expressions in what a macro returns.
//!
//! Why here: shared by the arguments of attributes and the cases of `select!`. Neither knows what an expression means, nor has to.
//!
//! *Invariants*
//! - EX1. An expression stays one: it does not become the statements that its tokens would be in its place.
//! - EX2. What `macro_rules` has matched as an operand stays one, although the compiler forgets the invisible brackets around it.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

use crate::cut::{Place, is, is_label, is_path, is_word, places};
use crate::item::is_braces;

/// An expression with parentheses, in the place of the invisible brackets, around operands that `macro_rules` has matched: `$e * 2` stays a product.
pub(crate) fn expression(tokens: &[TokenTree]) -> TokenStream {
    let places = if tokens.len() > 1 { places(tokens) } else { Vec::new() };
    let mut made: Vec<TokenStream> = tokens.iter().cloned().map(TokenStream::from).collect();
    for (at, place) in places {
        if needs_parentheses(&tokens[at], place) {
            made[at] = in_parentheses(made[at].clone());
        }
    }
    made.into_iter().collect()
}

/// Whether what stands here falls apart without invisible brackets. What does not may stand where parentheses may not: paths, labels, bounds of ranges.
fn needs_parentheses(matched: &TokenTree, place: Place) -> bool {
    let TokenTree::Group(group) = matched else { return false };
    if group.delimiter() != Delimiter::None {
        return false;
    }
    let visible = without_invisible_groups(group.stream());
    match place {
        Place::TypeInFrontOfAngle => true,
        Place::Operand => visible.len() > 1 && !is_label(&visible) && !is_path(&visible),
        Place::Pattern => {
            is_word(visible.first(), "mut") || visible.iter().any(|token| is(Some(token), '|') || is(Some(token), '.'))
        }
    }
}

/// An expression as a block, which it stays if it is one, in braces at the same place that lints take for ours: the user
/// could not know that they are needless there. An expression that goes on behind braces goes in parentheses, so that it is not cut where a statement would end.
pub(crate) fn block(expression: TokenStream) -> TokenStream {
    let visible = without_invisible_groups(expression.clone());
    if let [TokenTree::Group(only)] = &visible[..]
        && only.delimiter() == Delimiter::Brace
    {
        let mut block = Group::new(Delimiter::Brace, only.stream());
        block.set_span(Span::mixed_site().located_at(only.span()));
        return TokenTree::Group(block).into();
    }
    let goes_on = visible.split_last().is_some_and(|(_, before)| before.iter().any(is_braces));
    let inside = if goes_on { in_parentheses(expression) } else { expression };
    TokenTree::Group(Group::new(Delimiter::Brace, inside)).into()
}

/// The tokens as the compiler reads them once they went through a macro one by one: without the invisible brackets around what `macro_rules` has matched.
pub(crate) fn without_invisible_groups(tokens: TokenStream) -> Vec<TokenTree> {
    let visible = |token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => without_invisible_groups(group.stream()),
        other => vec![other],
    };
    tokens.into_iter().flat_map(visible).collect()
}

pub(crate) fn in_parentheses(tokens: TokenStream) -> TokenStream {
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(Span::mixed_site());
    TokenTree::Group(group).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written, where `matched` stands for what `macro_rules` has matched.
    fn with(written: &str, matched: &str) -> TokenStream {
        let matched = Group::new(Delimiter::None, matched.parse().unwrap());
        let put = |token| match token {
            TokenTree::Ident(word) if word == "matched" => TokenTree::Group(matched.clone()),
            other => other,
        };
        let written: TokenStream = written.parse().unwrap();
        written.into_iter().map(put).collect()
    }

    #[test]
    fn a_matched_operand_stays_one() {
        for (written, matched, expected) in [
            ("matched * 2", "a + b", "(a + b) * 2"),
            ("2 * matched", "a + b", "2 * (a + b)"),
            ("2 * matched", "a < b && c > ::d", "2 * (a < b && c > ::d)"),
            ("matched as u8", "-a", "(-a) as u8"),
            ("-matched.abs()", "a - b", "-(a - b).abs()"),
            ("matched(1)", "|a| a", "(|a| a)(1)"),
            ("if a == matched {}", "b || c", "if a == (b || c) {}"),
            ("a as matched < b", "u8", "a as (u8) < b"),
            ("a as *const matched << b", "u8", "a as *const (u8) << b"),
            ("f::<matched>() + matched", "dyn A + B", "f::<dyn A + B>() + (dyn A + B)"),
            ("break 'a matched * 2", "a + b", "break 'a (a + b) * 2"),
            ("if let A(_) = matched && matched {}", "a == b", "if let A(_) = (a == b) && (a == b) {}"),
            ("for<'a> |_: &'a u8| matched * 2", "a + b", "for<'a> |_: &'a u8| (a + b) * 2"),
            ("for a in matched {}", "a..b", "for a in (a..b) {}"),
            ("if let a @ matched = b {}", "A | B", "if let a @ (A | B) = b {}"),
            ("if let &matched = b {}", "1..=2", "if let &(1..=2) = b {}"),
            ("for &matched in b {}", "mut a", "for &(mut a) in b {}"),
            // Neither need them nor, some of them, may have them.
            ("matched", "a + b", "a + b"),
            ("matched * 2", "a", "a * 2"),
            ("matched * 2", "a::b(c)", "a::b(c) * 2"),
            ("matched { b: 2 }", "a::S", "a::S { b: 2 }"),
            ("matched::new() + 1", "a::S", "a::S::new() + 1"),
            ("a as matched + 1", "Vec<u8>", "a as Vec<u8> + 1"),
            ("if let matched = a {}", "Some(1 | 2)", "if let Some(1 | 2) = a {}"),
            ("if let 7 | matched..=matched = a {}", "-1", "if let 7 | -1..=-1 = a {}"),
            ("matched: loop { b }", "'a", "'a: loop { b }"),
            ("break matched b", "'a", "break 'a b"),
        ] {
            let solid = |text: String| text.split_whitespace().collect::<String>();
            let tokens: Vec<TokenTree> = with(written, matched).into_iter().collect();
            assert_eq!(solid(expression(&tokens).to_string()), solid(expected.to_string()), "{written}, {matched}");
        }
    }

    #[test]
    fn an_expression_that_goes_on_behind_braces_gets_parentheses_wherever_it_was_written() {
        for (written, matched) in [
            ("m! { a } as u8", ""),
            ("matched", "m! { a } as u8"),
            ("matched", "if a { b } else { c } - d"),
            ("matched - b", "m! { a }"),
            ("matched.c()", "match a { _ => b }"),
        ] {
            let body = block(with(written, matched)).to_string();
            assert!(body.starts_with("{ (") && body.ends_with(") }"), "{written}, {matched}: {body}");
        }
        for (written, matched) in [("matched", "m! { a }"), ("matched + b", "a")] {
            assert!(!block(with(written, matched)).to_string().contains('('), "{written}, {matched}");
        }
    }

    #[test]
    fn a_block_stays_as_it_is() {
        assert_eq!(block(with("{ a }", "")).to_string(), "{ a }");
        assert_eq!(block(with("matched", "{ a }")).to_string(), "{ a }");
    }
}
