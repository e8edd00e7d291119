//! Expressions in what a macro returns.
//!
//! Why here: shared by the arguments of attributes and the cases of `select!`. Neither knows what an expression means, nor has to.
//!
//! *Invariants*
//! - EX1. An expression stays one: it does not become the statements that its tokens would be in its place.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

use crate::item::is_braces;

/// An expression as a block, which it stays if it is one. One that goes on behind braces goes in parentheses, so that it is not cut where a statement would end.
pub(crate) fn block(expression: TokenStream) -> TokenStream {
    let mut tokens = expression.clone().into_iter();
    if let (Some(only), None) = (tokens.next(), tokens.next())
        && is_braces(&only)
    {
        return expression;
    }
    let visible = without_invisible_groups(expression.clone());
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

    /// The body of a case, where `matched` stands for what `macro_rules` has matched.
    fn body(written: &str, matched: &str) -> String {
        let matched = Group::new(Delimiter::None, matched.parse().unwrap());
        let put = |token| match token {
            TokenTree::Ident(word) if word == "matched" => TokenTree::Group(matched.clone()),
            other => other,
        };
        let written: TokenStream = written.parse().unwrap();
        block(written.into_iter().map(put).collect()).to_string()
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
            let body = body(written, matched);
            assert!(body.starts_with("{ (") && body.ends_with(") }"), "{written}, {matched}: {body}");
        }
        for (written, matched) in [("matched", "m! { a }"), ("matched", "{ a }"), ("matched + b", "a"), ("{ a }", "")] {
            assert!(!body(written, matched).contains('('), "{written}, {matched}");
        }
    }
}
