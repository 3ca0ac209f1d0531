//! The sections of a component's outermost level: what they are called and where they lie, without a look inside.

use std::ops::Range;

/// Magic, version and layer.
const HEADER_BYTES: usize = 8;
/// The number of custom sections.
const CUSTOM: u8 = 0;

/// A section of the outermost level.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// The whole section with its head, as a range of the file.
    pub(super) range: Range<usize>,
    /// Name and content of a custom section.
    pub(super) custom: Option<(&'a str, &'a [u8])>,
}

/// The sections in their order; ends at the first that is cut short.
pub(super) fn sections(component: &[u8]) -> impl Iterator<Item = Section<'_>> {
    let mut at = HEADER_BYTES;
    std::iter::from_fn(move || {
        let id = *component.get(at)?;
        let (size, from) = leb(component, at.checked_add(1)?)?;
        let to = from.checked_add(size)?;
        let content = component.get(from..to)?;
        let range = at..to;
        at = to;
        Some(Section { range, custom: if id == CUSTOM { named(content) } else { None } })
    })
}

/// The content of the last custom section of that name.
pub(super) fn content<'a>(component: &'a [u8], name: &str) -> Option<&'a [u8]> {
    sections(component).filter_map(|section| section.custom).filter(|(found, _)| *found == name).map(|(_, content)| content).last()
}

/// The component without the custom sections of these names.
pub(super) fn without(component: &[u8], names: &[&str]) -> Vec<u8> {
    let mut out = component.to_vec();
    let ranges: Vec<_> = sections(component)
        .filter(|section| section.custom.is_some_and(|(name, _)| names.contains(&name)))
        .map(|section| section.range)
        .collect();
    for range in ranges.into_iter().rev() {
        out.drain(range);
    }
    out
}

/// Appends a custom section.
pub(super) fn append(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut body = Vec::with_capacity(content.len() + name.len() + 5);
    push_leb(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    component.push(CUSTOM);
    push_leb(component, body.len());
    component.extend_from_slice(&body);
}

fn named(content: &[u8]) -> Option<(&str, &[u8])> {
    let (length, from) = leb(content, 0)?;
    let to = from.checked_add(length)?;
    Some((std::str::from_utf8(content.get(from..to)?).ok()?, content.get(to..)?))
}

/// An unsigned number of at most 32 bits in LEB128, and where it ends.
fn leb(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (place, byte) in bytes.get(from..)?.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(u32::try_from(value).ok()?).ok()?, from + place + 1));
        }
    }
    None
}

fn push_leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn what_is_appended_is_found_and_taken_away_again() {
        let mut component = EMPTY.to_vec();
        let long = vec![b'x'; 300];
        append(&mut component, "a", b"first");
        append(&mut component, "b", &long);
        append(&mut component, "a", b"second");
        assert_eq!(content(&component, "a"), Some(&b"second"[..]));
        assert_eq!(content(&component, "b"), Some(long.as_slice()));
        assert_eq!(content(&component, "c"), None);
        assert_eq!(wasmparser::Parser::new(0).parse_all(&component).filter(Result::is_err).count(), 0);
        let left = without(&component, &["a"]);
        assert_eq!(sections(&left).count(), 1);
        assert_eq!(without(&left, &["b"]), EMPTY);
    }

    #[test]
    fn sections_that_lie_end_the_search() {
        for lie in [&b"\0"[..], b"\0\xff\xff\xff\xff\x0f", b"\0\x05\x01", b"\0\x02\xff\x01", b"\0\x80\x80\x80\x80\x80\x01", b"\0\x01\x05"] {
            let component = [EMPTY, lie].concat();
            assert!(content(&component, "a").is_none(), "{lie:?}");
        }
        assert_eq!(sections(b"").count(), 0);
    }
}
