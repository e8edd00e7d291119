//! Token streams from bytes, and the errors in those that macros return.
//!
//! Why here: shared by the macros' targets.
//!
//! *Invariants*
//! - TK1. No more than [`LONGEST`] bytes of text and [`DEEPEST`] brackets inside of each other: syn recurses, on the stack of a test.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use arbitrary::{Result, Unstructured};
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

/// Most bytes of a text.
const LONGEST: usize = 4096;
/// Most brackets inside of each other.
const DEEPEST: usize = 32;

/// Whether the bytes are meant as a text, as those of seeds that were written by hand are.
pub(crate) fn is_text(data: &[u8]) -> bool {
    data.first().is_some_and(|&byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
}

/// Forgets the places of earlier tokens, which would be kept for as long as the thread lives.
pub(crate) fn begin() {
    proc_macro2::extra::invalidate_current_thread_spans();
}

/// The tokens of a text. None if there are none, or too many.
pub(crate) fn parse(text: &str) -> Option<TokenStream> {
    let mut depth = 0usize;
    let deepest = text.chars().map(|c| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth
    });
    if text.len() > LONGEST || deepest.max().unwrap_or(0) > DEEPEST {
        return None;
    }
    text.parse().ok().map(with_invisible_groups)
}

/// Puts invisible brackets in the place of `none(..)`, around what a fragment of `macro_rules` can be.
fn with_invisible_groups(tokens: TokenStream) -> TokenStream {
    let mut made: Vec<TokenTree> = Vec::new();
    for token in tokens {
        let TokenTree::Group(group) = &token else {
            made.push(token);
            continue;
        };
        let inside = with_invisible_groups(group.stream());
        let is_marked = matches!(made.last(), Some(TokenTree::Ident(word)) if word == "none")
            && group.delimiter() == Delimiter::Parenthesis;
        let mut delimiter = group.delimiter();
        if is_marked && is_fragment(&inside) {
            made.pop();
            delimiter = Delimiter::None;
        }
        let mut outside = Group::new(delimiter, inside);
        outside.set_span(group.span());
        made.push(TokenTree::Group(outside));
    }
    made.into_iter().collect()
}

/// A text in which parentheses around what is in invisible brackets, and nothing else, make no difference.
pub(crate) fn text(tokens: TokenStream) -> String {
    without_needless_parentheses(tokens).to_string()
}

fn without_needless_parentheses(tokens: TokenStream) -> TokenStream {
    let bare = |token| {
        let TokenTree::Group(group) = token else { return token };
        let inside: Vec<TokenTree> = without_needless_parentheses(group.stream()).into_iter().collect();
        match &inside[..] {
            [TokenTree::Group(only)]
                if group.delimiter() == Delimiter::Parenthesis && only.delimiter() == Delimiter::None =>
            {
                inside[0].clone()
            }
            _ => TokenTree::Group(Group::new(group.delimiter(), inside.into_iter().collect())),
        }
    };
    tokens.into_iter().map(bare).collect()
}

fn is_fragment(tokens: &TokenStream) -> bool {
    use syn::parse::Parser;
    syn::parse2::<syn::Expr>(tokens.clone()).is_ok()
        || syn::parse2::<syn::Type>(tokens.clone()).is_ok()
        || syn::Pat::parse_multi.parse2(tokens.clone()).is_ok()
        || syn::parse2::<syn::Lifetime>(tokens.clone()).is_ok()
        || syn::parse2::<syn::Visibility>(tokens.clone()).is_ok() && !tokens.is_empty()
}

/// Does to some tokens what a slip of the hand does.
pub(crate) fn mutate(bytes: &mut Unstructured<'_>, tokens: TokenStream) -> Result<TokenStream> {
    let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
    if tokens.is_empty() {
        return Ok(TokenStream::new());
    }
    let at = bytes.choose_index(tokens.len())?;
    // What `macro_rules` has matched is right in itself.
    if let TokenTree::Group(group) = &tokens[at]
        && group.delimiter() != Delimiter::None
        && bytes.ratio(2, 3)?
    {
        let mut inside = Group::new(group.delimiter(), mutate(bytes, group.stream())?);
        inside.set_span(group.span());
        tokens[at] = TokenTree::Group(inside);
        return Ok(tokens.into_iter().collect());
    }
    match bytes.int_in_range(0..=4)? {
        0 => drop(tokens.remove(at)),
        1 => tokens.insert(at, tokens[at].clone()),
        2 if at > 0 => tokens.swap(at - 1, at),
        3 => tokens.insert(at, stray(bytes, tokens[at].span())?),
        _ => {
            let brackets = *bytes.choose(&[Delimiter::Parenthesis, Delimiter::Brace, Delimiter::Bracket])?;
            let end = bytes.int_in_range(at + 1..=tokens.len())?;
            let span = tokens[at].span();
            let mut group = Group::new(brackets, tokens.drain(at..end).collect());
            group.set_span(span);
            tokens.insert(at, TokenTree::Group(group));
        }
    }
    Ok(tokens.into_iter().collect())
}

/// A token that nobody asked for.
fn stray(bytes: &mut Unstructured<'_>, span: Span) -> Result<TokenTree> {
    const WORDS: [&str; 10] = ["recv", "send", "default", "as", "if", "match", "where", "fn", "self", "x"];
    let mut token = if bytes.arbitrary()? {
        TokenTree::Ident(Ident::new(bytes.choose(&WORDS)?, span))
    } else {
        let spacing = if bytes.arbitrary()? { Spacing::Joint } else { Spacing::Alone };
        TokenTree::Punct(Punct::new(
            *bytes.choose(&['<', '>', '|', '-', '=', ',', ';', ':', '&', '.', '#', '!'])?,
            spacing,
        ))
    };
    token.set_span(span);
    Ok(token)
}

/// An error that the compiler will report: its text, and whether it stands at a token that was written.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) has_place: bool,
}

/// Cuts the errors at the beginning of what a macro has returned.
pub(crate) fn reports(tokens: TokenStream) -> (Vec<Report>, TokenStream) {
    let mut rest: Vec<TokenTree> = tokens.into_iter().collect();
    let mut found = Vec::new();
    // `:: core :: compile_error ! { "text" }`
    while let [_, _, TokenTree::Ident(core), _, _, TokenTree::Ident(name), _, TokenTree::Group(text), ..] = &rest[..] {
        if core != "core" || name != "compile_error" {
            break;
        }
        let text = syn::parse2::<syn::LitStr>(text.stream()).expect("an error is a text");
        // proc-macro2 forgets all places in a build by cargo-fuzz.
        let has_place = cfg!(fuzzing) || !name.span().byte_range().is_empty() && !text.span().byte_range().is_empty();
        found.push(Report { text: text.value(), has_place });
        rest.drain(..8);
    }
    (found, rest.into_iter().collect())
}
