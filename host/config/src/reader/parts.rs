//! Readers of single values, for `deserialize_with` in the model. Their errors never repeat the value: it may be a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use tamis_record::Path;

pub(crate) use super::json::{empty_object, json};
pub(crate) use super::optional::{Reads, bytes_between_option, duration_between_option, optional, reads};
pub(crate) use super::pattern::{multiline, pattern_option};
use super::problem::{Carried, CarriedOption};
use crate::diagnostic::codes::{BAD_NAME, BAD_PATH, BAD_UNIT, BAD_VALUE};
use crate::model::{ADMIN_TOKENS_MAX, AdminToken, Bytes, Reference as OciReference, SCHEME, TokenDigest};
use crate::{Located, Text};

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 64;

/// Whether a text can name a source, plugin, pipeline, sink, output or step: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && text.len() <= NAME_CHARS_MAX
}

pub(crate) const NAME_EXPECTED: &str = "a name: a letter or `_`, then letters, digits, `_` and `-`, 64 at most";
pub(crate) const NAME_HELP: &str = "names stand in the file as they are: `${…}` is not read in them";

fn expected<E: Error>(code: &'static str, text: &str, help: &str) -> E {
    E::custom(Carried { code, text, said: false, help })
}

pub(super) fn said<E: Error>(code: &'static str, text: &str, help: &str) -> E {
    E::custom(Carried { code, text, said: true, help })
}

/// A value that cannot be: what is wrong with it, and what to do.
pub(crate) fn bad_value<E: Error>(text: &str, help: &str) -> E {
    said(BAD_VALUE, text, help)
}

/// An option of the map that is read that cannot be as it is: the keys that lead to it, those of another option that it does not go with
/// (none: nothing to show), what is wrong, and what to do.
pub(crate) fn bad_option<E: Error>(of: &[&str], beside: &[&str], text: &str, help: &str) -> E {
    E::custom(CarriedOption { of, beside, text, help })
}

/// A type that is read from a text alone.
macro_rules! from_text {
    ($name:ident($inner:ty), $words:literal, $read:expr) => {
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextOnly;
                impl Visitor<'_> for TextOnly {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($words)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        let read: fn(&str) -> Result<$inner, E> = $read;
                        read(text).map($name)
                    }
                }
                deserializer.deserialize_str(TextOnly)
            }
        }
    };
}

from_text!(Name(String), "a name as text", |text| match is_name(text) {
    true => Ok(text.to_owned()),
    false => Err(expected(BAD_NAME, NAME_EXPECTED, if text.contains("${") { NAME_HELP } else { "" })),
});

from_text!(Reference(String), "a source, `pipeline` or `pipeline.output` as text", |text| {
    let (name, output) = text.split_once('.').unwrap_or((text, "default"));
    match is_name(name) && is_name(output) {
        true => Ok(text.to_owned()),
        false => Err(expected(
            BAD_NAME,
            "the name of a source or pipeline, or `pipeline.output`",
            if text.contains("${") { NAME_HELP } else { "" },
        )),
    }
});

// Field paths are not interpolated, so the message may hold the text.
from_text!(FieldPath(Path), "a field path as text", |text| {
    text.parse().map_err(|error: <Path as std::str::FromStr>::Err| said(BAD_PATH, &error.to_string(), ""))
});

struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WithUnit;
        impl Visitor<'_> for WithUnit {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `100ms`, `10s` or `1m`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                humantime::parse_duration(text)
                    .map(Time)
                    .map_err(|_| expected(BAD_UNIT, "a duration such as `100ms`, `10s` or `1m`", "the units are ms, s, m, h and d"))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Time, E> {
                Err(expected(BAD_UNIT, "a duration such as `100ms`, `10s` or `1m`", "give a unit: ms, s, m, h or d"))
            }
        }
        deserializer.deserialize_any(WithUnit)
    }
}

