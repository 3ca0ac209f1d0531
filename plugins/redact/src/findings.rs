//! What was found in one value: put in order, overlaps joined, and the value rewritten without it.

use std::net::IpAddr;

use crate::config::{Action, Mode, Policy};
use crate::detect::ip;
use crate::kind::{Finding, KINDS, Kind};

/// A finding and what its replacement needs to know of the value, which may have been decoded.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Kind and place in the original.
    pub finding: Finding,
    /// What the replacement is made of.
    pub detail: Detail,
}

/// What a replacement is made of beside the fixed text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// The keyed hash.
    Digest(u64),
    /// The address to truncate.
    Address(IpAddr),
    /// A card's last four digits.
    LastFour([u8; 4]),
}

impl Detail {
    /// What the replacement of `value`, found as `kind`, needs.
    #[must_use]
    pub fn of(policy: &Policy, kind: Kind, value: &[u8]) -> Self {
        let Some(action) = policy.action(kind) else {
            return Detail::None;
        };
        match (action.mode, &policy.key) {
            (Mode::Hash, Some(key)) => Detail::Digest(key.digest(canonical(kind, value))),
            (Mode::Mask, _) if action.keep_last_four => {
                let mut digits = value.iter().rev().copied().filter(u8::is_ascii_digit);
                let mut last = [b'*'; 4];
                for slot in last.iter_mut().rev() {
                    *slot = digits.next().unwrap_or(b'*');
                }
                Detail::LastFour(last)
            }
            _ => Detail::None,
        }
    }
}

/// The spelling that is hashed, so that one value written in two ways gives one hash: e-mail addresses and accounts in lower
/// case; numbers without separators, telephone numbers with their national `0`.
fn canonical(kind: Kind, value: &[u8]) -> impl Iterator<Item = u8> {
    let phone = kind == Kind::Phone;
    let number = matches!(kind, Kind::Card | Kind::Iban | Kind::Nir) || phone;
    let fold = number || matches!(kind, Kind::Email | Kind::Account);
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    // What is not one of the nine subscriber digits: `0`, `33`, `0033`, `33(0)`.
    let skip = if phone { digits.saturating_sub(9) } else { 0 };
    let prefix = phone.then_some(b'0');
    prefix.into_iter().chain(
        value
            .iter()
            .copied()
            .filter(move |byte| if phone { byte.is_ascii_digit() } else { !number || byte.is_ascii_alphanumeric() })
            .skip(skip)
            .map(move |byte| match fold {
                true => byte.to_ascii_lowercase(),
                false => byte,
            }),
    )
}

/// Puts the findings of one value in order and joins those that overlap: everything either covers goes, as the stronger kind.
pub fn settle(found: &mut Vec<Found>) {
    if found.len() < 2 {
        return;
    }
    found.sort_by_key(|found| (found.finding.start, usize::MAX - found.finding.end));
    found.dedup_by(|next, kept| {
        let overlaps = next.finding.start < kept.finding.end;
        if overlaps {
            kept.finding.end = kept.finding.end.max(next.finding.end);
            if next.finding.kind < kept.finding.kind {
                kept.finding.kind = next.finding.kind;
                kept.detail = next.detail;
            }
        }
        overlaps
    });
}

/// Appends `value` to `out` with its findings (settled) replaced, and counts them.
pub fn rewrite(value: &[u8], found: &[Found], policy: &Policy, counts: &mut [u64; KINDS], out: &mut Vec<u8>) {
    let mut copied = 0;
    for Found { finding, detail } in found {
        out.extend_from_slice(value.get(copied..finding.start).unwrap_or_default());
        if let Some(action) = policy.action(finding.kind) {
            replace(action, *detail, out);
        }
        if let Some(count) = counts.get_mut(finding.kind.index()) {
            *count += 1;
        }
        copied = finding.end;
    }
    out.extend_from_slice(value.get(copied..).unwrap_or_default());
}

fn replace(action: &Action, detail: Detail, out: &mut Vec<u8>) {
    match (action.mode, detail) {
        (Mode::Remove | Mode::Off, _) => {}
        (Mode::Hash, Detail::Digest(digest)) => {
            let digit = |shift: u32| b"0123456789abcdef"[(digest >> shift & 15) as usize];
            out.extend((0..16).rev().map(|index| digit(index * 4)));
        }
        (Mode::Truncate, Detail::Address(address)) => push_address(ip::truncated(address), out),
        // An address that came without its detail is masked rather than let through.
        (Mode::Mask | Mode::Hash | Mode::Truncate, detail) => {
            out.extend_from_slice(action.replacement.as_bytes());
            if let Detail::LastFour(digits) = detail {
                out.extend_from_slice(&digits);
            }
        }
    }
}

fn push_address(address: IpAddr, out: &mut Vec<u8>) {
    use std::io::Write as _;
    // Writing to a vector cannot fail.
    let _ = write!(out, "{address}");
}
