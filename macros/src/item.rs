//! The item under the attribute, cut into the pieces that the expansions need.
//!
//! Why here: all three attributes accept the same shape, a plain `fn name() -> Ret { .. }`, and refuse everything else
//! in the same words. Types and bodies are never parsed: a half-typed body cannot make the expansion fail, and syn's
//! largest feature stays off.
//!
//! *Invariants*
//! - I1. What `Function` holds, written one after the other, is the item of the user, token for token.
//! - I2. Invisible groups, which `macro_rules` puts around fragments, are looked through.
//!
//! *Locks*: none.
//!
//! *Go:* the checks of `cmd/compile` for `func main` and `func init` ("must have no arguments and no return values").

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Lit, Result, Token, token};

use crate::errors::Errors;

/// Last path segments of the attributes that turn a function into something that a test harness or a runtime starts.
const EXCLUSIVE: [&str; 4] = ["main", "init", "test", "bench"];

/// One `#[..]` of the item.
pub(crate) struct Attribute {
    tokens: TokenStream,
    path: String,
}

impl Attribute {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let pound: Token![#] = input.parse()?;
        let group: TokenTree = input.parse()?;
        let mut path = String::new();
        if let TokenTree::Group(group) = &group {
            for token in group.stream() {
                match token {
                    TokenTree::Ident(ident) => path.push_str(&ident.to_string()),
                    TokenTree::Punct(punct) if punct.as_char() == ':' => path.push(':'),
                    _ => break,
                }
            }
        }
        Ok(Self { tokens: quote!(#pound #group), path })
    }

    fn is_exclusive(&self) -> bool {
        self.path.rsplit(':').next().is_some_and(|last| EXCLUSIVE.contains(&last))
    }
}

impl ToTokens for Attribute {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.tokens.to_tokens(tokens);
    }
}

/// A function item, acceptable or not.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: TokenStream,
    /// `const`, `async`, `unsafe`, `extern "C"` and the like.
    qualifiers: Vec<TokenTree>,
    fn_token: Token![fn],
    pub(crate) name: Ident,
    generics: TokenStream,
    inputs: Group,
    /// `-> Ret`, or nothing.
    pub(crate) output: TokenStream,
    where_clause: TokenStream,
    /// The last token: a group in braces, or `;` where a function has no body.
    body: TokenTree,
}

impl Function {
    /// Cuts `item` into its pieces.
    ///
    /// # Errors
    ///
    /// If it is not a function, at the word that says what it is instead.
    pub(crate) fn parse(item: TokenStream) -> Result<Self> {
        Self::parse_stream.parse2(item)
    }

