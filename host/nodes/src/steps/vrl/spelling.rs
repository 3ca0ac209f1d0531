//! How numbers were written, so that a changed value leaves those in it that did not change as they were.

use super::read::{Build, Unreadable};
use std::collections::BTreeMap;
use vrl::path::OwnedSegment;

/// How the numbers of a value are spelled, so that those which do not change are written as they came.
#[derive(Debug)]
pub(crate) enum Spelling<'a> {
    /// A number, as its text.
    Number(&'a [u8]),
    /// The items of an array.
    Array(Vec<Spelling<'a>>),
    /// The members of an object.
    Object(BTreeMap<String, Spelling<'a>>),
    /// A value of which VRL keeps everything.
    Other,
}

impl Spelling<'_> {
    /// The spelling of a part.
    pub(crate) fn at(&self, path: &[OwnedSegment]) -> Option<&Self> {
        path.iter().try_fold(self, |spelling, segment| match (spelling, segment) {
            (Spelling::Object(members), OwnedSegment::Field(key)) => members.get(key.as_str()),
            (Spelling::Array(items), OwnedSegment::Index(index)) => items.get(usize::try_from(*index).ok()?),
            _ => None,
        })
    }
}

/// Builds the spelling of a value.
pub(crate) struct Spellings<'a> {
    /// The text that is read.
    pub(crate) text: &'a [u8],
}

impl<'a> Build for Spellings<'a> {
    type Out = Spelling<'a>;
    type Members = BTreeMap<String, Spelling<'a>>;
    fn null(&self) -> Spelling<'a> {
        Spelling::Other
    }
    fn boolean(&self, _: bool) -> Spelling<'a> {
        Spelling::Other
    }
    fn number(&self, from: usize, to: usize) -> Result<Spelling<'a>, Unreadable> {
        self.text.get(from..to).map(Spelling::Number).ok_or(Unreadable::Syntax)
    }
    fn plain(&self, _: usize, _: usize) -> Spelling<'a> {
        Spelling::Other
    }
    fn unescaped(&self, _: String) -> Spelling<'a> {
        Spelling::Other
    }
    fn array(&self, items: Vec<Spelling<'a>>) -> Spelling<'a> {
        Spelling::Array(items)
    }
    fn member(&self, members: &mut Self::Members, key: String, value: Spelling<'a>) {
        members.insert(key, value);
    }
    fn object(&self, members: Self::Members) -> Spelling<'a> {
        Spelling::Object(members)
    }
}
