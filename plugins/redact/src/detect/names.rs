//! The names that secrets follow, in several languages, and how they are compared: in any case, with or without `-` and `_`, with
//! or without accents.

use super::{byte_before, is_blank};

/// Longest name compared, without `-` and `_`.
pub(super) const NAME_MAX: usize = 64;

/// How far a name can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Whatever follows is secret.
    Strong,
    /// As strong, and prose after a colon is secret as well: passwords are words.
    Password,
    /// An HTTP header of several words.
    Header,
    /// An ordinary word too: the value has to look like a secret.
    Weak,
}

/// Which longer names count that end in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Longer {
    /// None: the name has to be this one.
    None,
    /// All: `proxy-authorization`, `dbpassword`.
    All,
    /// Those in which it is a word: `db_pass`, `smtpPass`, but not `bypass`.
    Word,
}

/// Name without `-` and `_`, in lower case; which longer names count; how far it is trusted.
const DEFAULTS: [(&[u8], Longer, Strength); 53] = [
    (b"authorization", Longer::All, Strength::Header),
    (b"cookie", Longer::None, Strength::Header),
    (b"setcookie", Longer::None, Strength::Header),
    (b"apikey", Longer::All, Strength::Strong),
    (b"internalkey", Longer::All, Strength::Strong),
    (b"xjwtassertion", Longer::None, Strength::Strong),
    (b"clientassertion", Longer::All, Strength::Strong),
    (b"clientsecret", Longer::All, Strength::Strong),
    (b"consumerkey", Longer::All, Strength::Strong),
    (b"secret", Longer::All, Strength::Strong),
    (b"secretkey", Longer::All, Strength::Strong),
    (b"privatekey", Longer::All, Strength::Strong),
    (b"accesskey", Longer::All, Strength::Strong),
    (b"signingkey", Longer::All, Strength::Strong),
    (b"encryptionkey", Longer::All, Strength::Strong),
    (b"accesstoken", Longer::All, Strength::Strong),
    (b"refreshtoken", Longer::All, Strength::Strong),
    (b"idtoken", Longer::All, Strength::Strong),
    (b"password", Longer::All, Strength::Password),
    (b"passwordhash", Longer::All, Strength::Strong),
    (b"passwd", Longer::All, Strength::Password),
    (b"passphrase", Longer::All, Strength::Password),
    (b"pwd", Longer::All, Strength::Password),
    // Also a word of test reports: what follows in prose has to be more than a word or a small number.
    (b"pass", Longer::Word, Strength::Strong),
    (b"token", Longer::All, Strength::Weak),
    (b"assertion", Longer::All, Strength::Weak),
    (b"code", Longer::None, Strength::Weak),
    // French.
    (b"motdepasse", Longer::All, Strength::Password),
    (b"motpasse", Longer::All, Strength::Password),
    (b"mdp", Longer::All, Strength::Password),
    (b"codepin", Longer::All, Strength::Strong),
    (b"cleapi", Longer::All, Strength::Strong),
    (b"cleacces", Longer::All, Strength::Strong),
    (b"cleprivee", Longer::All, Strength::Strong),
    (b"clesecrete", Longer::All, Strength::Strong),
    (b"jeton", Longer::All, Strength::Weak),
    (b"jetonacces", Longer::All, Strength::Strong),
    // Spanish and Portuguese.
    (b"contrasena", Longer::All, Strength::Password),
    (b"contrasenia", Longer::All, Strength::Password),
    (b"palabrapaso", Longer::All, Strength::Password),
    (b"palavrapasse", Longer::All, Strength::Password),
    (b"senha", Longer::Word, Strength::Password),
    (b"secreto", Longer::All, Strength::Strong),
    (b"clave", Longer::Word, Strength::Weak),
    (b"claveapi", Longer::All, Strength::Strong),
    (b"claveacceso", Longer::All, Strength::Strong),
    (b"claveprivada", Longer::All, Strength::Strong),
    (b"clavesecreta", Longer::All, Strength::Strong),
    // German and Dutch.
    (b"passwort", Longer::All, Strength::Password),
    (b"kennwort", Longer::All, Strength::Password),
    (b"wachtwoord", Longer::All, Strength::Password),
    (b"geheimnis", Longer::All, Strength::Strong),
    (b"zugriffstoken", Longer::All, Strength::Strong),
];

/// The names that secrets follow.
#[derive(Debug, Clone)]
pub struct Names {
    /// By their last two characters, the longest of those first.
    entries: Vec<(Vec<u8>, Longer, Strength)>,
    /// Where the entries of each ending begin, and those of the last one end.
    starts: Vec<u16>,
    /// The endings there are, a bit for each last character: nearly every other name fails here.
    endings: [u32; 32],
}

/// The last two characters, five bits each.
fn ending(last_but_one: u8, last: u8) -> usize {
    usize::from(last_but_one & 31) << 5 | usize::from(last & 31)
}

