//! The derive macros behind `tamis_plugin::{Reads, Writes}`; see there for how a plugin uses them.

mod path;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Generics, Index, Lifetime, LitStr, Result};

/// Makes a struct the row that a plugin reads: each member is a field of the record, its type says the kind asked for.
///
/// The path is the attribute `#[field("a.b")]`, or the member's name without one. The struct takes at most one lifetime.
#[proc_macro_derive(Reads, attributes(field))]
pub fn derive_reads(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(input, reads)
}

/// Makes a struct of column writers what a plugin writes: each member is a field of the record.
///
/// The path is the attribute `#[field("a.b")]`, or the member's name without one. The struct takes no parameters.
#[proc_macro_derive(Writes, attributes(field))]
pub fn derive_writes(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(input, writes)
}

fn expand(input: proc_macro::TokenStream, derive: fn(DeriveInput) -> Result<TokenStream>) -> proc_macro::TokenStream {
    syn::parse(input).and_then(derive).unwrap_or_else(Error::into_compile_error).into()
}

fn reads(input: DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let members = members(&input, "Reads")?;
    let own_lifetime = lifetime(&input.generics)?;
    if own_lifetime.is_none()
        && let Some(member) = members.iter().find(|member| borrows_unnamed(member.ty.to_token_stream()))
    {
        return Err(Error::new(
            member.ty.span(),
            format!("what is borrowed has the lifetime of the batch: write struct {name}<'a>, and &'a in its members"),
        ));
    }
    let batch = own_lifetime.clone().unwrap_or_else(|| Lifetime::new("'batch", Span::call_site()));
    let arguments = own_lifetime.map(|lifetime| quote!(<#lifetime>));

    let mut names = Vec::new();
    let mut types = Vec::new();
    let mut fields = Vec::new();
    let mut places = Vec::new();
    for (place, (member, path)) in members.iter().zip(paths(&members)?).enumerate() {
        let of = &member.ty;
        names.push(&member.ident);
        types.push(of);
        fields.push(quote!((#path, <#of as ::tamis_plugin::ReadField<#batch>>::KIND)));
        places.push(Index::from(place));
    }
    Ok(quote! {
        impl<#batch> ::tamis_plugin::Reads<#batch> for #name #arguments {
            const FIELDS: &'static [(&'static str, ::tamis_plugin::Kind)] = &[#(#fields),*];
            type Columns = (#(<#types as ::tamis_plugin::ReadField<#batch>>::Column,)*);

            fn open(
                source: &::tamis_plugin::Source<'_, #batch>,
            ) -> ::core::result::Result<Self::Columns, ::std::string::String> {
                ::core::result::Result::Ok((
                    #(<#types as ::tamis_plugin::ReadField<#batch>>::open(source, #places)?,)*
                ))
            }

            #[inline]
            fn row(columns: &Self::Columns, row: usize) -> Self {
                let _ = (columns, row);
                Self { #(#names: <#types as ::tamis_plugin::ReadField<#batch>>::value(&columns.#places, row)),* }
            }
        }
    })
}

fn writes(input: DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new(
            input.generics.span(),
            "a struct that derives Writes takes no lifetimes or type parameters: its members own their columns",
        ));
    }
    let members = members(&input, "Writes")?;
    let mut names = Vec::new();
    let mut fields = Vec::new();
    let mut places = Vec::new();
    let mut types = Vec::new();
    for (place, (member, path)) in members.iter().zip(paths(&members)?).enumerate() {
        let of = &member.ty;
        names.push(&member.ident);
        types.push(of);
        fields.push(quote!((#path, <#of as ::tamis_plugin::WriteField>::KIND)));
        places.push(place);
    }
    // The parameters are underscored names of our own, so that a struct without members raises no warning.
    let (rows, row, take) = (format_ident!("_rows"), format_ident!("_row"), format_ident!("_take"));
    Ok(quote! {
        impl ::tamis_plugin::Writes for #name {
            const FIELDS: &'static [(&'static str, ::tamis_plugin::Kind)] = &[#(#fields),*];

            fn new() -> Self {
                Self { #(#names: <#types as ::tamis_plugin::WriteField>::new()),* }
            }

            #[inline]
            fn at(&mut self, #row: u32) {
                #(::tamis_plugin::WriteField::at(&mut self.#names, #row);)*
            }

            fn undo(&mut self) {
                #(::tamis_plugin::WriteField::undo(&mut self.#names);)*
            }

            fn take(&mut self, #rows: u32, #take: &mut dyn FnMut(usize, ::tamis_plugin::Written)) {
                #(
                    if let ::core::option::Option::Some(written) =
                        ::tamis_plugin::WriteField::take(&mut self.#names, #rows)
                    {
                        #take(#places, written);
                    }
                )*
            }
        }
    })
}

/// Whether a type holds a reference without a lifetime.
fn borrows_unnamed(of: TokenStream) -> bool {
    let mut tokens = of.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) if borrows_unnamed(group.stream()) => return true,
            TokenTree::Punct(sign) if sign.as_char() == '&' => match tokens.peek() {
                Some(TokenTree::Punct(next)) if next.as_char() == '\'' => {}
                _ => return true,
            },
            _ => {}
        }
    }
    false
}

/// The named members of the struct.
fn members<'i>(input: &'i DeriveInput, derive: &str) -> Result<Vec<&'i Field>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => Ok(named.named.iter().collect()),
            Fields::Unit => Ok(Vec::new()),
            Fields::Unnamed(_) => Err(Error::new(
                input.ident.span(),
                format!("{derive} needs named members: the name is the field's path where no #[field(\"…\")] gives one"),
            )),
        },
        Data::Enum(_) | Data::Union(_) => {
            Err(Error::new(input.ident.span(), format!("{derive} can only be derived for a struct, one member a field of the record")))
        }
    }
}

