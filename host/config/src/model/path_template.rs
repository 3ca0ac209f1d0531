//! The paths of sinks that choose a file for each record.

use tamis_record::Path;

/// Bytes of a path as it is written; systems take no longer one.
const PATH_BYTES_MAX: usize = 4_096;
/// Fields that one path may name.
pub const PATH_FIELDS_MAX: usize = 8;
/// Bytes of one part of a path once it is filled in, so that a system's limit of 255 leaves room for a rotated file's time.
pub const PATH_PART_BYTES_MAX: usize = 220;
/// Bytes of a field's value in a path; a longer value is shortened and gets a hash.
pub const PATH_VALUE_BYTES_MAX: usize = 128;
/// Bytes that a field's value has at least, so that there is room for a hash.
const VALUE_BYTES_MIN: usize = 48;

/// A path with places for fields (`%{tenant}`) and for the time of writing (`%Y %m %d %H %M %S`, UTC); `%%` is a percent sign.
#[derive(Debug, Clone, PartialEq)]
pub struct PathTemplate {
    /// The folder in which all files lie: the parts before the first that holds a place. Empty: the working directory.
    pub base: String,
    /// What follows, part by part; the last is the file's name. Without places this is the file's name alone.
    pub parts: Vec<PathPart>,
}

/// The name of a folder or file.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPart {
    /// What it is made of.
    pub pieces: Vec<PathPiece>,
    /// Bytes that each field's value may take; a longer one is shortened.
    pub value_bytes_max: usize,
    /// Characters that stand between fields here and are therefore encoded in their values, so that `a-b` and `c` cannot
    /// make the name that `a` and `b-c` make.
    pub separators: Vec<u8>,
}

/// A piece of a name.
#[derive(Debug, Clone, PartialEq)]
pub enum PathPiece {
    /// A text as it stands.
    Text(String),
    /// The value of a field.
    Field(Path),
    /// A part of the time of writing, in UTC.
    Time(TimePart),
}

/// A part of the time, as `strftime` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePart {
    /// `%Y`: four digits.
    Year,
    /// `%m`: 01 to 12.
    Month,
    /// `%d`: 01 to 31.
    Day,
    /// `%H`: 00 to 23.
    Hour,
    /// `%M`: 00 to 59.
    Minute,
    /// `%S`: 00 to 59.
    Second,
}

/// A text that is no path of a sink. It never repeats the text, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplateError {
    /// What is wrong, and where.
    pub what: String,
    /// What to do about it.
    pub help: &'static str,
}

impl std::fmt::Display for PathTemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for PathTemplateError {}

const PLACES: &str = "the places are `%{field}`, `%Y`, `%m`, `%d`, `%H`, `%M` and `%S`; a percent sign is written `%%`";

fn wrong<T>(what: impl Into<String>, help: &'static str) -> Result<T, PathTemplateError> {
    Err(PathTemplateError { what: what.into(), help })
}

impl PathTemplate {
    /// A path without places: whatever stands in it is taken as it is.
    pub fn constant(folder: impl Into<String>, name: impl Into<String>) -> Self {
        let name = PathPart { pieces: vec![PathPiece::Text(name.into())], value_bytes_max: 0, separators: Vec::new() };
        Self { base: folder.into(), parts: vec![name] }
    }

    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, PathTemplateError> {
        if text.len() > PATH_BYTES_MAX {
            return wrong(format!("the path is {} bytes long", text.len()), "4,096 bytes at most");
        }
        let parts = parts(text)?;
        let fields = parts.iter().flatten().filter(|piece| matches!(piece, PathPiece::Field(_))).count();
        if fields > PATH_FIELDS_MAX {
            return wrong(format!("the path names {fields} fields"), "name 8 at most");
        }
        let is_open = |part: &Vec<PathPiece>| part.iter().any(|piece| !matches!(piece, PathPiece::Text(_)));
        let Some(first) = parts.iter().position(is_open) else {
            // No places: as the system takes it, links, `..` and all.
            let path = parts.iter().map(|part| constant(part)).collect::<Vec<_>>().join("/");
            return Ok(match path.rsplit_once('/') {
                Some(("", name)) => Self::constant("/", name),
                Some((base, name)) => Self::constant(base, name),
                None => Self::constant("", path),
            });
        };
        let (fixed, open) = parts.split_at(first);
        let base = fixed.iter().map(|part| constant(part)).collect::<Vec<_>>().join("/");
        if base.is_empty() && !fixed.is_empty() {
            return wrong("the path begins with a place right below `/`", "put a folder before the first place: `/var/log/out/%{tenant}`");
        }
        let mut read = Vec::with_capacity(open.len());
        for (at, part) in open.iter().enumerate() {
            let text = constant(part);
            if !is_open(part) && text.is_empty() {
                if at + 1 == open.len() {
                    return wrong("the path ends with `/`", "give the name of a file");
                }
                continue;
            }
            if !is_open(part) && (text == "." || text == "..") {
                return wrong(format!("the path holds `{text}` behind a place"), "write the folders out");
            }
            read.push(PathPart::new(part)?);
        }
        Ok(Self { base, parts: read })
    }