/// A duration as a configuration writes it, in the largest unit that divides it: `30d`.
pub(crate) fn written(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let ms = duration.as_millis();
    match UNITS.iter().find(|(unit, _)| ms != 0 && ms.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

/// A duration of `MIN` to `MAX` milliseconds.
pub(crate) fn duration_between<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<Duration, D::Error> {
    let (min, max) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
    match Time::deserialize(deserializer)?.0 {
        time if (min..=max).contains(&time) => Ok(time),
        _ => {
            let words = format!("a duration from `{}` to `{}`", written(min), written(max));
            Err(expected(BAD_VALUE, &words, "the units are ms, s, m, h and d"))
        }
    }
}

/// A size of `MIN` to `MAX` bytes.
pub(crate) fn bytes_between<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<Bytes, D::Error> {
    match Bytes::deserialize(deserializer)? {
        size if (MIN..=MAX).contains(&size.0) => Ok(size),
        _ => Err(expected(BAD_VALUE, &format!("a size from {} to {}", Bytes(MIN), Bytes(MAX)), "")),
    }
}

/// The address of a web server.
pub(crate) fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    match rest {
        Some(_) if text.bytes().all(|b| b.is_ascii_graphic()) => Ok(text),
        _ => Err(expected(BAD_VALUE, "an address such as `http://host:8080/path` or `https://host/path`", "")),
    }
}

/// Header names and values, if any are given.
pub(crate) fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Text>, D::Error> {
    let headers = Option::<BTreeMap<String, Text>>::deserialize(deserializer)?.unwrap_or_default();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let fits = |(name, value): (&String, &Text)| {
        !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(|b| (b' '..=b'~').contains(&b) || b >= 0x80)
    };
    match headers.iter().all(fits) {
        true => Ok(headers),
        false => Err(expected(BAD_VALUE, "header names and values without control characters", "")),
    }
}

/// The hash of a token of the admin API.
pub(crate) fn token_digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TokenDigest, D::Error> {
    let text = Text::deserialize(deserializer)?;
    TokenDigest::parse(&text).ok_or_else(|| {
        expected(BAD_VALUE, "a SHA-256 hash, 64 hexadecimal digits", "`tamis admin token` makes a token and prints its line")
    })
}

/// Tokens of the admin API by name, if any are given.
pub(crate) fn admin_tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, AdminToken>, D::Error> {
    struct Tokens;
    impl<'de> Visitor<'de> for Tokens {
        type Value = BTreeMap<String, AdminToken>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map from names to tokens")
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some(Name(name)) = map.next_key()? {
                all.insert(name, map.next_value()?);
                if all.len() > ADMIN_TOKENS_MAX {
                    return Err(bad_value(&format!("there are more than {ADMIN_TOKENS_MAX} tokens"), "remove those that nobody uses"));
                }
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(Tokens)
}

/// A whole number from `MIN` to `MAX`.
pub(crate) fn whole_between<'de, D: Deserializer<'de>, const MIN: u32, const MAX: u32>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer) {
        Ok(number) if (MIN..=MAX).contains(&number) => Ok(number),
        _ => Err(expected(BAD_VALUE, &format!("a whole number from {MIN} to {MAX}"), "")),
    }
}

/// A field path.
pub(crate) fn field_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Path, D::Error> {
    FieldPath::deserialize(deserializer).map(|FieldPath(path)| path)
}

/// Field paths.
pub(crate) fn paths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Located<Path>>, D::Error> {
    let paths = Option::<Vec<Located<FieldPath>>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(paths.into_iter().map(|path| path.map(|FieldPath(path)| path)).collect())
}

/// Field paths, if any are given.
pub(crate) fn paths_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Located<Path>>>, D::Error> {
    let paths = Option::<Vec<Located<FieldPath>>>::deserialize(deserializer)?;
    Ok(paths.map(|paths| paths.into_iter().map(|path| path.map(|FieldPath(path)| path)).collect()))
}

/// A path of a field.
pub(crate) fn path_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Path>, D::Error> {
    Ok(Option::<FieldPath>::deserialize(deserializer)?.map(|FieldPath(path)| path))
}

/// Paths of fields to hide.
pub(crate) fn hidden_paths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Path>, D::Error> {
    const PATHS_MAX: usize = 256;
    let paths = Option::<Vec<FieldPath>>::deserialize(deserializer)?.unwrap_or_default();
    match paths.len() {
        0..=PATHS_MAX => Ok(paths.into_iter().map(|FieldPath(path)| path).collect()),
        _ => Err(said(BAD_VALUE, &format!("more than {PATHS_MAX} paths"), "a path hides everything below it: name what the fields lie in")),
    }
}

fn plain(names: Vec<Located<Name>>) -> Vec<Located<String>> {
    names.into_iter().map(|name| name.map(|Name(name)| name)).collect()
}

/// Names, if any are given.
pub(crate) fn names_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Located<String>>>, D::Error> {
    Option::<Vec<Located<Name>>>::deserialize(deserializer).map(|names| names.map(plain))
}

/// References to sources and outputs of pipelines, at least one.
pub(crate) fn references_required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Located<String>>, D::Error> {
    let references: Vec<Located<Reference>> = OneOrMany::deserialize(deserializer)?.0;
    if references.is_empty() {
        return Err(said(BAD_VALUE, "the list is empty", "name at least one source or pipeline"));
    }
    Ok(references.into_iter().map(|reference| reference.map(|Reference(name)| name)).collect())
}

/// One name or a list of names.
pub(crate) fn names_one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Located<String>>, D::Error> {
    OneOrMany::deserialize(deserializer).map(|names| plain(names.0))
}

/// One value or a list of them.
struct OneOrMany<T>(Vec<Located<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        enum Form<T> {
            One(T),
            Many(Vec<Located<T>>),
        }
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Form<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names as text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Form<T>, E> {
                T::deserialize(serde::de::value::StrDeserializer::new(text)).map(Form::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Form<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = list.next_element()? {
                    all.push(one);
                }
                Ok(Form::Many(all))
            }
        }
        impl<'de, T: Deserialize<'de>> Deserialize<'de> for Form<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Either(std::marker::PhantomData))
            }
        }
        let Located { value, place } = Located::<Form<T>>::deserialize(deserializer)?;
        Ok(Self(match value {
            Form::One(one) => vec![Located::new(one, place)],
            Form::Many(all) => all,
        }))
    }
}

