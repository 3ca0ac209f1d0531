//! Redaction of text values: candidates to detectors, over the value as it stands and as it reads decoded.

use crate::config::{Mode, Policy};
use crate::detect::named::{Names, Strength};
use crate::detect::{self, bearer, card, credential, email, iban, ip, jwt, named, nir, phone, userinfo};
use crate::findings::{self, Detail, Found};
use crate::kind::{Finding, KINDS, Kind};
use crate::prescan;
use crate::repeats::{Phase, Repeats};
use crate::views::{self, LAYERS_MAX, View};

/// The redaction of values under one policy, with the space it works in.
#[derive(Debug)]
pub struct Engine {
    policy: Policy,
    names: Names,
    jwt: jwt::Scratch,
    decoded: Vec<u8>,
    /// Of the names, and of the schemes, in the text at hand.
    refusals: [named::Refusals; 2],
    found: Vec<Found>,
    candidates: Vec<u32>,
    /// Those of a decoded view.
    decoded_candidates: Vec<u32>,
    view: View,
    deeper: View,
    counts: [u64; KINDS],
    /// What was found in the record at hand, to be looked for in all of it.
    repeats: Repeats,
}

/// What a field's or member's name says about its value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Role {
    /// It names a secret.
    pub secret: Option<Strength>,
    /// It is configured as an account.
    pub account: bool,
    /// It is named like a telephone number.
    pub phone: bool,
}

impl Engine {
    /// An engine for `policy`; `names` are those that secrets follow beside the built-in ones.
    #[must_use]
    pub fn new(policy: Policy, names: &[String]) -> Self {
        Self {
            policy,
            names: Names::new(names.iter().map(String::as_str)),
            jwt: jwt::Scratch::default(),
            decoded: Vec::new(),
            refusals: Default::default(),
            found: Vec::new(),
            candidates: Vec::new(),
            decoded_candidates: Vec::new(),
            view: View::default(),
            deeper: View::default(),
            counts: [0; KINDS],
            repeats: Repeats::default(),
        }
    }

    /// What has been redacted by kind since the last call.
    pub fn take_counts(&mut self) -> [u64; KINDS] {
        std::mem::take(&mut self.counts)
    }

    /// What has been redacted by kind, to go back to with [`Engine::set_counts`].
    #[must_use]
    pub fn counts(&self) -> [u64; KINDS] {
        self.counts
    }

    /// Takes back what was counted since [`Engine::counts`].
    pub fn set_counts(&mut self, counts: [u64; KINDS]) {
        self.counts = counts;
    }

    /// The values found in the record at hand.
    pub fn repeats(&mut self) -> &mut Repeats {
        &mut self.repeats
    }

    /// Whether any text may hold something, although the prescan marked nothing in it.
    #[inline]
    #[must_use]
    pub fn searches(&self) -> bool {
        self.repeats.phase == Phase::Search
    }

    /// What the value of a field or member called `name` is for that name alone; whether it is an account or a telephone
    /// number is for the caller to add.
    #[inline]
    #[must_use]
    pub fn role(&self, name: &[u8]) -> Role {
        Role { secret: self.policy.action(Kind::Named).and_then(|_| self.names.strength(name)), ..Role::default() }
    }

    /// Looks at one value: text, or the inside of a JSON string. `candidates` are those of the prescan that fall into it,
    /// counted from `base`. Says whether something was found; [`Engine::rewrite`] then replaces it.
    #[inline]
    pub fn inspect(&mut self, value: &[u8], candidates: &[u32], base: usize, role: Role) -> bool {
        self.found.clear();
        if role.account || role.secret.is_some() {
            self.whole(value, role);
        }
        if self.found.is_empty() {
            let encoded = self.scan(value, candidates, base);
            if encoded {
                self.look_decoded(value);
            }
            findings::settle(&mut self.found);
        }
        !self.found.is_empty()
    }

    /// As [`Engine::inspect`], without candidates at hand.
    pub fn inspect_alone(&mut self, value: &[u8], role: Role) -> bool {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        prescan::candidates(value, &mut candidates);
        let found = self.inspect(value, &candidates, 0, role);
        self.candidates = candidates;
        found
    }

    /// Looks at the digits of a JSON number, without sign, fraction or exponent. Says whether it is something as a whole.
    pub fn inspect_number(&mut self, digits: &[u8], role: Role) -> bool {
        self.found.clear();
        let whole = Some(0..digits.len());
        let kind = if role.secret.is_some_and(|strength| strength != Strength::Weak) {
            Some(Kind::Named)
        } else if (13..=19).contains(&digits.len()) && card::is_card(digits) {
            Some(Kind::Card)
        } else if nir::find(digits, 0) == whole {
            Some(Kind::Nir)
        } else if phone::is_number(digits, role.phone) {
            Some(Kind::Phone)
        } else {
            self.repeated_number(digits)
        };
        if let Some(kind) = kind {
            self.add(kind, digits, 0, digits.len());
        }
        !self.found.is_empty()
    }

