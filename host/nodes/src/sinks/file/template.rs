//! Paths that are made of a record's fields and the time.

use super::rotation;
use super::time::Utc;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::SystemTime;
use tamis_config::{PathPart, PathPiece, PathTemplate};

/// Bytes of a value's hash that stand in a name.
const HASH_BYTES: usize = 16;
/// What a shortened value takes for its hash: `~` and the hash in hexadecimal.
const HASH_CHARS: usize = 1 + 2 * HASH_BYTES;

/// Appends the path of a file below the template's base: `value` gives the fields' values in the order of [`PathTemplate::fields`].
pub(super) fn render<'v>(template: &PathTemplate, time: &Utc, value: impl FnMut(usize) -> Option<&'v [u8]>, out: &mut String) {
    let name = fill(template, time, value, out);
    if template.fields().next().is_some() {
        rotation::defuse(out, name);
    }
}

/// Appends what stands below a template's base, for sinks that name their files themselves.
pub fn fill_path<'v>(template: &PathTemplate, time: SystemTime, value: impl FnMut(usize) -> Option<&'v [u8]>, out: &mut String) {
    fill(template, &Utc::new(time), value, out);
}

/// Gives where the last part begins.
fn fill<'v>(template: &PathTemplate, time: &Utc, mut value: impl FnMut(usize) -> Option<&'v [u8]>, out: &mut String) -> usize {
    let mut fields = 0;
    let mut name = out.len();
    for (at, part) in template.parts.iter().enumerate() {
        if at > 0 {
            out.push('/');
        }
        name = out.len();
        for piece in &part.pieces {
            match piece {
                PathPiece::Text(text) => out.push_str(text),
                PathPiece::Time(part) => time.push(*part, out),
                PathPiece::Field(_) => {
                    encode(value(fields).unwrap_or_default(), part, out);
                    fields += 1;
                }
            }
        }
    }
    name
}

/// Appends a value so that it stays within its part of the path and no two values look alike: letters, digits, `.`, `_` and
/// `-` as they are, any other byte as `%XX`, as well as a leading `.` or `_` and what separates fields here. Nothing at all
/// is `_`. A value that gets too long ends in `~` and a hash.
fn encode(value: &[u8], part: &PathPart, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if value.is_empty() {
        out.push('_');
        return;
    }
    let start = out.len();
    let room = part.value_bytes_max.saturating_sub(HASH_CHARS);
    // The last place at which the value can be cut so that a hash still fits.
    let mut cut = start;
    for (at, byte) in value.iter().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || *byte == b'-' || (at > 0 && matches!(byte, b'.' | b'_'));
        if plain && !part.separators.contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(HEX.get(usize::from(digit)).map_or('0', |hex| char::from(*hex)));
            }
        }
        let length = out.len() - start;
        if length <= room {
            cut = out.len();
        } else if length > part.value_bytes_max {
            out.truncate(cut);
            out.push('~');
            for byte in Sha256::digest(value).iter().take(HASH_BYTES) {
                let _ = write!(out, "{byte:02x}");
            }
            return;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::time::{Duration, UNIX_EPOCH};

    fn rendered(path: &str, values: &[&[u8]]) -> String {
        let template = PathTemplate::parse(path).unwrap();
        let mut out = String::new();
        render(&template, &Utc::new(UNIX_EPOCH + Duration::from_secs(1_709_251_505)), |at| values.get(at).copied(), &mut out);
        out
    }

    #[test]
    fn fields_and_time() {
        for (path, values, expected) in [
            ("out/%{t}/%Y-%m-%d.ndjson", vec!["acme"], "acme/2024-03-01.ndjson"),
            ("out/%{t}/%H%M%S-%%.ndjson", vec!["acme"], "acme/000505-%.ndjson"),
            ("%{a}-%{b}/x/%{a}", vec!["x-y", "z", "q"], "x%2Dy-z/x/q"),
            ("out/plain", vec![], "plain"),
            ("out/a-%{t}.x", vec!["20250101T000000.007Z"], "a%2D20250101T000000.007Z.x"),
        ] {
            let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
            assert_eq!(rendered(path, &values), expected, "{path}");
        }
    }

    #[test]
    fn a_hostile_value_stays_in_its_part_and_shares_it_with_no_other() {
        let long = [vec![b'a'; 5_000], vec![b'/'; 43], vec![b'a'; 129], vec![b'a'; 128], [vec![b'a'; 128], vec![0]].concat()];
        let mut values: Vec<Vec<u8>> = [
            &b".."[..],
            b".",
            b"...",
            b"../../etc/passwd",
            b"/etc/passwd",
            b"a/../b",
            b"a/b",
            b"a%2Fb",
            b"a\\b",
            b"a\0b",
            b"a\nb",
            b"a\r",
            b"_",
            b"__",
            b"",
            b"%",
            b"%5F",
            b"%2E",
            b"~",
            b"a~",
            b"acme",
            b"ACME",
            b"Acme",
            b"acme ",
            b" acme",
            b"-rf",
            b"\x1b[31m",
            "café".as_bytes(),
            "cafe\u{301}".as_bytes(),
            "\u{202e}abc".as_bytes(),
            "a\u{ff0f}b".as_bytes(),
            b"\xff\xfe",
            b"CON",
            b"a:b",
            b"a-20250101T000000.007Z",
            b"a-20250101T000000.007Z-2",
            b"a%2D20250101T000000.007Z",
            b"a",
            b"${HOME}",
            b"*",
        ]
        .iter()
        .map(|value| value.to_vec())
        .collect();
        values.extend(long);
        for path in ["out/%{t}", "out/x-%{t}-%Y.ndjson", "out/%{t}/y", "out/.%{t}", "out/%{t}."] {
            let mut seen: HashMap<String, &[u8]> = HashMap::new();
            for value in &values {
                let name = rendered(path, &[value]);
                assert_eq!(name.matches('/').count(), path.matches('/').count() - 1, "{name}");
                let safe = |b: u8| b.is_ascii_alphanumeric() || b"._-%~/".contains(&b);
                assert!(name.bytes().all(safe) && name.len() <= 160, "{name}");
                assert!(name.split('/').all(|part| !part.is_empty() && part != "." && part != ".."), "{name}");
                if let Some(other) = seen.insert(name.clone(), value) {
                    panic!("{value:?} and {other:?} are both {name}");
                }
            }
        }
        assert_eq!(rendered("out/%{t}", &[b"../x"]), "%2E.%2Fx");
        assert_eq!(rendered("out/%{t}", &[]), "_");
        let name = rendered("out/%{t}", &[&[b'a'; 5_000]]);
        assert!(name.len() == 128 && name.starts_with("aaaa") && name.as_bytes()[95] == b'~', "{name}");
    }

    #[test]
    fn several_fields_of_a_part_do_not_run_into_each_other() {
        let values: [&[u8]; 12] = [b"", b"a", b"-", b"_", b"a-", b"-a", b"a_", b"_a", b"a-b", b"a_b", b"--", b"%2D"];
        for path in ["o/%{a}-%{b}", "o/%{a}_%{b}", "o/%{a}x-y%{b}.z", "o/%{a}%Y-%m%{b}", "o/%{a}.%{b}"] {
            let mut seen = HashMap::new();
            for a in values {
                for b in values {
                    assert_eq!(seen.insert(rendered(path, &[a, b]), (a, b)), None, "{path}");
                }
            }
        }
    }
}