type Outputs = BTreeMap<String, Located<Vec<Located<String>>>>;

/// Sinks by output; one name or a list means the output `default`.
pub(crate) fn outputs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Outputs, D::Error> {
    enum Form {
        One(String),
        Many(Vec<Located<String>>),
        ByOutput(Outputs),
    }
    struct Any;
    impl<'de> Visitor<'de> for Any {
        type Value = Form;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a sink, a list of sinks, or a map from outputs to sinks")
        }

        fn visit_unit<E: Error>(self) -> Result<Form, E> {
            Ok(Form::ByOutput(Outputs::new()))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Form, E> {
            Name::deserialize(serde::de::value::StrDeserializer::new(text)).map(|Name(name)| Form::One(name))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Form, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                all.push(one);
            }
            Ok(Form::Many(plain(all)))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Form, A::Error> {
            let mut all = Outputs::new();
            while let Some(output) = map.next_key::<Located<Name>>()? {
                let sinks: OneOrMany<Name> = map.next_value()?;
                all.insert(output.value.0, Located::new(plain(sinks.0), output.place));
            }
            Ok(Form::ByOutput(all))
        }
    }
    impl<'de> Deserialize<'de> for Form {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Any)
        }
    }
    let Located { value, place } = Located::<Form>::deserialize(deserializer)?;
    let default = |sinks| Outputs::from([("default".to_owned(), Located::new(sinks, place.clone()))]);
    Ok(match value {
        Form::One(sink) => default(vec![Located::new(sink, place.clone())]),
        Form::Many(sinks) => default(sinks),
        Form::ByOutput(outputs) => outputs,
    })
}

struct Glob(Text);

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = path_text(deserializer)?;
        match glob::Pattern::new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(said(BAD_VALUE, &format!("not a glob pattern: {} at character {}", error.msg, error.pos + 1), "")),
        }
    }
}

/// Paths or glob patterns.
pub(crate) fn globs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    let globs = Option::<Vec<Glob>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(globs.into_iter().map(|Glob(text)| text).collect())
}

/// Paths or glob patterns, at least one.
pub(crate) fn globs_required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Text>, D::Error> {
    let globs: Vec<Glob> = Vec::deserialize(deserializer)?;
    if globs.is_empty() {
        return Err(said(BAD_VALUE, "the list is empty", "name at least one file or pattern"));
    }
    Ok(globs.into_iter().map(|Glob(text)| text).collect())
}

fn path_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    if text.is_empty() || text.contains('\0') {
        return Err(said(BAD_VALUE, "the path is empty or holds a NUL character", "give the path of a file"));
    }
    Ok(text)
}

/// The path of a file or folder.
pub(crate) fn file_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    path_text(deserializer)
}

/// The path of a component.
pub(crate) fn component<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Located<Text>, D::Error> {
    struct Component(Text);
    impl<'de> Deserialize<'de> for Component {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = path_text(deserializer)?;
            if text.starts_with(SCHEME)
                && let Err(error) = text.parse::<OciReference>()
            {
                return Err(said(BAD_VALUE, &error.to_string(), "write it as `oci://registry/team/name:tag@sha256:…`"));
            }
            Ok(Self(text))
        }
    }
    Located::<Component>::deserialize(deserializer).map(|component| component.map(|Component(text)| text))
}

fn not_empty<T>(list: Vec<T>) -> Result<Vec<T>, String> {
    if list.is_empty() { Err("the list is empty".to_owned()) } else { Ok(list) }
}

/// Texts with their places, at least one.
pub(crate) fn located_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Located<Text>>, D::Error> {
    not_empty(Vec::deserialize(deserializer)?).map_err(|message| said(BAD_VALUE, &message, "name at least one, or leave the key out"))
}

/// Glob patterns with their places, at least one.
pub(crate) fn located_globs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Located<Text>>, D::Error> {
    let globs: Vec<Located<Glob>> = Vec::deserialize(deserializer)?;
    let globs = not_empty(globs).map_err(|message| said(BAD_VALUE, &message, "name at least one pattern, or leave the key out"))?;
    Ok(globs.into_iter().map(|located| located.map(|Glob(text)| text)).collect())
}
