//! What `select!` and `select_biased!` stand for.
//!
//! Why here: a procedural macro can point at the token that is wrong, and cuts cases at their commas whatever stands in between; rules of
//! `macro_rules` can do neither. The two macros themselves are rules of the runtime, which put the path of their crate in front of the cases.
//!
//! *Invariants*
//! - X2 and X3 of the crate.
//! - SL1. Receivers, senders and the duration are evaluated once, in this order: cases as they stand, then the duration. Their temporaries
//!   live as long as the body that is chosen.
//! - SL2. A message is evaluated only by its own case, when that is chosen, also if it is the only one.
//! - SL3. Nothing unsafe is emitted, and nothing that borrows an operand is alive in a body.
//!
//! *Locks*: none.
//!
//! *Go:* `walkSelectCases` of cmd/compile: cases that need no select become plain operations there, too; also sends, whose value comes first there.

pub(crate) mod cases;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use self::cases::{Case, Kind};
use crate::errors::Errors;

/// Expands `($crate) random cases..` or `($crate) biased cases..`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut tokens = input.into_iter();
    let (krate, order) = (tokens.next(), tokens.next());
    let (Some(TokenTree::Group(krate)), Some(TokenTree::Ident(order))) = (krate, order) else {
        let mut errors = Errors::default();
        errors.at(Span::call_site(), "this macro is for `select!` and `select_biased!` of goruntime only");
        return errors.into_tokens();
    };
    let krate = krate.stream();
    let mut errors = Errors::default();
    let cases = cases::parse(tokens.collect(), &mut errors);
    let here = Span::mixed_site();
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        // The last one is the value, of a type that fits everywhere.
        return quote_spanned!(here=> { #errors });
    }
    let private = quote_spanned!(here=> #krate::__private);
    simple(&cases, &private, &krate).unwrap_or_else(|| general(&cases, order == "biased", &private))
}

/// The names in an expansion: seen by nothing that the user wrote.
fn local(name: &str, number: usize) -> Ident {
    format_ident!("{name}{number}", span = Span::mixed_site())
}

/// A name as an argument, at the place of what it stands for, so that a type error points there.
fn at(name: &Ident, operand: &TokenStream) -> Ident {
    let mut name = name.clone();
    name.set_span(Span::mixed_site().located_at(operand.span()));
    name
}

/// Selects that are a plain operation, or none. A plain send is not one: it would need its message before its turn has come (SL2).
fn simple(cases: &[Case], private: &TokenStream, krate: &TokenStream) -> Option<TokenStream> {
    let here = Span::mixed_site();
    Some(match cases {
        [] => quote_spanned!(here=> #private::block()),
        [Case { kind: Kind::Default(None), body, .. }] => body.clone(),
        [Case { kind: Kind::Recv(receiver), result, body }] => {
            let (operand, value) = (local("operand", 0), local("value", 0));
            let argument = at(&operand, receiver);
            quote_spanned! {here=>
                match &(#receiver) {
                    #operand => {
                        #[allow(unused_mut)]
                        let mut #value = #krate::channel::Receiver::recv(#argument);
                        let #result = #value;
                        #body
                    }
                }
            }
        }
        _ => return None,
    })
}

/// A select of any number of cases.
fn general(cases: &[Case], is_biased: bool, private: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let chosen = local("chosen", 0);
    let (mut list, mut arms) = (TokenStream::new(), TokenStream::new());
    let mut wait = quote_spanned!(here=> run);
    let mut limit = TokenStream::new();
    for (number, case) in cases.iter().enumerate() {
        let (arm, value, Case { kind, result, body }) = (local("arm", number), local("value", number), case);
        let message = match kind {
            Kind::Default(after) => {
                wait = quote_spanned!(here=> run_now);
                if let Some(after) = after {
                    wait = quote_spanned!(here=> run_for);
                    limit = quote_spanned!(here=> , #after);
                }
                arms.extend(quote_spanned! {here=> ::core::option::Option::None => { #chosen.nothing(); #body } });
                continue;
            }
            Kind::Recv(_) => TokenStream::new(),
            Kind::Send(_, message) => quote_spanned!(here=> , #message),
        };
        list.extend(quote_spanned!(here=> #arm.case(#number),));
        arms.extend(quote_spanned! {here=>
            ::core::option::Option::Some(#number) => {
                // The result lives as long as the body, also if the pattern is `_`; it may be bound by `ref mut`.
                #[allow(unused_mut)]
                let mut #value = #arm.finish(#chosen #message);
                let #result = #value;
                #body
            }
        });
    }
    let mut select = quote_spanned! {here=>
        let #chosen = #private::#wait([#list], #is_biased #limit);
        match #chosen.index() {
            #arms
            _ => ::core::unreachable!(),
        }
    };
    // The first operand is the outermost, so that it is evaluated first.
    for (number, case) in cases.iter().enumerate().rev() {
        let (operand, kind) = match &case.kind {
            Kind::Recv(receiver) => (receiver, quote_spanned!(here=> RecvArm)),
            Kind::Send(sender, _) => (sender, quote_spanned!(here=> SendArm)),
            Kind::Default(_) => continue,
        };
        let (name, arm) = (local("operand", number), local("arm", number));
        let argument = at(&name, operand);
        select = quote_spanned! {here=>
            match &(#operand) {
                #name => {
                    let #arm = #private::#kind::new(#argument);
                    #select
                }
            }
        };
    }
    quote_spanned!(here=> { #select })
}

/// Whether a token is a group in these brackets.
fn is_group(token: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}