    fn parse_stream(input: ParseStream<'_>) -> Result<Self> {
        let mut attrs = Vec::new();
        while input.peek(Token![#]) {
            attrs.push(Attribute::parse(input)?);
        }
        let vis = parse_vis(input)?;
        let kind = input.span();
        let qualifiers = parse_qualifiers(input)?;
        let Ok(fn_token) = input.parse::<Token![fn]>() else {
            return Err(Error::new(kind, "expected a function"));
        };
        let name = input.call(Ident::parse_any)?;
        let generics = parse_generics(input)?;
        let inputs = parse_parentheses(input)?;
        let (output, where_clause, body) = parse_tail(input)?;
        Ok(Self { attrs, vis, qualifiers, fn_token, name, generics, inputs, output, where_clause, body })
    }

    /// Reports what keeps the function from being a plain `fn name() -> Ret { .. }` without an attribute of its kind.
    pub(crate) fn check(&self, attribute: &str, name: &str, errors: &mut Errors) {
        for attr in self.attrs.iter().filter(|attr| attr.is_exclusive()) {
            errors.over(
                attr,
                match attr.path.as_str() {
                    same if same == attribute => format!("duplicate `#[{attribute}]`; expected it once"),
                    other => format!("`#[{other}]` cannot be combined with `#[{attribute}]`; expected one of them"),
                },
            );
        }
        for word in self.qualifiers.iter().filter(|token| matches!(token, TokenTree::Ident(_))) {
            let hint = if *word.to_string() == *"async" { ", since goroutines block instead of awaiting" } else { "" };
            errors.over(word, format!("unexpected `{word}`; `#[{attribute}]` expects a plain `fn`{hint}"));
        }
        let shape = format!("`#[{attribute}]` expects `fn {name}()`");
        if !self.generics.is_empty() {
            errors.over(&self.generics, format!("unexpected generic parameters; {shape}"));
        }
        if self.has_self() {
            errors.over(self.inputs.stream(), format!("unexpected `self`; {shape} outside of an `impl`"));
        } else if !self.inputs.stream().is_empty() {
            errors.over(self.inputs.stream(), format!("unexpected arguments; {shape}"));
        }
        if !self.where_clause.is_empty() {
            errors.over(&self.where_clause, format!("unexpected `where` clause; {shape}"));
        }
        if !matches!(self.body, TokenTree::Group(_)) {
            errors.over(&self.body, format!("missing body; {shape} with a body in braces"));
        }
        if self.name != name {
            errors.at(self.name.span(), format!("unexpected name `{}`; {shape}", self.name));
        }
    }

    /// Says whether the function is a method, which exists only inside of an `impl` or a `trait`.
    pub(crate) fn has_self(&self) -> bool {
        let mut first = self.inputs.stream().into_iter().take_while(|token| !is_punct(token, ','));
        first.any(|token| matches!(token, TokenTree::Ident(ident) if ident == "self"))
    }

    /// The function without attributes and visibility, as it was written.
    pub(crate) fn bare(&self) -> TokenStream {
        let Self { qualifiers, fn_token, name, generics, inputs, output, where_clause, body, .. } = self;
        quote!(#(#qualifiers)* #fn_token #name #generics #inputs #output #where_clause #body)
    }

    /// As [`bare`](Self::bare), but without `const`, since ordinary code in a `const fn` is one more error.
    pub(crate) fn bare_without_const(&self) -> TokenStream {
        let Self { fn_token, name, generics, inputs, output, where_clause, body, .. } = self;
        let qualifiers = self.qualifiers.iter().filter(|token| *token.to_string() != *"const");
        quote!(#(#qualifiers)* #fn_token #name #generics #inputs #output #where_clause #body)
    }

    /// The attributes that can stay when the function is emitted after an error.
    pub(crate) fn harmless_attrs(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(|attr| !attr.is_exclusive())
    }
}

fn parse_vis(input: ParseStream<'_>) -> Result<TokenStream> {
    if !input.peek(Token![pub]) {
        return Ok(TokenStream::new());
    }
    let word: Token![pub] = input.parse()?;
    let scope = if input.peek(token::Paren) { Some(input.parse::<TokenTree>()?) } else { None };
    Ok(quote!(#word #scope))
}

fn parse_qualifiers(input: ParseStream<'_>) -> Result<Vec<TokenTree>> {
    const WORDS: [&str; 7] = ["default", "const", "async", "gen", "unsafe", "safe", "extern"];
    let mut qualifiers = Vec::new();
    loop {
        let ahead = input.fork();
        match ahead.call(Ident::parse_any) {
            Ok(word) if WORDS.contains(&word.to_string().as_str()) => {
                qualifiers.push(TokenTree::Ident(input.call(Ident::parse_any)?));
                if word == "extern" && input.peek(Lit) {
                    qualifiers.push(input.parse()?);
                }
            }
            _ => return Ok(qualifiers),
        }
    }
}

/// Reads `<..>`; the `>` of an arrow closes nothing.
fn parse_generics(input: ParseStream<'_>) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    let mut depth = 0_usize;
    let mut in_arrow = false;
    while depth > 0 || (tokens.is_empty() && input.peek(Token![<])) {
        let token: TokenTree = input.parse()?;
        match &token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !in_arrow => depth -= 1,
            _ => {}
        }
        in_arrow = matches!(&token, TokenTree::Punct(punct)
            if matches!(punct.as_char(), '-' | '=') && punct.spacing() == Spacing::Joint);
        tokens.extend([token]);
    }
    Ok(tokens)
}

fn parse_parentheses(input: ParseStream<'_>) -> Result<Group> {
    let span = input.span();
    match input.parse::<TokenTree>().map(look_through) {
        Ok(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => Ok(group),
        _ => Err(Error::new(span, "expected `()`")),
    }
}

/// Splits what follows the arguments into return type, `where` clause and body.
fn parse_tail(input: ParseStream<'_>) -> Result<(TokenStream, TokenStream, TokenTree)> {
    let end = input.span();
    let mut tokens: Vec<TokenTree> = input.parse::<TokenStream>()?.into_iter().collect();
    let body = tokens.pop().map(look_through);
    let Some(body) = body.filter(|token| is_braces(token) || is_punct(token, ';')) else {
        return Err(Error::new(end, "expected a function with a body in braces"));
    };
    let is_where = |token: &TokenTree| matches!(token, TokenTree::Ident(ident) if ident == "where");
    let at = tokens.iter().position(is_where).unwrap_or(tokens.len());
    let where_clause = tokens.split_off(at);
    Ok((tokens.into_iter().collect(), where_clause.into_iter().collect(), body))
}

/// Opens invisible groups that hold a single token (I2).
pub(crate) fn look_through(token: TokenTree) -> TokenTree {
    let TokenTree::Group(group) = &token else { return token };
    let mut inner = group.stream().into_iter();
    match (group.delimiter(), inner.next(), inner.next()) {
        (Delimiter::None, Some(only), None) => look_through(only),
        _ => token,
    }
}

pub(crate) fn is_braces(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// Says whether the token is this punctuation character.
pub(crate) fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str) -> String {
        let mut errors = Errors::default();
        match Function::parse(source.parse().unwrap()) {
            Ok(function) => function.check("goruntime::main", "main", &mut errors),
            Err(error) => errors.push(error),
        }
        errors.into_tokens().to_string()
    }

    #[test]
    fn a_plain_function_is_accepted_with_any_visibility_and_return_type() {
        for head in ["fn main()", "pub fn main() -> !", "pub(in crate::a) fn main() -> Result<(), [u8; { 3 }]>"] {
            assert_eq!(check(&format!("/// Doc.\n#[cfg(unix)] {head} {{ half typed ( }}").replace("( }", "}")), "");
        }
    }

    #[test]
    fn pieces_add_up_to_the_item() {
        let source = "const unsafe extern \"C\" fn f<T: Fn() -> U, U>(x: T) -> Vec<U> where U: Copy { x() }";
        let function = Function::parse(source.parse().unwrap()).unwrap();
        assert_eq!(function.bare().to_string(), source.parse::<TokenStream>().unwrap().to_string());
        assert_eq!(function.generics.to_string(), "< T : Fn () -> U , U >");
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let errors = check("#[tokio::main] async unsafe fn main<T>(x: T) where T: Copy { }");
        for part in ["tokio::main", "`async`", "`unsafe`", "generic parameters", "arguments", "`where` clause"] {
            assert!(errors.contains(part), "{part} is missing in {errors}");
        }
    }

    #[test]
    fn self_is_found_in_the_first_argument_only() {
        assert!(check("fn main(&'a mut self, x: u8) {}").contains("unexpected `self`"));
        assert!(check("fn main(x: u8, y: fn(self)) {}").contains("unexpected arguments"));
    }

    #[test]
    fn other_items_and_missing_bodies_are_refused() {
        assert!(check("const X: u8 = 1;").contains("expected a function"));
        assert!(check("pub struct X { a: u8 }").contains("expected a function"));
        assert!(check("fn main();").contains("missing body"));
    }
}
