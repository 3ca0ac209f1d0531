//! Redaction of JSON text: a whole record, or a field that holds whatever it holds. Keys, strings and numbers are looked at
//! as they are read; everything else is copied as it stands, so what comes out is JSON because what went in was.

use crate::detect::named::Strength;
use crate::engine::{Engine, Role, is_phone_name};
use crate::json::pairs::Pairs;
use crate::json::reader::{Event, NotJson, Reader, Text};
use crate::views::View;

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was found.
    Untouched,
    /// The redacted text was appended.
    Redacted,
    /// All of it is to be removed; nothing was appended.
    Removed,
}

/// Walks JSON texts; keeps its space between calls.
#[derive(Debug, Default)]
pub struct Walker {
    open: Vec<u8>,
    key: View,
    pairs: Pairs,
    number: Vec<u8>,
    /// Names of members that hold an account.
    accounts: Vec<String>,
    /// Whether a whole number in the texts since the last question was spelt with a point or an exponent.
    spelt_otherwise: bool,
}

/// One text on its way through.
struct Walk<'a> {
    text: &'a [u8],
    candidates: &'a [u32],
    base: usize,
    /// How many candidates lie before the last token.
    passed: usize,
    /// How much of the text has been copied.
    copied: usize,
    changed: bool,
}

impl Walker {
    /// A walker that takes members of these names for accounts.
    #[must_use]
    pub fn new(accounts: Vec<String>) -> Self {
        Self { accounts, ..Self::default() }
    }

    /// Whether a whole number since the last question was spelt with a point or an exponent, so that its digits do not show.
    pub fn spelt_otherwise(&mut self) -> bool {
        std::mem::take(&mut self.spelt_otherwise)
    }

