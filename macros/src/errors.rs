//! The list of everything that is wrong with one use of an attribute.
//!
//! Why here: every other file of the crate reports into it.
//!
//! *Invariants*: X2 of the crate; errors appear in the order in which they were found.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::Error;

/// Errors collected so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    all: Option<Error>,
}

impl Errors {
    /// Reports `text` at `span`.
    pub(crate) fn at(&mut self, span: Span, text: impl AsRef<str>) {
        self.push(Error::new(span, text.as_ref()));
    }

    /// Reports `text` from the first to the last of `tokens`.
    pub(crate) fn over(&mut self, tokens: impl ToTokens, text: impl AsRef<str>) {
        self.push(Error::new_spanned(tokens, text.as_ref()));
    }

    /// Reports an error that a parser made.
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
    }

    /// Says whether nothing was reported.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_none()
    }

    /// One `compile_error!` for each error.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.all.map(|all| all.to_compile_error()).unwrap_or_default()
    }
}
