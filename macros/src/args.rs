//! The arguments in the parentheses of an attribute: `name = value, ..`.
//!
//! Why here: the three attributes accept different names, but the same kinds of values in the same words.
//!
//! *Invariants*
//! - A1. A bad argument does not hide the next one: arguments are cut at commas before anything else is looked at.
//! - A2. A value that is returned has been checked as far as tokens allow; what a constant evaluates to is the
//!   runtime's to check.
//!
//! *Locks*: none.
//!
//! *Go:* none; Go has environment variables and functions for these.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Lit, LitInt, Result, Token};

use crate::errors::Errors;
use crate::expressions::{block, expression};
use crate::item::{is_punct, look_through};

/// The largest stack of a goroutine, in bytes; Go's limit on 64-bit machines is of the same order.
const STACK_LIMIT: u64 = 1 << 30;

/// An argument that an attribute accepts: its name and how it is written.
pub(crate) type Accepted = (&'static str, &'static str);

/// One `name = value` of the attribute.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) name: Ident,
    value: TokenStream,
}

/// Reads the arguments; what is malformed, unknown or given twice is reported and left out.
pub(crate) fn read(args: TokenStream, accepted: &[Accepted], errors: &mut Errors) -> Vec<Argument> {
    let mut arguments: Vec<Argument> = Vec::new();
    for chunk in split_at_commas(args, errors) {
        match read_one(chunk, accepted) {
            Ok(argument) if arguments.iter().any(|other| other.name == argument.name) => {
                errors.at(argument.name.span(), format!("duplicate argument `{}`; expected it once", argument.name));
            }
            Ok(argument) => arguments.push(argument),
            Err(error) => errors.push(error),
        }
    }
    arguments
}

fn read_one(chunk: Vec<TokenTree>, accepted: &[Accepted]) -> Result<Argument> {
    let mut tokens = chunk.into_iter();
    let name = match tokens.next().map(look_through) {
        Some(TokenTree::Ident(name)) => name,
        other => return Err(Error::new_spanned(other, format!("expected {}", list(accepted)))),
    };
    let Some((_, form)) = accepted.iter().find(|(known, _)| name == known) else {
        return Err(Error::new(name.span(), format!("unknown argument `{name}`; expected {}", list(accepted))));
    };
    let has_equals = tokens.next().is_some_and(|token| is_punct(&token, '='));
    let value: TokenStream = tokens.collect();
    if !has_equals || value.is_empty() {
        return Err(Error::new(name.span(), format!("`{name}` has no value; expected `{form}`")));
    }
    Ok(Argument { name, value })
}

/// "`a`, `b` or `c`".
fn list(accepted: &[Accepted]) -> String {
    let names: Vec<String> = accepted.iter().map(|(name, _)| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::from("no argument"),
    }
}