    /// Whether the path has a place for a field or a time.
    pub fn is_template(&self) -> bool {
        self.parts.iter().flat_map(|part| &part.pieces).any(|piece| !matches!(piece, PathPiece::Text(_)))
    }

    /// The fields that the path names.
    pub fn fields(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().flat_map(|part| &part.pieces).filter_map(|piece| match piece {
            PathPiece::Field(path) => Some(path),
            PathPiece::Text(_) | PathPiece::Time(_) => None,
        })
    }
}

impl PathPart {
    fn new(pieces: &[PathPiece]) -> Result<Self, PathTemplateError> {
        let mut fixed_bytes = 0;
        let mut fields = 0;
        let mut separators = Vec::new();
        let mut between: Option<Vec<u8>> = None;
        for piece in pieces {
            match piece {
                PathPiece::Text(text) => {
                    fixed_bytes += text.len();
                    // What occurs in encoded values (`%2F`, and `~` before a hash) separates nothing.
                    let marks = text.bytes().filter(|b| b.is_ascii() && !b.is_ascii_alphanumeric() && !matches!(b, b'%' | b'~'));
                    between.iter_mut().for_each(|all| all.extend(marks.clone()));
                }
                PathPiece::Time(part) => fixed_bytes += if *part == TimePart::Year { 4 } else { 2 },
                PathPiece::Field(_) => {
                    match between.take().as_deref() {
                        Some([]) => {
                            let help = "put `-`, `_`, `.` or `/` between them: `%{a}-%{b}`";
                            return wrong("two fields of the path are not apart: different values would share a file", help);
                        }
                        Some([mark, ..]) => separators.push(*mark),
                        None => {}
                    }
                    between = Some(Vec::new());
                    fields += 1;
                }
            }
        }
        let room = PATH_PART_BYTES_MAX.saturating_sub(fixed_bytes);
        let value_bytes_max = room.checked_div(fields).unwrap_or(0).min(PATH_VALUE_BYTES_MAX);
        if fixed_bytes > PATH_PART_BYTES_MAX || (fields > 0 && value_bytes_max < VALUE_BYTES_MIN) {
            return wrong("a name of the path is too long or holds too many fields", "spread it over folders: `%{a}/%{b}`");
        }
        Ok(Self { pieces: pieces.to_vec(), value_bytes_max, separators })
    }
}

/// The constant text of a part.
fn constant(part: &[PathPiece]) -> String {
    part.iter().filter_map(|piece| if let PathPiece::Text(text) = piece { Some(text.as_str()) } else { None }).collect()
}

/// The pieces between slashes.
fn parts(text: &str) -> Result<Vec<Vec<PathPiece>>, PathTemplateError> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut literal = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let position = || text.get(..at).map_or(0, |before| before.chars().count()) + 1;
        let piece = match c {
            '/' => {
                end_literal(&mut literal, &mut part);
                parts.push(std::mem::take(&mut part));
                continue;
            }
            '%' => match chars.next().map(|(_, c)| c) {
                Some('%') => {
                    literal.push('%');
                    continue;
                }
                Some('Y') => PathPiece::Time(TimePart::Year),
                Some('m') => PathPiece::Time(TimePart::Month),
                Some('d') => PathPiece::Time(TimePart::Day),
                Some('H') => PathPiece::Time(TimePart::Hour),
                Some('M') => PathPiece::Time(TimePart::Minute),
                Some('S') => PathPiece::Time(TimePart::Second),
                Some('{') => {
                    let (field, length) = field(chars.as_str(), position())?;
                    chars = text.char_indices();
                    while chars.as_str().len() > text.len() - (at + 2 + length) {
                        chars.next();
                    }
                    PathPiece::Field(field)
                }
                _ => return wrong(format!("`%` at character {} begins nothing that is known", position()), PLACES),
            },
            c => {
                literal.push(c);
                continue;
            }
        };
        end_literal(&mut literal, &mut part);
        part.push(piece);
    }
    end_literal(&mut literal, &mut part);
    parts.push(part);
    Ok(parts)
}

