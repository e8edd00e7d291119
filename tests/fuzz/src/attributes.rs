//! The attributes `main`, `init` and `test`: their arguments, and the items that they are on.
//!
//! Why here: a target.
//!
//! *Invariants*
//! - AT1. Whatever the tokens are, there is an output, and the errors in it have texts.
//! - AT2. An item on which an attribute is stays an item, whatever is wrong (X1 of the macros).
//! - AT3. Errors are reported if and only if something is wrong: syn says what the function is, and [`are_good`] what arguments are.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use arbitrary::{Result, Unstructured};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::{Expr, ExprLit, Item, ItemFn, Lit};

use crate::expressions::without_invisible_groups;
use crate::item::Function;
use crate::tokens::{begin, is_text, mutate, parse, reports};
use crate::{grammar, init_attr, main_attr, test_attr};

/// Attributes that exclude each other.
const EXCLUSIVE: [&str; 4] = ["main", "init", "test", "bench"];

/// An attribute on an item.
struct Use {
    attribute: &'static str,
    args: TokenStream,
    item: TokenStream,
}

/// Takes the bytes for the name of an attribute with its arguments, and an item in the lines below, or as choices of them.
///
/// # Panics
///
/// If the attribute does not do its duty.
pub fn attributes(data: &[u8]) {
    begin();
    let attribute = if is_text(data) { str::from_utf8(data).ok().and_then(written) } else { made(data).ok().flatten() };
    if let Some(attribute) = attribute {
        attribute.check();
    }
}

/// `main max_procs = 4`, then the item.
fn written(text: &str) -> Option<Use> {
    let (first, item) = text.split_once('\n')?;
    let (name, args) = first.split_once(' ').unwrap_or((first, ""));
    let attribute = ["main", "init", "test"].into_iter().find(|known| *known == name)?;
    Some(Use { attribute, args: parse(args)?, item: parse(item)? })
}

fn made(data: &[u8]) -> Result<Option<Use>> {
    let mut bytes = Unstructured::new(data.get(1..).unwrap_or_default());
    let attribute = *bytes.choose(&["main", "init", "test"])?;
    let slips: [usize; 2] = [*bytes.choose(&[0, 0, 0, 1, 2])?, *bytes.choose(&[0, 0, 0, 1, 2])?];
    let (args, item) = (parse(&grammar::text(&mut bytes, 'M')?), parse(&grammar::text(&mut bytes, 'I')?));
    let (Some(mut args), Some(mut item)) = (args, item) else { return Ok(None) };
    for _ in 0..slips[0] {
        args = mutate(&mut bytes, args)?;
    }
    for _ in 0..slips[1] {
        item = mutate(&mut bytes, item)?;
    }
    Ok(Some(Use { attribute, args, item }))
}

impl Use {
    fn check(&self) {
        let Use { attribute, args, item } = self;
        let expand = match *attribute {
            "main" => main_attr::expand,
            "init" => init_attr::expand,
            _ => test_attr::expand,
        };
        let whole = format!("#[{attribute}({args})]\n{item}");
        let output = expand(args.clone(), item.clone());
        let (errors, rest) = reports(output.clone());
        for error in &errors {
            let text = &error.text;
            assert!(
                !text.is_empty() && !text.starts_with(char::is_uppercase) && !text.ends_with('.'),
                "{text}\n{whole}"
            );
            assert!(text.contains("expect"), "does not say what is accepted: {text}\n{whole}");
        }
        let Ok(parsed) = syn::parse2::<Item>(item.clone()) else {
            return;
        };
        // What an error leaves of arguments is not looked at, and neither is what a constant is made of.
        let good = are_good(attribute, args);
        if good.is_some() || !errors.is_empty() {
            let is_file = syn::parse2::<syn::File>(legible(output)).is_ok();
            assert!(is_file, "no items:\n{rest}\nfrom {whole}\n{errors:?}");
        }
        for error in &errors {
            assert!(error.has_place, "nowhere in {whole}: {}", error.text);
        }
        let is_plain = match &parsed {
            Item::Fn(function) => {
                pieces_add_up(item, &whole);
                is_plain(attribute, function)
            }
            _ => false,
        };
        match good {
            Some(good) => assert_eq!(errors.is_empty(), good && is_plain, "{whole}\n{errors:?}"),
            None => assert!(is_plain || !errors.is_empty(), "accepted: {whole}"),
        }
    }
}

/// The same with parentheses around the content of a block that begins with `crate` and no path, `{ crate = a }`: syn takes that for the visibility of an
/// item, which it was once; to the compiler it is an expression, with a type error.
fn legible(tokens: TokenStream) -> TokenStream {
    let change = |token| {
        let TokenTree::Group(group) = token else { return token };
        let mut inside = legible(group.stream());
        if group.delimiter() == Delimiter::Brace && begins_with_lone_crate(&inside) {
            inside = TokenTree::Group(Group::new(Delimiter::Parenthesis, inside)).into();
        }
        TokenTree::Group(Group::new(group.delimiter(), inside))
    };
    tokens.into_iter().map(change).collect()
}