    /// Appends `text` redacted to `out` if something is found in it. `candidates` are those of the prescan within it, counted
    /// from `base`; `role` is what the field's own name says.
    ///
    /// # Errors
    /// `text` is not JSON; `out` is as it was.
    pub fn redact(
        &mut self,
        engine: &mut Engine,
        text: &[u8],
        (candidates, base): (&[u32], usize),
        role: Role,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, NotJson> {
        let length = out.len();
        let result = self.walk(engine, text, (candidates, base), role, out);
        if !matches!(result, Ok(Outcome::Redacted)) {
            out.truncate(length);
        }
        result
    }

    fn walk(
        &mut self,
        engine: &mut Engine,
        text: &[u8],
        (candidates, base): (&[u32], usize),
        role: Role,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, NotJson> {
        let mut open = std::mem::take(&mut self.open);
        let mut reader = Reader::new(text, &mut open);
        let mut walk = Walk { text, candidates, base, passed: 0, copied: 0, changed: false };
        let mut role = role;
        // The depth above the value of a secret's name: everything within is secret.
        let mut secret_above = None;
        let mut removed = false;
        let mut key_before = None;
        self.pairs.begin();
        let result = loop {
            let depth = reader.depth();
            match reader.next_event() {
                Err(error) => break Err(error),
                Ok(Event::End) => break Ok(()),
                Ok(Event::Key(key)) => {
                    let within = secret_above.map(|_| Strength::Password);
                    role = self.role(engine, text, &key);
                    role.secret = within.or(role.secret).or_else(|| self.pairs.strength(engine, text, &key));
                    walk.string(engine, &key, Role::default(), false, out);
                    key_before = Some(key.range);
                }
                Ok(Event::String(string)) => {
                    removed |= walk.string(engine, &string, role, depth == 0, out);
                    role.secret = secret_above.map(|_| Strength::Password);
                }
                Ok(Event::Number(range)) => {
                    self.number.clear();
                    let spelling = text.get(range.clone()).unwrap_or_default();
                    integer_digits(spelling, &mut self.number);
                    self.spelt_otherwise |= !self.number.is_empty() && !spelling.ends_with(&self.number);
                    // Only a number needs to know, so it is not asked of every key.
                    role.phone |= key_before.clone().is_some_and(|key| is_phone_name(text.get(key).unwrap_or_default()));
                    if engine.inspect_number(&self.number, role) {
                        removed |= walk.number(engine, &self.number, range, depth == 0, out);
                    }
                    role.secret = secret_above.map(|_| Strength::Password);
                }
                Ok(Event::Open) => {
                    if secret_above.is_none() && role.secret.is_some() {
                        secret_above = Some(depth);
                    }
                    role.secret = secret_above.map(|_| Strength::Password);
                }
                Ok(Event::Close) => {
                    if secret_above.is_some_and(|above| reader.depth() <= above) {
                        secret_above = None;
                    }
                    key_before = None;
                    role = Role { secret: secret_above.map(|_| Strength::Password), ..Role::default() };
                }
                Ok(Event::Literal(_)) => role.secret = secret_above.map(|_| Strength::Password),
            }
        };
        self.open = open;
        result?;
        if removed {
            return Ok(Outcome::Removed);
        }
        if !walk.changed {
            return Ok(Outcome::Untouched);
        }
        out.extend_from_slice(text.get(walk.copied..).unwrap_or_default());
        Ok(Outcome::Redacted)
    }

    fn role(&mut self, engine: &Engine, text: &[u8], key: &Text) -> Role {
        let raw = text.get(key.range.clone()).unwrap_or_default();
        let name = match key.escaped && self.key.decode(raw) {
            true => self.key.bytes(),
            false => raw,
        };
        let account = self.accounts.iter().any(|account| account.as_bytes() == name);
        Role { account, ..engine.role(name) }
    }
}

impl<'a> Walk<'a> {
    /// Redacts a key or a string. Says whether all of it is to be removed, which is only asked of a text that is nothing else.
    fn string(&mut self, engine: &mut Engine, string: &Text, role: Role, alone: bool, out: &mut Vec<u8>) -> bool {
        let range = string.range.clone();
        let value = self.text.get(range.clone()).unwrap_or_default();
        let candidates = self.candidates_within(range.start, range.end);
        if candidates.is_empty() && role.secret.is_none() && !role.account && !engine.searches() {
            return false;
        }
        if !engine.inspect(value, candidates, self.base + range.start, role) {
            return false;
        }
        if alone && engine.removes_all(value.len()) {
            engine.rewrite(value, out);
            return true;
        }
        out.extend_from_slice(self.text.get(self.copied..range.start).unwrap_or_default());
        engine.rewrite(value, out);
        self.copied = range.end;
        self.changed = true;
        false
    }

    /// Replaces a number that was found to be something by a string, or by `null` where it is removed.
    fn number(&mut self, engine: &mut Engine, digits: &[u8], range: std::ops::Range<usize>, alone: bool, out: &mut Vec<u8>) -> bool {
        let removes = engine.removes_all(digits.len());
        if removes && alone {
            engine.rewrite(digits, out);
            return true;
        }
        out.extend_from_slice(self.text.get(self.copied..range.start).unwrap_or_default());
        let quote: &[u8] = if removes { b"null" } else { b"\"" };
        out.extend_from_slice(quote);
        engine.rewrite(digits, out);
        if !removes {
            out.extend_from_slice(quote);
        }
        self.copied = range.end;
        self.changed = true;
        false
    }

    fn candidates_within(&mut self, start: usize, end: usize) -> &'a [u32] {
        let (start, end) = (start + self.base, end + self.base);
        let rest = self.candidates.get(self.passed..).unwrap_or_default();
        let skipped = rest.iter().take_while(|&&at| (at as usize) < start).count();
        let rest = rest.get(skipped..).unwrap_or_default();
        let within = rest.iter().take_while(|&&at| (at as usize) < end).count();
        self.passed += skipped + within;
        rest.get(..within).unwrap_or_default()
    }
}

/// The digits of a JSON number without sign if it is a whole number of at most 24 digits, however it is spelt (`4.1e3`);
/// otherwise nothing.
fn integer_digits(number: &[u8], digits: &mut Vec<u8>) {
    const DIGITS_MAX: usize = 24;
    let number = number.strip_prefix(b"-").unwrap_or(number);
    if number.iter().all(u8::is_ascii_digit) {
        if number.len() <= DIGITS_MAX {
            digits.extend_from_slice(number);
        }
        return;
    }
    let mut parts = number.splitn(2, |byte| matches!(byte, b'e' | b'E'));
    let mantissa = parts.next().unwrap_or_default();
    let exponent: i64 = match parts.next().map(std::str::from_utf8) {
        None => 0,
        Some(text) => match text.map(|text| text.strip_prefix('+').unwrap_or(text).parse()) {
            Ok(Ok(exponent)) => exponent,
            _ => return,
        },
    };
    if mantissa.len() > DIGITS_MAX * 2 {
        return;
    }
    let mut parts = mantissa.splitn(2, |&byte| byte == b'.');
    let whole = parts.next().unwrap_or_default();
    let fraction = parts.next().unwrap_or_default();
    let end = fraction.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
    let fraction = fraction.get(..end).unwrap_or_default();
    let Ok(zeros) = usize::try_from(exponent.saturating_sub(fraction.len() as i64)) else {
        // Digits remain behind the point, unless the mantissa ends in zeros: `41110e-1`.
        let cut = exponent.unsigned_abs() as usize;
        let is_whole = fraction.is_empty() && exponent < 0 && cut < whole.len();
        let Some((kept, zeros)) = is_whole.then(|| whole.split_at(whole.len() - cut)) else {
            return;
        };
        if zeros.iter().all(|&byte| byte == b'0') {
            digits.extend_from_slice(kept);
        }
        return;
    };
    if whole.len() + fraction.len() + zeros > DIGITS_MAX {
        return;
    }
    digits.extend(whole.iter().chain(fraction).skip_while(|&&byte| byte == b'0'));
    digits.extend(std::iter::repeat_n(b'0', zeros));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_spelling() {
        for (number, wanted) in [
            ("4111111111111111", "4111111111111111"),
            ("-4111111111111111", "4111111111111111"),
            ("4111111111111111.0", "4111111111111111"),
            ("4.111111111111111e15", "4111111111111111"),
            ("4111111111111111e0", "4111111111111111"),
            ("41111111111111110e-1", "4111111111111111"),
            ("411111111111111.1E+1", "4111111111111111"),
            ("0.4111111111111111e16", "4111111111111111"),
            ("1.5", ""),
            ("1e999999999999999999999", ""),
            ("1e400", ""),
            ("1e-400", ""),
            ("15e-1", ""),
        ] {
            let mut digits = Vec::new();
            integer_digits(number.as_bytes(), &mut digits);
            assert_eq!(String::from_utf8_lossy(&digits), wanted, "{number}");
        }
    }
}