    /// The kind of a number that was found elsewhere in the record.
    fn repeated_number(&mut self, digits: &[u8]) -> Option<Kind> {
        let mut kind = None;
        if self.searches() {
            self.repeats.search(digits, |found, range| kind = kind.or((range.len() == digits.len()).then_some(found)));
        }
        kind
    }

    /// Whether what was found is the whole of a value of this length and is to be removed.
    #[must_use]
    pub fn removes_all(&self, length: usize) -> bool {
        match self.found.as_slice() {
            [Found { finding, .. }] => {
                finding.start == 0
                    && finding.end == length
                    && self.policy.action(finding.kind).is_some_and(|action| action.mode == Mode::Remove)
            }
            _ => false,
        }
    }

    /// Appends the value that was inspected last, redacted.
    pub fn rewrite(&mut self, value: &[u8], out: &mut Vec<u8>) {
        findings::rewrite(value, &self.found, &self.policy, &mut self.counts, out);
    }

    /// Takes a value that is secret, or an account, by the name of its field.
    fn whole(&mut self, value: &[u8], role: Role) {
        // What it says is judged decoded.
        let text = match self.view.decode(value) {
            true => self.view.bytes(),
            false => value,
        };
        let kind = if role.secret.is_some_and(|strength| named::is_secret(text, strength)) {
            Kind::Named
        } else if role.account && email::is_account(text) {
            Kind::Account
        } else {
            return;
        };
        if self.policy.action(kind).is_some() {
            let detail = Detail::of(&self.policy, kind, text);
            if self.repeats.phase == Phase::Collect {
                self.repeats.note(kind, text);
                self.repeats.note(kind, value);
            }
            self.found.push(Found { finding: Finding::new(kind, 0..value.len()), detail });
        }
    }

    /// Asks the detectors about each candidate. Says whether the value is encoded in some way.
    #[inline]
    fn scan(&mut self, text: &[u8], candidates: &[u32], base: usize) -> bool {
        let mut encoded = false;
        self.jwt.begin();
        self.refusals = Default::default();
        // The prescan saw the neighbouring value before the first byte.
        if candidates.first().is_none_or(|&first| first as usize != base) && text.first().is_some_and(u8::is_ascii_alphanumeric) {
            self.look(text, 0, &mut encoded);
        }
        let mut covered = 0;
        for &candidate in candidates {
            let at = candidate as usize - base.min(candidate as usize);
            if at < covered {
                continue;
            }
            self.look(text, at, &mut encoded);
            covered = self.found.last().map_or(0, |found| found.finding.end);
        }
        if self.searches() {
            let (policy, found) = (&self.policy, &mut self.found);
            self.repeats.search(text, |kind, range| {
                let detail = Detail::of(policy, kind, text.get(range.clone()).unwrap_or_default());
                found.push(Found { finding: Finding::new(kind, range), detail });
            });
        }
        encoded
    }

    /// Looks at the value with its encodings taken off, one layer after the other.
    fn look_decoded(&mut self, value: &[u8]) {
        let mut view = std::mem::take(&mut self.view);
        let mut deeper = std::mem::take(&mut self.deeper);
        let mut candidates = std::mem::take(&mut self.decoded_candidates);
        if view.decode(value) {
            // What was found in the raw text must not cut an escape in two.
            for found in &mut self.found {
                let (start, end) = view.snap(found.finding.start, found.finding.end);
                (found.finding.start, found.finding.end) = (start, end);
            }
            self.found.retain(|found| found.finding.start < found.finding.end);
            for _ in 0..LAYERS_MAX {
                candidates.clear();
                prescan::candidates(view.bytes(), &mut candidates);
                let mut raw = std::mem::take(&mut self.found);
                let encoded = self.scan(view.bytes(), &candidates, 0);
                for found in &mut self.found {
                    let (start, end) = view.to_original(found.finding.start, found.finding.end);
                    (found.finding.start, found.finding.end) = (start, end);
                }
                raw.append(&mut self.found);
                self.found = raw;
                if !encoded || !deeper.decode_again(&view) {
                    break;
                }
                std::mem::swap(&mut view, &mut deeper);
            }
        }
        self.view = view;
        self.deeper = deeper;
        self.decoded_candidates = candidates;
    }

    /// Asks the detectors that a value could begin with at `at`, or whose mark stands there.
    fn look(&mut self, text: &[u8], at: usize, encoded: &mut bool) {
        let Some(byte) = detect::byte(text, at) else {
            return;
        };
        match byte {
            b'@' => self.look_at_sign(text, at),
            b'=' => {
                self.look_named(text, at);
            }
            b':' => {
                if !self.look_named(text, at) {
                    self.look_address(text, ip::find_v6(text, at));
                }
            }
            b'>' => {
                let [refusals, _] = &mut self.refusals;
                if self.policy.action(Kind::Named).is_some()
                    && let Some(range) = named::find_element(text, at, &self.names, refusals)
                {
                    self.add(Kind::Named, text, range.start, range.end);
                }
            }
            b'<' => {}
            b'%' | b'\\' | 0x80.. => *encoded |= views::is_encoded(text, at),
            b';' => *encoded |= views::ends_entity(text, at),
            b'0'..=b'9' => self.look_number(text, at),
            b'-' => {
                self.look_credential(text, at, byte);
            }
            _ => self.look_letter(text, at, byte),
        }
    }

