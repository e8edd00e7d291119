//! `#[goruntime::test]`: a plain test whose body runs as a goroutine.
//!
//! Why here: the sibling of `main_attr` for the test harness, which is the one that owns `main` there.
//!
//! *Invariants*
//! - T1. Exactly one test is registered: a second test attribute is refused.
//! - T2. Attributes stay on the outer function, where the harness looks for `should_panic` and `ignore`.
//!
//! *Locks*: none.
//!
//! *Go:* `testing.tRunner`, the goroutine that each test runs in.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::{self, Accepted};
use crate::errors::Errors;
use crate::item::Function;

const NAME: &str = "goruntime::test";

const ACCEPTED: &[Accepted] = &[("crate", "crate = ::goruntime")];

/// Expands the attribute.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut krate = quote!(::goruntime);
    for argument in args::read(args, ACCEPTED, &mut errors) {
        krate = argument.path(&mut errors).unwrap_or(krate);
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
    let Function { attrs, vis, name, output, .. } = &function;
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        let (attrs, bare) = (function.harmless_attrs(), function.bare());
        return quote!(#errors #(#attrs)* #[allow(dead_code, unused_attributes)] #vis #bare);
    }
    let inner = function.bare();
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() #output {
            #inner
            #krate::__private::test(#name)
        }
    }
}