impl Names {
    /// The built-in names and `more`, which match in any case and with or without `-` and `_`.
    #[must_use]
    pub fn new<'a>(more: impl IntoIterator<Item = &'a str>) -> Self {
        let mut entries: Vec<_> = DEFAULTS.iter().map(|&(name, longer, strength)| (name.to_vec(), longer, strength)).collect();
        entries.extend(more.into_iter().map(|name| {
            let name = name.bytes().filter(u8::is_ascii_alphanumeric);
            (name.map(|byte| byte.to_ascii_lowercase()).collect(), Longer::None, Strength::Strong)
        }));
        entries.retain(|(name, ..): &(Vec<u8>, Longer, Strength)| name.len() >= 2);
        let ending_of = |name: &[u8]| match name {
            [.., last_but_one, last] => ending(*last_but_one, *last),
            _ => 0,
        };
        entries.sort_by_key(|(name, ..)| (ending_of(name), usize::MAX - name.len()));
        let starts = (0..=1024).map(|ending| entries.partition_point(|(name, ..)| ending_of(name) < ending) as u16).collect();
        let mut endings = [0; 32];
        // Those whose value a sibling names are among them.
        for name in entries.iter().map(|(name, ..)| name.as_slice()).chain([&b"value"[..], b"values"]) {
            let ending = ending_of(name);
            if let Some(bits) = endings.get_mut(ending >> 5) {
                *bits |= 1 << (ending & 31);
            }
        }
        Self { entries, starts, endings }
    }

    /// The entries that end as a name does.
    fn alike(&self, name: &[u8]) -> &[(Vec<u8>, Longer, Strength)] {
        let [.., last_but_one, last] = name else {
            return &[];
        };
        let at = ending(*last_but_one, *last);
        let range = self.starts.get(at).zip(self.starts.get(at + 1)).map(|(from, to)| usize::from(*from)..usize::from(*to));
        range.and_then(|range| self.entries.get(range)).unwrap_or_default()
    }

    /// Whether the text before `end` ends as one of the names does.
    #[inline]
    pub(super) fn ends_like_one(&self, text: &[u8], end: usize) -> bool {
        let Some(last) = byte_before(text, end) else {
            return false;
        };
        let other = match byte_before(text, end - 1) {
            Some(b'-' | b'_' | b' ') => byte_before(text, end - 2),
            other => other,
        };
        other.is_some_and(|other| {
            let known = self.endings.get(usize::from(other & 31)).is_some_and(|bits| bits >> (last & 31) & 1 == 1);
            // An accented letter: which one it is, is told later.
            (last | other) >= 0x80 || (known && self.is_long_enough(text, end, [other, last]))
        })
    }

    /// Whether the text before `end` has as many characters of a name as the shortest one of this ending: `sort` is no `passwort`.
    fn is_long_enough(&self, text: &[u8], end: usize, ending: [u8; 2]) -> bool {
        let least = self.alike(&ending).last().map_or(0, |(name, ..)| name.len());
        let before = end.checked_sub(least).and_then(|start| text.get(start..end));
        before.is_some_and(|name| name.iter().all(|&byte| is_name(byte) || is_blank(byte) || byte == b'+'))
    }

    /// How far `name` is trusted to name a secret; `None` where it does not.
    #[inline]
    #[must_use]
    pub fn strength(&self, name: &[u8]) -> Option<Strength> {
        let name = name.trim_ascii();
        self.ends_like_one(name, name.len()).then(|| self.known(name)).flatten()
    }

    pub(super) fn known(&self, name: &[u8]) -> Option<Strength> {
        let mut plain = [0; NAME_MAX];
        let mut length = 0;
        let mut lead = 0;
        for &byte in name {
            let letter = match (lead, byte) {
                (_, b'-' | b'_' | b' ' | b'+' | LATIN | ACCENT) | (ACCENT, 0x80..=0xbf) => None,
                (LATIN, 0x80..=0xbf) => base_letter(byte),
                // A path's step, or a character that is no letter of a name: `«password`.
                (_, b'.' | 0x80..) => {
                    length = 0;
                    None
                }
                _ => Some(byte.to_ascii_lowercase()),
            };
            lead = byte;
            if let Some(letter) = letter {
                *plain.get_mut(length)? = letter;
                length += 1;
            }
        }
        let plain = plain.get(..length)?;
        let ends = |entry: &[u8], longer| match longer {
            Longer::None => false,
            Longer::All => plain.ends_with(entry),
            Longer::Word => plain.ends_with(entry) && begins_word(name, entry.len()),
        };
        self.alike(plain).iter().find(|(entry, longer, _)| plain == entry || ends(entry, *longer)).map(|(.., strength)| *strength)
    }
}

/// Whether the last `length` bytes of `name` begin a word of it: behind a separator, or with a capital after a small letter.
fn begins_word(name: &[u8], length: usize) -> bool {
    let start = name.len().saturating_sub(length);
    let capital = super::is(name, start, |byte| byte.is_ascii_uppercase());
    byte_before(name, start).is_none_or(|before| !before.is_ascii_alphanumeric() || (capital && before.is_ascii_lowercase()))
}

/// What the two bytes of a letter from U+00C0 to U+00FF begin with.
const LATIN: u8 = 0xc3;
/// What an accent that follows its letter begins with, U+0300 to U+033F.
const ACCENT: u8 = 0xcc;

/// The letter below the accent, by the second byte of a letter from U+00C0 to U+00FF.
fn base_letter(second: u8) -> Option<u8> {
    Some(match second | 0x20 {
        0xa0..=0xa6 => b'a',
        0xa7 => b'c',
        0xa8..=0xab => b'e',
        0xac..=0xaf => b'i',
        0xb1 => b'n',
        0xb2..=0xb6 | 0xb8 => b'o',
        0xb9..=0xbc => b'u',
        0xbd | 0xbf => b'y',
        _ => return None,
    })
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | LATIN | ACCENT | 0x80..=0xbf)
}