    fn look_at_sign(&mut self, text: &[u8], at: usize) {
        if let Some(range) = userinfo::find(text, at) {
            self.add(Kind::Named, text, range.start, range.end);
        } else if let Some(range) = email::find_account(text, at, &self.policy.tenants)
            && self.policy.action(Kind::Account).is_some()
        {
            self.add(Kind::Account, text, range.start, range.end);
        } else if let Some(range) = email::find(text, at) {
            self.add(Kind::Email, text, range.start, range.end);
        }
    }

    fn look_named(&mut self, text: &[u8], at: usize) -> bool {
        // A detector that is off would read the same text again and again, since what it finds is not passed over.
        if self.policy.action(Kind::Named).is_none() {
            return false;
        }
        let [refusals, _] = &mut self.refusals;
        let found = named::find(text, at, &self.names, refusals);
        if let Some(range) = &found {
            self.add(Kind::Named, text, range.start, range.end);
        }
        found.is_some()
    }

    fn look_number(&mut self, text: &[u8], at: usize) {
        if let Some(range) = card::find(text, at) {
            self.add(Kind::Card, text, range.start, range.end);
        } else if let Some(range) = nir::find(text, at) {
            self.add(Kind::Nir, text, range.start, range.end);
        } else if let Some(range) = phone::find(text, at) {
            self.add(Kind::Phone, text, range.start, range.end);
        } else {
            self.look_address(text, ip::find_v4(text, at));
        }
    }

    fn look_credential(&mut self, text: &[u8], at: usize, byte: u8) -> bool {
        // One that is off may still be an address or whatever else begins here, and would not be passed over.
        let looks = self.policy.action(Kind::Credential).is_some() && credential::may_be(text, at, byte);
        let found = looks.then(|| credential::find(text, at, byte)).flatten();
        if let Some(range) = &found {
            self.add(Kind::Credential, text, range.start, range.end);
        }
        found.is_some()
    }

    fn look_letter(&mut self, text: &[u8], at: usize, byte: u8) {
        if self.look_credential(text, at, byte) {
            return;
        }
        let previous = detect::byte_before(text, at);
        let [_, refusals] = &mut self.refusals;
        let token = match byte {
            b'y' if previous == Some(b'e') => Some(at - 1),
            b'e' | b'I' => Some(at),
            _ => None,
        };
        if let Some(start) = token
            && self.policy.action(Kind::Jwt).is_some()
            && let Some(range) = jwt::find(text, start, &mut self.jwt)
        {
            self.add(Kind::Jwt, text, range.start, range.end);
        } else if matches!(byte, b'b' | b'B')
            && self.policy.action(Kind::Bearer).is_some()
            && let Some(range) = bearer::find(text, at, &mut self.decoded, refusals)
        {
            self.add(Kind::Bearer, text, range.start, range.end);
        } else if matches!(byte, b'a' | b'A' | b'b' | b'B')
            && previous == Some(b'2')
            && let Some(range) = nir::find_corsican(text, at)
        {
            self.add(Kind::Nir, text, range.start, range.end);
        } else if let Some(range) = iban::find(text, at) {
            self.add(Kind::Iban, text, range.start, range.end);
        }
    }

    fn look_address(&mut self, text: &[u8], found: Option<(std::ops::Range<usize>, std::net::IpAddr)>) {
        let Some((range, address)) = found else {
            return;
        };
        let Some(action) = self.policy.action(Kind::Ip) else {
            return;
        };
        if action.keep_private && !ip::is_public(address) {
            return;
        }
        let detail = match action.mode {
            // An address whose host part is clear already has nothing to lose.
            Mode::Truncate if ip::truncated(address) == address => return,
            Mode::Truncate => Detail::Address(address),
            _ => Detail::of(&self.policy, Kind::Ip, text.get(range.clone()).unwrap_or_default()),
        };
        self.found.push(Found { finding: Finding::new(Kind::Ip, range), detail });
    }

    fn add(&mut self, kind: Kind, text: &[u8], start: usize, end: usize) {
        if self.policy.action(kind).is_some() {
            let value = text.get(start..end).unwrap_or_default();
            if self.repeats.phase == Phase::Collect {
                self.repeats.note(kind, value);
            }
            self.found.push(Found { finding: Finding::new(kind, start..end), detail: Detail::of(&self.policy, kind, value) });
        }
    }
}

/// Whether a field or member of this name holds telephone numbers.
#[must_use]
pub fn is_phone_name(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 8] = [b"phone", b"tel", b"telephone", b"mobile", b"portable", b"msisdn", b"gsm", b"fax"];
    let ends_with = |word: &[u8]| {
        name.len().checked_sub(word.len()).and_then(|start| name.get(start..)).is_some_and(|tail| tail.eq_ignore_ascii_case(word))
    };
    let numbered = name.len() > 6 && (ends_with(b"number") || ends_with(b"numero"));
    NAMES.iter().any(|word| ends_with(word))
        || (numbered && name.to_ascii_lowercase().windows(3).any(|part| part == b"tel" || part == b"pho"))
}
