//! The step's configuration and what it means: fields read, fields written, the shape of a new record.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Most fields that a step may name.
pub const FIELDS_MAX: usize = 256;
/// Most objects within each other in a new record.
pub const DEPTH_MAX: usize = 32;

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The only fields that are left, beside those of `take`; all are when it is not given.
    pub keep: Option<Vec<String>>,
    /// New fields: the path of each, and what it takes.
    #[serde(default)]
    pub take: BTreeMap<String, Take>,
    /// Fields that go. With `keep` there is nothing left to remove.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// What a new field takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Take {
    /// The value of this field.
    Whole(String),
    /// The beginning of a text.
    Beginning(Beginning),
}

/// The beginning of a text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beginning {
    /// The field with the text.
    pub from: String,
    /// How many characters.
    pub first: usize,
}

impl Take {
    /// The field, and how many characters of it.
    #[must_use]
    pub fn parts(&self) -> (&str, Option<usize>) {
        match self {
            Take::Whole(from) => (from, None),
            Take::Beginning(Beginning { from, first }) => (from, Some(*first)),
        }
    }
}

/// A value of a new field: a column, and how many characters of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// Index of the column.
    pub column: usize,
    /// How many characters, of a text.
    pub first: Option<usize>,
}

/// A member of a new record.
#[derive(Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, in quotes and with the colon.
    pub key: Vec<u8>,
    /// What it holds.
    pub value: Shape,
}

/// What a member of a new record holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// A value.
    Leaf(Leaf),
    /// An object.
    Object(Vec<Member>),
}

/// Adds a member at `path`, objects on the way included.
///
/// # Errors
/// The path is none that a new record can have, or another field is in its way.
pub fn add_member(members: &mut Vec<Member>, path: &str, leaf: Leaf) -> Result<(), String> {
    let names = names(path)?;
    let Some((last, above)) = names.split_last() else {
        return Err(format!("`{path}` is no path"));
    };
    if above.len() >= DEPTH_MAX {
        return Err(format!("`{path}` has more than {DEPTH_MAX} parts"));
    }
    let key = |name: &str| format!("\"{name}\":").into_bytes();
    let mut members = members;
    for name in above {
        let key = key(name);
        let at = members.iter().position(|member| member.key == key).unwrap_or_else(|| {
            members.push(Member { key, value: Shape::Object(Vec::new()) });
            members.len() - 1
        });
        members = match members.get_mut(at).map(|member| &mut member.value) {
            Some(Shape::Object(members)) => members,
            _ => return Err(format!("`{path}` lies within another field of the new record")),
        };
    }
    let key = key(last);
    if members.iter().any(|member| member.key == key) {
        return Err(format!("`{path}` is a name that another field has"));
    }
    members.push(Member { key, value: Shape::Leaf(leaf) });
    Ok(())
}

/// The names of a path: `a.b`, or `a."b.c"`.
fn names(path: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = path;
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| format!("`{path}` lacks a closing quote"))?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        let plain = |c: char| !(c.is_control() || matches!(c, '"' | '\\' | '[' | ']'));
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!(
                "`{path}` is no path of a new record: expected names with dots between them, without brackets and escapes"
            ));
        }
        names.push(name);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(names),
            None => return Err(format!("`{path}` goes on behind a quote")),
        }
    }
}
