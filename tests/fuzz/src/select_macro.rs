//! The parser of `select!` and `select_biased!`.
//!
//! Why here: a target.
//!
//! *Invariants*
//! - SM1. Whatever the tokens are, there are cases or errors, and the errors have texts and places.
//! - SM2. What syn reads as cases is cut at the same places, and becomes an expression.
//! - SM3. A body becomes a block of one expression: it is not cut where a statement would end.
//!
//! *Locks*: none.
//!
//! *Go:* `syntax.Fuzz` of cmd/compile, in spirit.

use arbitrary::Unstructured;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::{Block, Expr, Stmt};

use crate::errors::Errors;
use crate::reference;
use crate::select::cases::{self, Case, Kind};
use crate::tokens::{Report, begin, is_text, mutate, parse, reports, text};
use crate::{grammar, select};

/// Takes the bytes for cases, or as choices of cases.
///
/// # Panics
///
/// If the macro does not do its duty.
pub fn select_macro(data: &[u8]) {
    begin();
    let tokens = if is_text(data) { str::from_utf8(data).ok().and_then(parse) } else { made(data) };
    if let Some(tokens) = tokens {
        check(&tokens);
    }
}

fn made(data: &[u8]) -> Option<TokenStream> {
    let mut bytes = Unstructured::new(data.get(1..)?);
    let slips = bytes.choose(&[0, 0, 0, 1, 1, 2, 4]).copied().ok()?;
    let mut tokens = parse(&grammar::text(&mut bytes, 'S').ok()?)?;
    for _ in 0..slips {
        tokens = mutate(&mut bytes, tokens).ok()?;
    }
    Some(tokens)
}

fn check(tokens: &TokenStream) {
    let mut errors = Errors::default();
    let cases = cases::parse(tokens.clone(), &mut errors);
    let is_refused = !errors.is_empty();
    let (reports, rest) = reports(errors.into_tokens());
    assert!(rest.is_empty() && is_refused != reports.is_empty(), "errors are errors: {tokens}");
    reports.iter().for_each(|report| check_report(report, tokens));
    let reference = reference::cases(tokens.clone());
    let expansions = [quote!((::goruntime) random #tokens), quote!((::goruntime) biased #tokens)].map(select::expand);
    let are_expressions = expansions.iter().all(|expansion| syn::parse2::<Expr>(expansion.clone()).is_ok());
    if is_refused {
        assert!(are_expressions, "errors are an expression: {tokens}");
        let defaults = reference.iter().flatten().filter(|case| case.name == "default").count();
        assert!(reference.is_none() || defaults > 1, "refused: {tokens}\n{reports:?}");
        if reference.is_some() {
            let wanted = reports.iter().filter(|report| report.text == "a second `default`; expected one at most");
            assert!(wanted.count() == defaults - 1 && reports.len() == defaults - 1, "{tokens}\n{reports:?}");
        }
    } else if let Some(reference) = reference {
        assert_eq!(cases.len(), reference.len(), "another number of cases: {tokens}");
        cases.iter().zip(&reference).for_each(|(case, expected)| check_case(case, expected, tokens));
        assert!(are_expressions, "no expression: {tokens}\n{}", expansions[0]);
    }
}

/// In our words: lower case, no full stop.
fn check_report(report: &Report, tokens: &TokenStream) {
    let Report { text, has_place } = report;
    assert!(*has_place, "nowhere in {tokens}: {text}");
    assert!(!text.is_empty() && !text.starts_with(char::is_uppercase) && !text.ends_with('.'), "{text}");
    assert!(text.contains("expected") || text.contains(" takes "), "does not say what is accepted: {text}");
}

fn check_case(case: &Case, expected: &reference::Case, tokens: &TokenStream) {
    let (name, arguments) = match &case.kind {
        Kind::Recv(receiver) => ("recv", vec![text(receiver.clone())]),
        Kind::Send(sender, message) => ("send", vec![text(sender.clone()), text(message.clone())]),
        Kind::Default(limit) => ("default", limit.iter().cloned().map(text).collect()),
    };
    assert_eq!(name, expected.name, "{tokens}");
    assert_eq!(arguments.len(), expected.arguments.len(), "{tokens}");
    arguments.iter().zip(&expected.arguments).for_each(|(found, expected)| assert_same(found, expected, tokens));
    // Alternatives got parentheses.
    let result = text(case.result.clone());
    if !is_same(&result, &format!("({})", expected.result)) {
        assert_same(&result, &expected.result, tokens);
    }
    let body = text(case.body.clone());
    if is_same(&body, &expected.body) {
        return;
    }
    // It got braces, and parentheses if a statement would end before the expression does (SM3).
    let [braces, parentheses] = [format!("{{{}}}", expected.body), format!("{{({})}}", expected.body)];
    assert!(is_same(&body, &braces) || is_same(&body, &parentheses), "{body}\n{tokens}");
    let block = syn::parse2::<Block>(as_returned(case.body.clone()))
        .unwrap_or_else(|error| panic!("{error}: {body}\n{tokens}"));
    match &block.stmts[..] {
        [Stmt::Expr(_, None)] => {}
        [Stmt::Macro(call)] if call.semi_token.is_none() => {}
        _ => panic!("not one expression: {body}\n{tokens}"),
    }
}

/// The block as the compiler reads it in what a macro has returned: without invisible brackets around the expression.
fn as_returned(block: TokenStream) -> TokenStream {
    let only = |tokens: TokenStream| {
        let mut tokens = tokens.into_iter();
        match (tokens.next(), tokens.next()) {
            (Some(TokenTree::Group(group)), None) => Some(group),
            _ => None,
        }
    };
    let Some(braces) = only(block.clone()) else { return block };
    match only(braces.stream()) {
        Some(inside) if inside.delimiter() == Delimiter::None => {
            as_returned(TokenTree::Group(Group::new(Delimiter::Brace, inside.stream())).into())
        }
        _ => block,
    }
}

#[track_caller]
fn assert_same(found: &str, expected: &str, tokens: &TokenStream) {
    assert!(is_same(found, expected), "\nfound    {found}\nexpected {expected}\nin       {tokens}");
}

/// Texts of tokens differ by blanks, which depend on who put them together.
fn is_same(one: &str, other: &str) -> bool {
    let solid = |text: &str| text.split_whitespace().collect::<String>();
    solid(one) == solid(other)
}
