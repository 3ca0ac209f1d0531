//! Personal data and secrets in paths and messages, valid by their check digits, and values that only look like them. All of
//! them are made up: documentation domains, telephone numbers set aside for fiction, test ranges of cards, a bank and a
//! birthplace that do not exist.

use fastrand::Rng;

use super::catalog::pick;
use super::text::{Clock, base64url, digits, hexadecimal, number, push, uuid};

const FIRST_NAMES: [&[u8]; 12] =
    [b"jean", b"marie", b"luc", b"anne", b"pierre", b"chloe", b"hugo", b"lea", b"nadia", b"omar", b"ines", b"paul-henri"];
const LAST_NAMES: [&[u8]; 12] =
    [b"dupont", b"martin", b"lefevre", b"moreau", b"garnier", b"benali", b"rossi", b"nguyen", b"petit", b"roux", b"da-silva", b"leclerc"];
const DOMAINS: [&[u8]; 4] = [b"courriel.example", b"mail.example", b"entreprise.example", b"agence.region.example"];
/// Prefixes that the French regulator keeps for films and novels.
const PHONES: [&[u8; 6]; 6] = [b"063998", b"019900", b"026191", b"035301", b"046571", b"053649"];

/// Appends a query that tells who somebody is, or lets others pass for him.
pub(super) fn query(rng: &mut Rng, out: &mut Vec<u8>) {
    match rng.u8(..10) {
        0..3 => {
            push(out, b"email=");
            email(rng, out, b"@");
        }
        3..6 => {
            push(out, b"mail=");
            email(rng, out, b"%40");
            push(out, b"&lang=fr");
        }
        6..8 => {
            push(out, b"tel=");
            phone(rng, out, b"");
        }
        8 => {
            push(out, b"access_token=");
            token(rng, out);
            push(out, b"&format=json");
        }
        _ => {
            push(out, b"email=");
            email(rng, out, b"%40");
            push(out, b"&tel=%2B33");
            let start = out.len();
            phone(rng, out, b"");
            // The country's prefix stands for the first zero.
            out.remove(start);
        }
    }
}

/// Appends a message that quotes something of the kind.
pub(super) fn message(rng: &mut Rng, out: &mut Vec<u8>) {
    match rng.u8(..12) {
        0..2 => {
            push(out, b"Assertion accepted: ");
            jwt(rng, out);
        }
        2 => {
            push(out, b"Forwarded headers: [Authorization=Bearer ");
            token(rng, out);
            push(out, b", Accept=application/json]");
        }
        3 => {
            push(out, b"Back end answered 401 to Bearer ");
            token(rng, out);
            push(out, b", asked for another");
        }
        4..6 => {
            push(out, b"Transfer order for ");
            iban(rng, out);
            push(out, b" registered by the back end");
        }
        6..8 => {
            push(out, b"Payment refused for card ");
            card(rng, out);
            push(out, b", reason 05, asked for another means");
        }
        8 => {
            push(out, b"Beneficiary ");
            social_security_number(rng, out);
            push(out, b" not found in the registry, file closed");
        }
        9 => {
            push(out, b"Call back the sender on ");
            phone(rng, out, b" ");
            push(out, b" before the delivery is planned again");
        }
        _ => {
            push(out, b"Notice of receipt sent to ");
            email(rng, out, b"@");
            push(out, b" after the second attempt");
        }
    }
}

/// Appends a query whose values are nobody's.
pub(super) fn look_alike_query(rng: &mut Rng, out: &mut Vec<u8>) {
    match rng.u8(..4) {
        0 => {
            push(out, b"order=");
            wrong_card(rng, out);
        }
        1 => {
            push(out, b"since=");
            number(out, Clock::START_MS - rng.u64(..31_536_000_000));
        }
        2 => {
            push(out, b"request=");
            uuid(rng, out);
        }
        _ => {
            push(out, b"reference=");
            digits(out, rng.u64(1_000_000_000_000_000_000..2_000_000_000_000_000_000), 19);
        }
    }
}

/// Appends a message of the same sort.
pub(super) fn look_alike_message(rng: &mut Rng, out: &mut Vec<u8>) {
    match rng.u8(..4) {
        0 => {
            push(out, b"Shipment number ");
            wrong_card(rng, out);
            push(out, b" handed over to the carrier, see icon@2x.png");
        }
        1 => {
            push(out, b"Cache entry expires at ");
            number(out, Clock::START_MS + rng.u64(..86_400_000));
            push(out, b" for key ");
            uuid(rng, out);
        }
        2 => {
            push(out, b"Artefact FR76-");
            digits(out, rng.u64(..1_000_000_000_000), 12);
            push(out, b" deployed, version 06.12.34.56.78.90 kept");
        }
        _ => {
            push(out, b"Pattern password asked, code=900901, token: expired, from javax.mail@1a");
            hexadecimal(out, rng.u64(..), 6);
        }
    }
}

