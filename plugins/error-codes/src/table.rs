//! The table of codes as an operator extends or replaces it.

use std::collections::BTreeMap;

use crate::codes::{CLASSES, Codes};

/// Codes and ranges that a configuration may hold.
pub const RANGES_MAX: usize = 4096;
/// Longest name of a class, in bytes.
const CLASS_BYTES_MAX: usize = 64;

/// The classes by name, and which code belongs to which.
#[derive(Debug, Clone)]
pub struct Table {
    names: Vec<String>,
    codes: Codes,
}

impl Table {
    /// The built-in table, or an empty one, with what the configuration says under its keys `codes` and `ranges`: a code
    /// (`900805`) or a range (`1000-1999`) to a class, one of [`CLASSES`] or one of the operator's own.
    ///
    /// # Errors
    /// What was expected, beginning with `configuration key`.
    pub fn new(built_in: bool, added: [(&str, &BTreeMap<String, String>); 2]) -> Result<Self, String> {
        let mut names = CLASSES.map(str::to_owned).to_vec();
        let mut ranges = Vec::new();
        for (key, entries) in added {
            for (range, class) in entries {
                let wrong = |what: String| format!("configuration key {key}.{range}: {what}");
                if class.trim().is_empty() || class.contains('*') || class.len() > CLASS_BYTES_MAX {
                    return Err(wrong(format!("expected a class such as error.client, found `{class}`")));
                }
                let index = names.iter().position(|name| name == class).unwrap_or_else(|| {
                    names.push(class.clone());
                    names.len() - 1
                });
                let (first, last) = parse(range).map_err(wrong)?;
                ranges.push((first, last, index));
            }
            if ranges.len() > RANGES_MAX {
                return Err(format!("configuration key {key}: expected at most {RANGES_MAX} codes and ranges, found {}", ranges.len()));
            }
        }
        Ok(Self { names, codes: if built_in { Codes::default() } else { Codes::none() }.with(ranges) })
    }

    /// The classes: the built-in ones, then those of the configuration.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The index in [`Table::names`] of a call's class; `None` if neither code nor status says anything.
    #[inline]
    #[must_use]
    pub fn classify(&self, code: Option<i64>, status: Option<i64>) -> Option<usize> {
        self.codes.classify(code, status)
    }
}

/// First and last code of `900805` or `1000-1999`.
fn parse(range: &str) -> Result<(i64, i64), String> {
    let expected = || format!("expected an error code such as 900805 or a range such as 1000-1999, found `{range}`");
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let code = |text: &str| text.trim().parse::<i64>().ok().filter(|code| *code > 0).ok_or_else(expected);
    let (first, last) = (code(first)?, code(last)?);
    if first > last {
        return Err(format!("expected the lower code first, found `{range}`"));
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(built_in: bool, codes: &[(&str, &str)]) -> Result<Table, String> {
        let codes = codes.iter().map(|(code, class)| ((*code).to_owned(), (*class).to_owned())).collect();
        Table::new(built_in, [("codes", &codes), ("ranges", &BTreeMap::new())])
    }

    #[test]
    fn the_built_in_table_is_extended_or_replaced() {
        let class = |table: &Table, code| table.classify(Some(code), None).and_then(|class| table.names().get(class).cloned());
        let extended = table(true, &[("900805", "security")]).expect("a sound table");
        assert_eq!(class(&extended, 900_805).as_deref(), Some("security"));
        assert_eq!(class(&extended, 900_806).as_deref(), Some("throttle"));
        let replaced = table(false, &[("900805", "security"), ("1 - 5", "error.client")]).expect("a sound table");
        assert_eq!(class(&replaced, 900_805).as_deref(), Some("security"));
        assert_eq!(class(&replaced, 3).as_deref(), Some("error.client"));
        assert_eq!(class(&replaced, 900_806), None);
        assert_eq!(replaced.classify(Some(900_806), Some(500)), Some(crate::Class::Backend as usize));
    }

    #[test]
    fn errors_name_the_key() {
        for (code, class, expected) in [
            ("x", "throttle", "configuration key codes.x: expected an error code"),
            ("0", "throttle", "configuration key codes.0: expected an error code"),
            ("9-1", "throttle", "configuration key codes.9-1: expected the lower code first"),
            ("9", " ", "configuration key codes.9: expected a class"),
            ("9", "error.*", "configuration key codes.9: expected a class"),
        ] {
            let error = table(true, &[(code, class)]).expect_err(code);
            assert!(error.starts_with(expected), "{error}");
        }
        let many: BTreeMap<String, String> = (1..=RANGES_MAX + 1).map(|code| (code.to_string(), "throttle".to_owned())).collect();
        let error = Table::new(true, [("codes", &many), ("ranges", &BTreeMap::new())]).expect_err("too many");
        assert!(error.starts_with("configuration key codes: expected at most 4096"), "{error}");
    }
}