/// The pieces of a text in which a slash is a character like any other.
pub(super) fn pieces(text: &str) -> Result<Vec<PathPiece>, PathTemplateError> {
    if text.len() > PATH_BYTES_MAX {
        return wrong(format!("the text is {} bytes long", text.len()), "4,096 bytes at most");
    }
    let slash = PathPiece::Text("/".to_owned());
    Ok(parts(text)?.into_iter().enumerate().flat_map(|(at, part)| (at > 0).then(|| slash.clone()).into_iter().chain(part)).collect())
}

fn end_literal(literal: &mut String, part: &mut Vec<PathPiece>) {
    if !literal.is_empty() {
        part.push(PathPiece::Text(std::mem::take(literal)));
    }
}

/// The field path that `rest` begins with, and how many bytes it takes with its closing brace.
fn field(rest: &str, position: usize) -> Result<(Path, usize), PathTemplateError> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => {
                let path: Option<Path> = rest.get(..at).and_then(|path| path.parse().ok());
                return match path {
                    Some(path) if !path.is_root() => Ok((path, at + 1)),
                    _ => wrong(
                        format!("`%{{` at character {position} does not hold the path of a field"),
                        "write a field path: `%{tenant}`, `%{labels.team}`, `%{tags[0]}`",
                    ),
                };
            }
            _ => {}
        }
    }
    wrong(format!("`%{{` at character {position} has no `}}`"), PLACES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_pieces() {
        let template = PathTemplate::parse("out//100%%/%{a.\"}/\"}/x-%Y-%m-%d.ndjson").unwrap();
        assert_eq!(template.base, "out//100%");
        assert_eq!(template.fields().map(ToString::to_string).collect::<Vec<_>>(), ["a.}/"]);
        assert_eq!(template.parts.len(), 2);
        assert_eq!(template.parts[1].pieces.len(), 7);
        assert_eq!(template.parts[1].pieces[1], PathPiece::Time(TimePart::Year));
        for (path, base, name) in [("a", "", "a"), ("/a", "/", "a"), ("a/../b%%", "a/..", "b%"), ("./x/y", "./x", "y"), ("é/ü", "é", "ü")]
        {
            let template = PathTemplate::parse(path).unwrap();
            assert!(!template.is_template());
            assert_eq!((template.base.as_str(), &template.parts[0].pieces[0]), (base, &PathPiece::Text(name.into())), "{path}");
        }
        assert_eq!(PathTemplate::parse("%{a}/x").unwrap().base, "");
        assert_eq!(PathTemplate::parse("%{a}--%{b}_%Y.%{c}").unwrap().parts[0].separators, [b'-', b'_']);
        assert_eq!(PathTemplate::parse("%{a}-%{b}").unwrap().parts[0].value_bytes_max, 109);
    }

    #[test]
    fn what_is_no_template_is_told_with_its_place() {
        for (path, expected) in [
            ("out/%q", "`%` at character 5 begins nothing"),
            ("é/%", "`%` at character 3 begins nothing"),
            ("out/%{a", "`%{` at character 5 has no `}`"),
            ("out/%{a.\"}", "`%{` at character 5 has no `}`"),
            ("out/%{}", "`%{` at character 5 does not hold"),
            ("out/%{.}", "`%{` at character 5 does not hold"),
            ("out/%{a..b}", "`%{` at character 5 does not hold"),
            ("/%{a}/x", "right below `/`"),
            ("/%Y.log", "right below `/`"),
            ("out/%{a}/", "ends with `/`"),
            ("out/%{a}/../x", "holds `..` behind a place"),
            ("out/%{a}%{b}", "not apart"),
            ("out/%{a}x%Y%{b}", "not apart"),
            ("%{a}/%{a}/%{a}/%{a}/%{a}/%{a}/%{a}/%{a}/%{a}", "names 9 fields"),
            ("%{a}-%{a}-%{a}-%{a}-%{a}", "too long"),
        ] {
            let error = PathTemplate::parse(path).unwrap_err();
            assert!(error.what.contains(expected) && !error.help.is_empty(), "{path}: {error}");
        }
        assert!(PathTemplate::parse(&format!("%Y{}", "x".repeat(300))).unwrap_err().what.contains("too long"));
    }
}