fn email(rng: &mut Rng, out: &mut Vec<u8>, at: &[u8]) {
    push(out, pick(rng, &FIRST_NAMES));
    push(out, b".");
    push(out, pick(rng, &LAST_NAMES));
    if rng.bool() {
        number(out, rng.u64(1..100));
    }
    push(out, at);
    push(out, pick(rng, &DOMAINS));
}

fn phone(rng: &mut Rng, out: &mut Vec<u8>, separator: &[u8]) {
    let mut written = pick(rng, &PHONES).to_vec();
    digits(&mut written, rng.u64(..10_000), 4);
    for (index, pair) in written.chunks(2).enumerate() {
        push(out, if index == 0 { b"" } else { separator });
        push(out, pair);
    }
}

/// An opaque access token.
fn token(rng: &mut Rng, out: &mut Vec<u8>) {
    let mut bytes = [0; 24];
    rng.fill(&mut bytes);
    base64url(out, &bytes);
}

/// A JSON Web Token (RFC 7519) with a signature that is noise.
fn jwt(rng: &mut Rng, out: &mut Vec<u8>) {
    let mut claims = b"{\"sub\":\"".to_vec();
    email(rng, &mut claims, b"@");
    push(&mut claims, b"\",\"exp\":");
    number(&mut claims, Clock::START_MS / 1_000 + 3_600);
    push(&mut claims, b"}");
    let mut signature = [0; 32];
    rng.fill(&mut signature);
    base64url(out, b"{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    push(out, b".");
    base64url(out, &claims);
    push(out, b".");
    base64url(out, &signature);
}

/// A French IBAN (ISO 13616) of bank 99999; the two check digits make the number 1 modulo 97.
fn iban(rng: &mut Rng, out: &mut Vec<u8>) {
    let (branch, account) = (rng.u64(..100_000), rng.u64(..100_000_000_000));
    // Bank, branch, account and national key 97 − (89 bank + 15 branch + 3 account) mod 97, then FR00 as 152700.
    let key = 97 - (89 * 99_999 + 15 * branch + 3 * account) % 97;
    let number = [(99_999, 100_000), (branch, 100_000), (account, 100_000_000_000), (key, 100), (152_700, 1_000_000)];
    let rest = number.iter().fold(0, |rest, &(part, scale)| (rest * (scale % 97) + part) % 97);
    let mut plain = b"FR".to_vec();
    for (part, width) in [(98 - rest, 2), (99_999, 5), (branch, 5), (account, 11), (key, 2)] {
        digits(&mut plain, part, width);
    }
    let grouped = rng.bool();
    for (index, group) in plain.chunks(4).enumerate() {
        push(out, if grouped && index > 0 { b" " } else { b"" });
        push(out, group);
    }
}

/// A card number of a test range with `Luhn`'s check digit (ISO/IEC 7812).
fn card(rng: &mut Rng, out: &mut Vec<u8>) {
    let mut number = pick(rng, &[b"411111", b"555555", b"222300"]).to_vec();
    digits(&mut number, rng.u64(..1_000_000_000), 9);
    number.push(b'0' + luhn(&number));
    let separator: &[u8] = pick(rng, &[b"", b" ", b"-"]);
    for (index, group) in number.chunks(4).enumerate() {
        push(out, if index == 0 { b"" } else { separator });
        push(out, group);
    }
}

/// Sixteen digits that begin like a card's and whose check digit is wrong.
fn wrong_card(rng: &mut Rng, out: &mut Vec<u8>) {
    let mut number = vec![b'4'];
    digits(&mut number, rng.u64(..100_000_000_000_000), 14);
    number.push(b'0' + (luhn(&number) + rng.u8(1..10)) % 10);
    push(out, &number);
}

/// The digit that completes `number`.
fn luhn(number: &[u8]) -> u8 {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            if place.is_multiple_of(2) { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

/// A French social security number of somebody born abroad, in country 999; key 97 − number mod 97.
fn social_security_number(rng: &mut Rng, out: &mut Vec<u8>) {
    let parts = [(rng.u64(1..3), 1), (rng.u64(40..100), 2), (rng.u64(1..13), 2), (99, 2), (999, 3), (rng.u64(1..1000), 3)];
    let number = parts.iter().fold(0, |number, &(part, width)| number * 10_u64.pow(width) + part);
    let separator: &[u8] = pick(rng, &[b"", b" "]);
    for (part, width) in parts {
        digits(out, part, width as usize);
        push(out, separator);
    }
    digits(out, 97 - number % 97, 2);
}