/// Cuts at the commas outside of brackets (A1); a comma may follow the last chunk.
fn split_at_commas(tokens: TokenStream, errors: &mut Errors) -> Vec<Vec<TokenTree>> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    for token in tokens {
        if !is_punct(&token, ',') {
            chunk.push(token);
        } else if chunk.is_empty() {
            errors.over(token, "unexpected `,`; expected one between two");
        } else {
            chunks.push(std::mem::take(&mut chunk));
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

impl Argument {
    /// The value as an expression of type `usize` that is at least 1.
    pub(crate) fn count(&self, errors: &mut Errors) -> Option<TokenStream> {
        self.constant(errors, |name, literal| match literal {
            0 => Some(format!("`{name}` is zero; expected at least 1")),
            _ => None,
        })
    }

    /// The value as an expression of type `usize` that can be the size of a stack.
    pub(crate) fn stack_size(&self, errors: &mut Errors) -> Option<TokenStream> {
        self.constant(errors, |name, literal| match literal {
            0 => Some(format!("`{name}` is zero; expected a size in bytes, at most {STACK_LIMIT} (1 GiB)")),
            1..=STACK_LIMIT => None,
            _ => Some(format!("`{name}` is too large; expected a size in bytes, at most {STACK_LIMIT} (1 GiB)")),
        })
    }

    /// The value as a literal that `refuse` has nothing against, or as a constant expression.
    fn constant(&self, errors: &mut Errors, refuse: impl FnOnce(&Ident, u64) -> Option<String>) -> Option<TokenStream> {
        let Self { name, value } = self;
        let expected = "expected an integer or a constant expression of type `usize`";
        let literal = match syn::parse2::<Lit>(value.clone()) {
            Err(_) => return Some(inline_const(value)),
            Ok(Lit::Int(literal)) => literal,
            Ok(other) => {
                errors.over(value, format!("`{name}` cannot be {}; {expected}", kind(&other)));
                return None;
            }
        };
        let text = match (literal.suffix(), magnitude(&literal)) {
            ("" | "usize", Some(number)) => refuse(name, number),
            ("" | "usize", None) => Some(format!("`{name}` is out of range; {expected}")),
            (suffix, _) => Some(format!("`{name}` cannot be of type `{suffix}`; {expected}")),
        };
        match text {
            None => Some(value.clone()),
            Some(text) => {
                errors.over(value, text);
                None
            }
        }
    }

    /// The value as `true` or `false`.
    pub(crate) fn boolean(&self, errors: &mut Errors) -> Option<bool> {
        match syn::parse2::<Lit>(self.value.clone()) {
            Ok(Lit::Bool(literal)) => Some(literal.value),
            _ => {
                errors.over(&self.value, format!("`{}` expects `true` or `false`", self.name));
                None
            }
        }
    }

    /// The value as a path, written as such or as a string.
    pub(crate) fn path(&self, errors: &mut Errors) -> Option<TokenStream> {
        let parsed = match syn::parse2::<Lit>(self.value.clone()) {
            Ok(Lit::Str(literal)) => literal.parse_with(parse_path),
            _ => parse_path.parse2(self.value.clone()),
        };
        match parsed {
            Ok(path) => Some(path),
            Err(_) => {
                let name = &self.name;
                errors.over(&self.value, format!("`{name}` expects a path or a string that holds one: `::goruntime`"));
                None
            }
        }
    }

    /// The value as a list of paths in square brackets.
    pub(crate) fn paths(&self, errors: &mut Errors) -> Vec<TokenStream> {
        let name = &self.name;
        let mut tokens = self.value.clone().into_iter();
        let elements = match (tokens.next().map(look_through), tokens.next()) {
            (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Bracket => group.stream(),
            _ => {
                errors.over(&self.value, format!("`{name}` expects a list: `[path::to::init_fn, ..]`"));
                return Vec::new();
            }
        };
        let mut paths = Vec::new();
        for chunk in split_at_commas(elements, errors) {
            let element: TokenStream = chunk.into_iter().collect();
            match parse_path.parse2(element.clone()) {
                Ok(path) => paths.push(path),
                Err(_) => errors.over(element, format!("`{name}` expects paths of init functions")),
            }
        }
        paths
    }
}

/// `const { value }`.
fn inline_const(value: &TokenStream) -> TokenStream {
    let value: Vec<TokenTree> = value.clone().into_iter().collect();
    let block = block(expression(&value));
    quote!(const #block)
}

/// The value of a literal that fits and has no sign.
fn magnitude(literal: &LitInt) -> Option<u64> {
    literal.base10_digits().parse().ok()
}

fn kind(literal: &Lit) -> &'static str {
    match literal {
        Lit::Str(_) | Lit::ByteStr(_) | Lit::CStr(_) => "a string",
        Lit::Byte(_) | Lit::Char(_) => "a character",
        Lit::Float(_) => "a float",
        Lit::Bool(_) => "a bool",
        _ => "this literal",
    }
}

/// Reads `a::b::c`, perhaps with `::` in front; generic arguments are not part of such a path.
fn parse_path(input: ParseStream<'_>) -> Result<TokenStream> {
    let leading: Option<Token![::]> = input.parse()?;
    let first = parse_segment(input)?;
    let mut path = quote!(#leading #first);
    while !input.is_empty() {
        let colons: Token![::] = input.parse()?;
        let segment = parse_segment(input)?;
        path.extend(quote!(#colons #segment));
    }
    Ok(path)
}

fn parse_segment(input: ParseStream<'_>) -> Result<Ident> {
    let is_keyword = input.peek(Token![crate]) || input.peek(Token![self]) || input.peek(Token![super]);
    if is_keyword { input.call(Ident::parse_any) } else { input.parse() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: &[Accepted] = &[("count", "count = 4"), ("flag", "flag = true"), ("list", "list = [path]")];

    fn one(source: &str) -> (Option<Argument>, String) {
        let mut errors = Errors::default();
        let argument = read(source.parse().unwrap(), ACCEPTED, &mut errors).pop();
        (argument, errors.into_tokens().to_string())
    }

    fn count(source: &str) -> std::result::Result<String, String> {
        let mut errors = Errors::default();
        let value = one(source).0.unwrap().count(&mut errors);
        value.map(|value| value.to_string()).ok_or_else(|| errors.into_tokens().to_string())
    }

    #[test]
    fn literals_stay_and_expressions_become_constants() {
        assert_eq!(count("count = 4").unwrap(), "4");
        assert_eq!(count("count = 0x10usize,").unwrap(), "0x10usize");
        assert_eq!(count("count = 2 * N").unwrap(), "const { 2 * N }");
        assert_eq!(count("count = { f::<A, B>() }").unwrap(), "const { f ::< A , B > () }");
        assert_eq!(count("count = m! { a } * 2").unwrap(), "const { (m ! { a } * 2) }");
    }

    #[test]
    fn ill_typed_literals_are_refused() {
        for value in ["0", "-1", "\"4\"", "4.0", "true", "4u32", "99999999999999999999999", "'a'"] {
            assert!(count(&format!("count = {value}")).is_err(), "{value} is accepted");
        }
    }

    #[test]
    fn one_bad_argument_does_not_hide_the_next() {
        let (_, errors) = one("nope = 1, flag, 7, count = 1, count = 2,, x");
        for part in ["unknown argument `nope`", "`flag` has no value", "duplicate", "unexpected `,`", "`x`"] {
            assert!(errors.contains(part), "{part} is missing in {errors}");
        }
        assert!(errors.contains("expected `count`, `flag` or `list`"), "{errors}");
    }

    #[test]
    fn a_path_may_be_a_path_or_a_string() {
        let mut errors = Errors::default();
        let mut path = |source: &str| one(source).0.unwrap().path(&mut errors).map(|path| path.to_string());
        assert_eq!(path("list = ::a::b").unwrap(), path("list = \"::a::b\"").unwrap());
        assert_eq!(path("list = a::"), None);
        assert_eq!(path("list = 3"), None);
        assert_eq!(path("list = a::true"), None);
    }

    #[test]
    fn a_list_keeps_its_good_paths() {
        let mut errors = Errors::default();
        let argument = one("list = [a::b, 3, crate::c, f()]").0.unwrap();
        assert_eq!(argument.paths(&mut errors).len(), 2);
        assert_eq!(errors.into_tokens().to_string().matches("expects paths").count(), 2);
    }
}