/// The path of each member's field, no two the same.
fn paths(members: &[&Field]) -> Result<Vec<String>> {
    let mut paths: Vec<String> = Vec::with_capacity(members.len());
    for member in members {
        let path = path(member)?;
        if let Some(other) = paths.iter().position(|other| other.trim_start_matches('.') == path.trim_start_matches('.')) {
            let other = members.get(other).and_then(|other| other.ident.as_ref()).map(ToString::to_string).unwrap_or_default();
            return Err(Error::new(member.span(), format!("this member and `{other}` are the same field, `{path}`; leave one out")));
        }
        paths.push(path);
    }
    Ok(paths)
}

/// The path of the record's field: the attribute's text, else the member's name.
fn path(member: &Field) -> Result<String> {
    let mut found = None;
    for attribute in member.attrs.iter().filter(|attribute| attribute.path().is_ident("field")) {
        let text: LitStr = attribute
            .parse_args()
            .map_err(|_| Error::new(attribute.span(), "expected the field's path as text: #[field(\"destination.http.method\")]"))?;
        if let Some(fault) = path::fault(&text.value()) {
            return Err(Error::new(text.span(), format!("this is not a field path: {fault}")));
        }
        if found.replace(text.value()).is_some() {
            return Err(Error::new(attribute.span(), "this member has two #[field] attributes; one member is one field"));
        }
    }
    let name = member.ident.as_ref().map(|ident| {
        let name = ident.to_string();
        name.strip_prefix("r#").map(str::to_owned).unwrap_or(name)
    });
    Ok(found.or(name).unwrap_or_default())
}

/// The struct's only lifetime, if it has one.
fn lifetime(generics: &Generics) -> Result<Option<Lifetime>> {
    let mut lifetimes = generics.lifetimes().map(|parameter| parameter.lifetime.clone());
    let first = lifetimes.next();
    if lifetimes.next().is_some() || generics.type_params().next().is_some() || generics.const_params().next().is_some() {
        return Err(Error::new(generics.span(), "a struct that derives Reads takes at most one lifetime, that of the batch"));
    }
    Ok(first)
}
