//! The cases of a select as syn reads them.
//!
//! Why here: the parser of `goruntime-macros` finds the ends of expressions by a few rules; this one knows the language. What this one accepts, that
//! one has to cut at the same places.
//!
//! *Invariants*
//! - RF1. Nothing of `goruntime-macros` is used here.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::buffer::Cursor;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Block, Expr, Ident, Pat, Result, Token, parenthesized, token};

use crate::tokens::text;

/// A case: the texts of its parts.
#[derive(Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    /// Empty for a default.
    pub(crate) result: String,
    pub(crate) body: String,
}

/// The cases; None if these are not cases.
pub(crate) fn cases(tokens: TokenStream) -> Option<Vec<Case>> {
    let all = |input: ParseStream<'_>| {
        let mut cases = Vec::new();
        while !input.is_empty() {
            cases.push(case(input)?);
        }
        Ok(cases)
    };
    all.parse2(tokens).ok()
}

fn case(input: ParseStream<'_>) -> Result<Case> {
    let Some((TokenTree::Ident(_), _)) = input.cursor().token_tree() else { return Err(input.error("no name")) };
    let name = input.call(Ident::parse_any)?.to_string();
    let mut arguments = Vec::new();
    if name != "default" || input.peek(token::Paren) {
        let Some((TokenTree::Group(group), _)) = input.cursor().token_tree() else {
            return Err(input.error("no list"));
        };
        if group.delimiter() != Delimiter::Parenthesis {
            return Err(input.error("no list"));
        }
        let list;
        parenthesized!(list in input);
        while !list.is_empty() {
            arguments.push(text_of(&list, expression)?);
            if !list.is_empty() {
                list.parse::<Token![,]>()?;
            }
        }
    }
    match (name.as_str(), arguments.len()) {
        ("recv", 1) | ("send", 2) | ("default", 0 | 1) => {}
        _ => return Err(input.error("no such case")),
    }
    let mut result = String::new();
    if name != "default" {
        input.parse::<Token![->]>()?;
        result = text_of(input, |input| Pat::parse_multi_with_leading_vert(input).map(drop))?;
    }
    input.parse::<Token![=>]>()?;
    Ok(Case { name, arguments, result, body: body(input)? })
}

/// A block, or an expression and a comma, which the last may lack.
fn body(input: ParseStream<'_>) -> Result<String> {
    if is_block_alone(input) {
        let text = text_of(input, |input| input.parse::<Block>().map(drop))?;
        input.parse::<Option<Token![,]>>()?;
        return Ok(text);
    }
    let text = text_of(input, expression)?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(text)
}

/// An expression that needs no `if` around it.
fn expression(input: ParseStream<'_>) -> Result<()> {
    match input.parse()? {
        expression if is_condition(&expression) => Err(input.error("a `let`")),
        _ => Ok(()),
    }
}

fn is_condition(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(both) => is_condition(&both.left) || is_condition(&both.right),
        _ => false,
    }
}

/// Whether a block comes that nothing continues.
fn is_block_alone(input: ParseStream<'_>) -> bool {
    let Some((TokenTree::Group(group), rest)) = input.cursor().token_tree() else { return false };
    let continues = match rest.token_tree() {
        Some((TokenTree::Punct(punct), _)) => !matches!(punct.as_char(), ',' | ';'),
        Some((TokenTree::Ident(word), _)) => word == "as",
        _ => false,
    };
    group.delimiter() == Delimiter::Brace && !continues
}

/// The tokens that a parser takes.
fn text_of(input: ParseStream<'_>, parse: impl FnOnce(ParseStream<'_>) -> Result<()>) -> Result<String> {
    let begin = input.cursor();
    parse(input)?;
    between(begin, input.cursor()).ok_or_else(|| input.error("the end is inside of an invisible group"))
}

fn between(begin: Cursor<'_>, end: Cursor<'_>) -> Option<String> {
    let (mut at, mut tokens) = (begin, TokenStream::new());
    while at != end {
        let (token, next) = at.token_tree()?;
        tokens.extend([token]);
        at = next;
    }
    Some(text(tokens))
}
