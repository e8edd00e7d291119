//! `#[goruntime::main]`: the body of `main` becomes a function of its own, which is handed to the runtime.
//!
//! Why here: the front door of the runtime; everything behind it is `rt0`.
//!
//! *Invariants*
//! - M1. The outer function has the signature of the user, so that rustc checks the return type as it always does.
//! - M2. After an error the outer function is an empty `main` around the function as written, which lets an `async` or
//!   generic `main` compile and leaves our error alone on the screen.
//!
//! *Locks*: none.
//!
//! *Go:* `runtime.rt0_go`, which the linker makes the entry point.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::{self, Accepted};
use crate::errors::Errors;
use crate::item::Function;

const NAME: &str = "goruntime::main";

const ACCEPTED: &[Accepted] = &[
    ("max_procs", "max_procs = 4"),
    ("main_stack_size", "main_stack_size = 1024 * 1024"),
    ("stack_size", "stack_size = 64 * 1024"),
    ("migrate", "migrate = false"),
    ("crate", "crate = ::goruntime"),
];

/// What the arguments say, as expressions for the fields of `MainOptions`.
struct Options {
    max_procs: TokenStream,
    main_stack_size: TokenStream,
    stack_size: TokenStream,
    migrate: bool,
    krate: TokenStream,
}

impl Options {
    fn read(args: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self {
            max_procs: option(None),
            main_stack_size: option(None),
            stack_size: option(None),
            migrate: true,
            krate: quote!(::goruntime),
        };
        for argument in args::read(args, ACCEPTED, errors) {
            match argument.name.to_string().as_str() {
                "max_procs" => options.max_procs = option(argument.count(errors)),
                "main_stack_size" => options.main_stack_size = option(argument.stack_size(errors)),
                "stack_size" => options.stack_size = option(argument.stack_size(errors)),
                "migrate" => options.migrate = argument.boolean(errors).unwrap_or(true),
                _ => options.krate = argument.path(errors).unwrap_or(options.krate),
            }
        }
        options
    }
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// Expands the attribute.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::read(args, &mut errors);
    let function = match Function::parse(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.at(error.span(), format!("{error}; `#[{NAME}]` goes on `fn main()`"));
            let errors = errors.into_tokens();
            return quote!(#errors #item);
        }
    };
    function.check(NAME, "main", &mut errors);
    if errors.is_empty() { start(&function, &options) } else { fall_back(&function, errors) }
}

fn start(function: &Function, options: &Options) -> TokenStream {
    let Function { attrs, vis, name, output, .. } = function;
    let Options { max_procs, main_stack_size, stack_size, migrate, krate } = options;
    let inner = function.bare();
    quote! {
        #(#attrs)*
        #vis fn #name() #output {
            #inner
            #krate::__private::start(
                #krate::__private::MainOptions {
                    max_procs: #max_procs,
                    main_stack_size: #main_stack_size,
                    stack_size: #stack_size,
                    migrate: #migrate,
                },
                #name,
            )
        }
    }
}

/// Emits the function beside the errors (X1, M2). A method, and a function of another name, stays where it is.
fn fall_back(function: &Function, errors: Errors) -> TokenStream {
    let errors = errors.into_tokens();
    let Function { vis, name, .. } = function;
    let attrs = function.harmless_attrs();
    let bare = function.bare_without_const();
    if function.has_self() || name != "main" {
        return quote!(#errors #(#attrs)* #vis #bare);
    }
    quote! {
        #errors
        #(#attrs)*
        #vis fn #name() {
            #[allow(dead_code)]
            #bare
        }
    }
}
