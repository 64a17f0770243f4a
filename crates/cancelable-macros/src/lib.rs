//! Placeholder.
use proc_macro::TokenStream;
/// Placeholder.
#[proc_macro_attribute]
pub fn cancelable(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
