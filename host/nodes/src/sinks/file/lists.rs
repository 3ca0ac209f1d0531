//! Fields of a path that hold a list: their record goes to a file for each element.

use std::ops::Range;
use tamis_record::unescape;

/// Files that one record goes to at most.
pub const FILES_OF_A_RECORD_MAX: usize = 16;

/// The lists in one record's fields, each element once. Its memory is used again for the next record.
#[derive(Debug, Default)]
pub(super) struct Lists {
    bytes: Vec<u8>,
    /// Elements, in `bytes`.
    elements: Vec<Range<usize>>,
    /// For each field of the path, its elements; `None` when it holds no list.
    fields: Vec<Option<Range<usize>>>,
    /// The number of elements of the list that has several.
    several: Option<usize>,
}

impl Lists {
    pub(super) const TOO_MANY: &str = "the path's field holds a list of more than 16 different elements: a record goes to 16 files at most";
    pub(super) const TWO: &str = "two of the path's fields hold lists of several elements: one at most may";
    pub(super) const OTHERS: &str = "the path's field holds a list of something else than texts and numbers";

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.elements.clear();
        self.fields.clear();
        self.several = None;
    }

    /// The next field holds no list.
    pub(super) fn none(&mut self) {
        self.fields.push(None);
    }

    /// The next field holds `list`, a JSON array as its text. `Err`: no files follow from it.
    pub(super) fn read(&mut self, list: &[u8]) -> Result<(), &'static str> {
        let first = self.elements.len();
        let mut rest = list.get(1..).unwrap_or_default();
        loop {
            let skipped = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b',')).count();
            rest = rest.get(skipped..).unwrap_or_default();
            let begin = self.bytes.len();
            let length = match rest.first() {
                Some(b']') | None => break,
                Some(b'"') => {
                    let length = string(rest);
                    unescape(rest.get(1..length.saturating_sub(1)).unwrap_or_default(), &mut self.bytes);
                    length
                }
                Some(b'-' | b'0'..=b'9') => {
                    let length = rest.iter().take_while(|b| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
                    self.bytes.extend_from_slice(rest.get(..length).unwrap_or_default());
                    length
                }
                Some(_) => return Err(Self::OTHERS),
            };
            rest = rest.get(length..).unwrap_or_default();
            self.close(first, begin)?;
        }
        let count = self.elements.len() - first;
        if count > 1 && self.several.replace(count).is_some() {
            return Err(Self::TWO);
        }
        self.fields.push(Some(first..self.elements.len()));
        Ok(())
    }

    /// Ends an element, unless the list from `first` on has it already.
    fn close(&mut self, first: usize, begin: usize) -> Result<(), &'static str> {
        let element = self.bytes.get(begin..).unwrap_or_default();
        let mut others = self.elements.iter().skip(first);
        if others.any(|other| self.bytes.get(other.clone()) == Some(element)) {
            self.bytes.truncate(begin);
        } else if self.elements.len() - first == FILES_OF_A_RECORD_MAX {
            return Err(Self::TOO_MANY);
        } else {
            self.elements.push(begin..self.bytes.len());
        }
        Ok(())
    }

    /// How many files the record goes to.
    pub(super) fn spread(&self) -> usize {
        self.several.unwrap_or(1)
    }

    /// What a field with a list stands for in the path of file `number`; nothing for an empty list. `None`: it has no list.
    pub(super) fn element(&self, field: usize, number: usize) -> Option<&[u8]> {
        let elements = self.elements.get(self.fields.get(field)?.clone()?)?;
        let element = if elements.len() > 1 { elements.get(number) } else { elements.first() };
        Some(element.and_then(|element| self.bytes.get(element.clone())).unwrap_or_default())
    }
}

/// The length of the JSON string that `text` begins with, quotes included.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(next) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += next + 1;
        if text.get(at - 1) == Some(&b'"') {
            return at;
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn elements(list: &str) -> Vec<String> {
        let mut lists = Lists::default();
        lists.read(list.as_bytes()).unwrap();
        (0..lists.spread()).map(|n| String::from_utf8(lists.element(0, n).unwrap().to_vec()).unwrap()).collect()
    }

    #[test]
    fn elements_are_what_json_says() {
        let spaced = "[ \"a\" ,\n\t\"b,]\" , -1.5e+3 ]";
        assert_eq!(elements(spaced), ["a", "b,]", "-1.5e+3"]);
        assert_eq!(elements(r#"["a\"b","c\\","\u00e9\ud83d\ude9a","é🚚","\ud800"]"#), ["a\"b", "c\\", "é🚚", "\u{fffd}"]);
        assert_eq!(elements("[]"), [""]);
        assert_eq!(elements("[ ]"), [""]);
    }

    #[test]
    fn a_list_of_many_equal_elements_is_one() {
        assert_eq!(elements(&format!("[{}\"x\"]", "\"x\",".repeat(10_000))), ["x"]);
    }
}