fn begins_with_lone_crate(tokens: &TokenStream) -> bool {
    let visible = without_invisible_groups(tokens.clone());
    let is = |at: usize, c| matches!(visible.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
    let mut first = 0;
    while is(first, '#') {
        first += 2;
    }
    matches!(visible.get(first), Some(TokenTree::Ident(word)) if word == "crate")
        && !(is(first + 1, ':') && is(first + 2, ':'))
}

/// I1 of `item.rs`.
fn pieces_add_up(item: &TokenStream, whole: &str) {
    let function = Function::parse(item.clone()).unwrap_or_else(|error| panic!("{error}: {whole}\n{item:?}"));
    let mut pieces = TokenStream::new();
    function.attrs.iter().for_each(|attribute| attribute.to_tokens(&mut pieces));
    pieces.extend(function.vis.clone());
    pieces.extend(function.bare());
    let solid = |tokens: &TokenStream| tokens.to_string().split_whitespace().collect::<String>();
    assert_eq!(solid(&pieces), solid(item), "{whole}");
}

/// Whether the attribute may be on this function, as syn sees it.
fn is_plain(attribute: &str, function: &ItemFn) -> bool {
    let ItemFn { attrs, sig, .. } = function;
    let last = |path: &syn::Path| path.segments.last().map(|last| last.ident.to_string());
    let is_exclusive = |attr: &syn::Attribute| last(attr.path()).is_some_and(|last| EXCLUSIVE.contains(&last.as_str()));
    let has_qualifiers = sig.constness.is_some()
        || sig.asyncness.is_some()
        || !sig.safety.to_token_stream().is_empty()
        || sig.abi.is_some();
    let has_generics = sig.generics.lt_token.is_some() || sig.generics.where_clause.is_some();
    !attrs.iter().any(is_exclusive)
        && !has_qualifiers
        && !has_generics
        && sig.inputs.is_empty()
        && sig.variadic.is_none()
        && (attribute != "main" || sig.ident == "main")
}

/// Whether the arguments are what the attribute accepts. None: only the compiler can say, since a value is no expression.
fn are_good(attribute: &str, args: &TokenStream) -> Option<bool> {
    let accepted: &[&str] = match attribute {
        "main" => &["max_procs", "main_stack_size", "stack_size", "migrate", "crate"],
        "init" => &["after", "crate"],
        _ => &["crate"],
    };
    let mut good = Some(true);
    let mut names = Vec::new();
    for argument in split(args)? {
        let mut tokens = argument.into_iter();
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Punct(equals))) = (tokens.next(), tokens.next()) else {
            return None;
        };
        let name = name.to_string();
        if equals.as_char() != '=' || names.contains(&name) || !accepted.contains(&name.as_str()) {
            return Some(false);
        }
        let is_good = is_good_value(&name, tokens.collect());
        names.push(name);
        match is_good {
            Some(true) => {}
            Some(false) => return Some(false),
            None => good = None,
        }
    }
    good
}

/// Cuts at commas. None if there is nothing between two.
fn split(args: &TokenStream) -> Option<Vec<TokenStream>> {
    let mut parts = vec![TokenStream::new()];
    for token in args.clone() {
        if matches!(&token, TokenTree::Punct(comma) if comma.as_char() == ',') {
            parts.push(TokenStream::new());
        } else {
            parts.last_mut()?.extend([token]);
        }
    }
    if parts.last()?.is_empty() {
        parts.pop();
    }
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

fn is_good_value(name: &str, value: TokenStream) -> Option<bool> {
    let expression = syn::parse2::<Expr>(value.clone()).ok();
    let expression = expression.as_ref().map(look_through);
    match name {
        "migrate" => expression.map(|value| matches!(literal(value), Some(Lit::Bool(_)))),
        "crate" => match expression.and_then(literal) {
            Some(Lit::Str(text)) => text.parse::<TokenStream>().ok().map(is_path),
            _ => Some(is_path(value)),
        },
        "after" => match expression? {
            Expr::Array(list) if list.attrs.is_empty() => {
                Some(list.elems.iter().all(|element| is_path(element.to_token_stream())))
            }
            _ => Some(false),
        },
        // To syn's `Lit` a number may have a sign; to its `Expr` that is an operator.
        _ if is_negative(expression?) => Some(false),
        _ => match literal(expression?) {
            Some(Lit::Int(number)) => {
                let in_range = number
                    .base10_parse::<u64>()
                    .is_ok_and(|number| number > 0 && (name == "max_procs" || number <= 1 << 30));
                Some(in_range && ["", "usize"].contains(&number.suffix()))
            }
            Some(_) => Some(false),
            None => Some(true),
        },
    }
}

/// The value without what `macro_rules` put around it.
fn look_through(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) if group.attrs.is_empty() => look_through(&group.expr),
        other => other,
    }
}

/// Whether the value is a number with a sign. In front of a string a sign is an operator, of which only the compiler says that there is none.
fn is_negative(value: &Expr) -> bool {
    match value {
        Expr::Unary(unary) if unary.attrs.is_empty() => {
            let operand = literal(look_through(&unary.expr));
            matches!(unary.op, syn::UnOp::Neg(_)) && matches!(operand, Some(Lit::Int(_) | Lit::Float(_)))
        }
        _ => false,
    }
}

fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, attrs }) if attrs.is_empty() => Some(lit),
        _ => None,
    }
}

/// Names with `::` between them, perhaps also in front; `Self` names no function and no crate.
fn is_path(tokens: TokenStream) -> bool {
    let plain = syn::Path::parse_mod_style.parse2(tokens);
    plain.is_ok_and(|path| path.segments.iter().all(|segment| segment.ident != "Self"))
}
