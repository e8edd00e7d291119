//! `#[goruntime::init]`: registers a function in the list of init functions.
//!
//! Why here: the other half of `rt0/inits.rs`, which puts the list in order.
//!
//! *Invariants*
//! - N1. The function of the user is emitted as it was written; beside it stand a hidden type of the same name and
//!   visibility, which carries its identity, and one entry of the list.
//! - N2. `after` names the hidden type by the path of the function, so the compiler checks it, and the crate that holds it
//!   is linked. Function addresses are not compared: release builds merge equal bodies.
//! - N3. All names are resolved in the scope of the function, which therefore may be private or nested in another one.
//!
//! *Locks*: none.
//!
//! *Go:* `cmd/compile/internal/pkginit`, which emits the `inittask` of a package.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::args::{self, Accepted};
use crate::errors::Errors;
use crate::item::Function;

const NAME: &str = "goruntime::init";

const ACCEPTED: &[Accepted] = &[("after", "after = [path::to::init_fn]"), ("crate", "crate = ::goruntime")];

/// Expands the attribute.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut krate = quote!(::goruntime);
    let mut after = Vec::new();
    for argument in args::read(args, ACCEPTED, &mut errors) {
        match argument.name.to_string().as_str() {
            "after" => after = argument.paths(&mut errors),
            _ => krate = argument.path(&mut errors).unwrap_or(krate),
        }
    }
    let function = match Function::parse(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.at(error.span(), format!("{error}; `#[{NAME}]` goes on `fn name()`"));
            let errors = errors.into_tokens();
            return quote!(#errors #item);
        }
    };
    function.check(NAME, &function.name.to_string(), &mut errors);
    let registration = match (errors.is_empty(), function.has_self()) {
        (true, _) => {
            let (identity, entry) = (identity(&function, &krate), entry(&function, &krate, &after));
            quote!(#identity #entry)
        }
        (false, false) => identity(&function, &krate),
        (false, true) => TokenStream::new(),
    };
    let errors = errors.into_tokens();
    let attrs = function.harmless_attrs();
    let (vis, bare) = (&function.vis, function.bare());
    quote!(#errors #(#attrs)* #vis #bare #registration)
}

/// The hidden type (N1). It stays also after an error, so that `after` elsewhere does not fail as well.
fn identity(function: &Function, krate: &TokenStream) -> TokenStream {
    let vis = &function.vis;
    // Lints leave a name alone that has the span of the attribute: nobody else chose its case.
    let mut name = function.name.clone();
    name.set_span(ours_at(name.span()));
    quote! {
        #[doc(hidden)]
        #vis enum #name {}
        impl #krate::__private::Init for #name {
            fn id() -> &'static #krate::__private::InitId {
                static ID: #krate::__private::InitId = #krate::__private::InitId::new();
                &ID
            }
        }
    }
}

/// The entry of the list.
fn entry(function: &Function, krate: &TokenStream, after: &[TokenStream]) -> TokenStream {
    let name = &function.name;
    let text = name.unraw().to_string();
    let after = after.iter().map(|path| dependency(path, krate));
    let call = call(function, krate);
    quote! {
        const _: () = {
            #[#krate::__private::linkme::distributed_slice(#krate::__private::INITS)]
            #[linkme(crate = #krate::__private::linkme)]
            static ENTRY: #krate::__private::InitTask = #krate::__private::InitTask {
                id: <#name as #krate::__private::Init>::id,
                name: ::core::concat!(::core::module_path!(), "::", #text),
                file: ::core::file!(),
                line: ::core::line!(),
                column: ::core::column!(),
                after: &[#(#after),*],
                run: || #call,
            };
        };
    }
}

/// The call of the function. It stands at the return type, where an error about that type belongs.
fn call(function: &Function, krate: &TokenStream) -> TokenStream {
    let mut name = function.name.clone();
    let after_arrow = function.output.clone().into_iter().nth(2);
    let span = ours_at(after_arrow.map_or(name.span(), |token| token.span()));
    name.set_span(span);
    quote_spanned!(span=> #krate::__private::InitReturn::into_result(#name()))
}

/// An element of `after`. An explicit import shadows a glob import in the namespaces where it finds something: where
/// `path` is a function without a hidden type, `init_function` stays the stand-in, whose missing `Init` is an error in
/// our words.
fn dependency(path: &TokenStream, krate: &TokenStream) -> TokenStream {
    let last = path.clone().into_iter().last();
    let span = ours_at(last.map_or_else(Span::call_site, |token| token.span()));
    quote_spanned! {span=> {
        use #krate::__private::not_an_init::*;
        use #path as init_function;
        <init_function as #krate::__private::Init>::id
    }}
}

/// A span of generated code that messages show at `place`.
fn ours_at(place: Span) -> Span {
    Span::call_site().located_at(place)
}
