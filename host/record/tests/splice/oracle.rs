//! The plain way to do what the batch does by splicing: parse into a tree, edit the tree, compare trees.
//! Written for clarity alone; it shares no code with the crate. Numbers and strings are compared as they are spelled
//! after unescaping (strings as UTF-16, so that a lone surrogate is a value of its own).

use tamis_record::{Path, Segment};

#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Null,
    Boolean(bool),
    Number(String),
    Text(Vec<u16>),
    List(Vec<Tree>),
    Object(Vec<(Vec<u16>, Tree)>),
}

pub fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

impl Tree {
    /// Object members in order of their names: order is no part of a value.
    fn sorted(mut members: Vec<(Vec<u16>, Tree)>) -> Tree {
        members.sort_by(|a, b| a.0.cmp(&b.0));
        Tree::Object(members)
    }

    /// Makes `null`, nothing and empty containers the same.
    pub fn prune(&mut self) {
        let empty = match self {
            Tree::Object(members) => {
                members.iter_mut().for_each(|(_, value)| value.prune());
                members.retain(|(_, value)| *value != Tree::Null);
                members.is_empty()
            }
            Tree::List(items) => {
                items.iter_mut().for_each(Tree::prune);
                items.iter().all(|t| *t == Tree::Null)
            }
            _ => false,
        };
        if empty {
            *self = Tree::Null;
        }
    }
}

/// Reads JSON; the last of repeated members counts.
pub fn parse(text: &[u8]) -> Option<Tree> {
    let mut at = 0;
    let tree = value(text, &mut at)?;
    blanks(text, &mut at);
    (at == text.len()).then_some(tree)
}

fn blanks(text: &[u8], at: &mut usize) {
    while matches!(text.get(*at), Some(b' ' | b'\t' | b'\r')) {
        *at += 1;
    }
}

fn value(text: &[u8], at: &mut usize) -> Option<Tree> {
    blanks(text, at);
    let rest = &text[*at..];
    match *rest.first()? {
        b'n' => word(rest, "null", at, Tree::Null),
        b't' => word(rest, "true", at, Tree::Boolean(true)),
        b'f' => word(rest, "false", at, Tree::Boolean(false)),
        b'"' => string(text, at).map(Tree::Text),
        b'[' => {
            *at += 1;
            let mut items = Vec::new();
            blanks(text, at);
            if text.get(*at) == Some(&b']') {
                *at += 1;
                return Some(Tree::List(items));
            }
            loop {
                items.push(value(text, at)?);
                blanks(text, at);
                *at += 1;
                match text.get(*at - 1)? {
                    b',' => {}
                    b']' => return Some(Tree::List(items)),
                    _ => return None,
                }
            }
        }
        b'{' => {
            *at += 1;
            let mut members: Vec<(Vec<u16>, Tree)> = Vec::new();
            blanks(text, at);
            if text.get(*at) == Some(&b'}') {
                *at += 1;
                return Some(Tree::Object(members));
            }
            loop {
                blanks(text, at);
                let key = string(text, at)?;
                blanks(text, at);
                if text.get(*at) != Some(&b':') {
                    return None;
                }
                *at += 1;
                let value = value(text, at)?;
                members.retain(|(k, _)| *k != key);
                members.push((key, value));
                blanks(text, at);
                *at += 1;
                match text.get(*at - 1)? {
                    b',' => {}
                    b'}' => return Some(Tree::sorted(members)),
                    _ => return None,
                }
            }
        }
        _ => {
            let end = rest.iter().position(|b| !matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).unwrap_or(rest.len());
            *at += end;
            (end > 0).then(|| Tree::Number(String::from_utf8(rest[..end].to_vec()).unwrap()))
        }
    }
}

fn word(rest: &[u8], word: &str, at: &mut usize, tree: Tree) -> Option<Tree> {
    *at += word.len();
    rest.starts_with(word.as_bytes()).then_some(tree)
}

fn string(text: &[u8], at: &mut usize) -> Option<Vec<u16>> {
    if text.get(*at) != Some(&b'"') {
        return None;
    }
    *at += 1;
    let mut out = Vec::new();
    let mut plain = Vec::new();
    loop {
        let byte = *text.get(*at)?;
        *at += 1;
        if byte != b'"' && byte != b'\\' {
            plain.push(byte);
            continue;
        }
        out.extend(std::str::from_utf8(&plain).ok()?.encode_utf16());
        plain.clear();
        if byte == b'"' {
            return Some(out);
        }
        let escape = *text.get(*at)?;
        *at += 1;
        out.push(match escape {
            b'n' => 10,
            b't' => 9,
            b'r' => 13,
            b'b' => 8,
            b'f' => 12,
            b'u' => {
                let hex = std::str::from_utf8(text.get(*at..*at + 4)?).ok()?;
                *at += 4;
                u16::from_str_radix(hex, 16).ok()?
            }
            other => u16::from(other),
        });
    }
}

/// Sets (or with `None` removes) the value at a path. `Err`: it cannot be, for a parent is of another type.
pub fn edit(tree: &mut Tree, path: &Path, new: Option<&Tree>) -> Result<(), ()> {
    edit_at(tree, path.segments(), new)
}

fn edit_at(tree: &mut Tree, segments: &[Segment], new: Option<&Tree>) -> Result<(), ()> {
    let Some((first, rest)) = segments.split_first() else {
        *tree = new.ok_or(())?.clone();
        return Ok(());
    };
    if *tree == Tree::Null && new.is_some() {
        *tree = match first {
            Segment::Key(_) => Tree::Object(Vec::new()),
            Segment::Index(_) => Tree::List(Vec::new()),
        };
    }
    match (tree, first) {
        (Tree::Object(members), Segment::Key(key)) => {
            let key = utf16(key);
            let at = members.iter().position(|(k, _)| *k == key);
            match (at, new) {
                (Some(at), None) if rest.is_empty() => {
                    members.remove(at);
                }
                (Some(at), _) => edit_at(&mut members[at].1, rest, new)?,
                (None, None) => {}
                (None, Some(_)) => {
                    let mut value = Tree::Null;
                    edit_at(&mut value, rest, new)?;
                    members.push((key, value));
                    members.sort_by(|a, b| a.0.cmp(&b.0));
                }
            }
            Ok(())
        }
        (Tree::List(items), Segment::Index(index)) => {
            let index = *index as usize;
            if index < items.len() {
                if rest.is_empty() && new.is_none() {
                    items.remove(index);
                    return Ok(());
                }
                return edit_at(&mut items[index], rest, new);
            }
            if new.is_some() {
                items.resize(index, Tree::Null);
                let mut value = Tree::Null;
                edit_at(&mut value, rest, new)?;
                items.push(value);
            }
            Ok(())
        }
        _ if new.is_none() => Ok(()),
        _ => Err(()),
    }
}

/// The value at a path.
pub fn get<'a>(tree: &'a Tree, path: &Path) -> Option<&'a Tree> {
    path.segments().iter().try_fold(tree, |tree, segment| match (tree, segment) {
        (Tree::Object(members), Segment::Key(key)) => members.iter().find(|(k, _)| *k == utf16(key)).map(|(_, v)| v),
        (Tree::List(items), Segment::Index(index)) => items.get(*index as usize),
        _ => None,
    })
}
