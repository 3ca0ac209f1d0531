//! Writing numbers, identifiers and times into a record without going through `fmt`.

use fastrand::Rng;

/// 2026-03-02, a Monday, at 05:30 UTC, in days and microseconds of Unix time.
const START_DAY: u64 = 20_514;
const START_US: u64 = (START_DAY * 86_400 + 5 * 3_600 + 30 * 60) * 1_000_000;

/// Appends bytes.
#[inline]
pub(super) fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

/// Appends a number in decimal.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    digits(out, value, 1);
}

/// Appends a number in decimal, of at least `width` digits (at most 20).
pub(super) fn digits(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut used = 0;
    for place in buffer.iter_mut().rev() {
        if value == 0 && used >= width {
            break;
        }
        *place = b'0' + (value % 10) as u8;
        value /= 10;
        used += 1;
    }
    push(out, &buffer[buffer.len() - used..]);
}

/// Appends the lowest `count` hexadecimal digits of `value`.
pub(super) fn hexadecimal(out: &mut Vec<u8>, value: u64, count: u32) {
    out.extend((0..count).rev().map(|place| b"0123456789abcdef"[(value >> (place * 4) & 15) as usize]));
}

/// Appends a random UUID (version 4, RFC 9562).
pub(super) fn uuid(rng: &mut Rng, out: &mut Vec<u8>) {
    let (high, low) = (rng.u64(..) & !0xf000 | 0x4000, rng.u64(..) & !(3 << 62) | 1 << 63);
    hexadecimal(out, high >> 32, 8);
    for (value, count) in [(high >> 16, 4), (high, 4), (low >> 48, 4), (low, 12)] {
        out.push(b'-');
        hexadecimal(out, value, count);
    }
}

/// Appends `bytes` in the URL-safe base64 alphabet without padding (RFC 4648, section 5).
pub(super) fn base64url(out: &mut Vec<u8>, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, &byte| group << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        out.extend((0..=chunk.len() as u32).map(|place| ALPHABET[(group >> (18 - 6 * place) & 63) as usize]));
    }
}

/// A random time (or whatever else waits) of the given mean, exponentially distributed to within a few percent: the position
/// of the first bit set in a random word is geometric, the bits after it spread the values between two powers.
pub(super) fn exponential(rng: &mut Rng, mean: u64) -> u64 {
    let word = rng.u64(..) | 1;
    let zeros = word.leading_zeros();
    let fraction = word << zeros << 1 >> 48;
    // −log2 of the word as a fraction of 1, in 1/65,536; its mean is 1.5, or 98,304 of these.
    let logarithm = u64::from(zeros + 1) * 65_536 - fraction;
    mean * logarithm / 98_304
}

/// The time of the last record, and its date and second as text.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    now_us: u64,
    second: u64,
    text: Vec<u8>,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { now_us: START_US, second: 0, text: Vec::new() }
    }

    pub(super) fn advance(&mut self, by_us: u64) {
        self.now_us += by_us;
    }

    /// Milliseconds of Unix time.
    pub(super) const START_MS: u64 = START_US / 1_000;

    /// Appends the time as ISO 8601 in UTC with milliseconds.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        let second = self.now_us / 1_000_000;
        if second != self.second {
            self.second = second;
            self.text.clear();
            date_time(&mut self.text, second);
        }
        push(out, &self.text);
        push(out, b".");
        digits(out, self.now_us / 1_000 % 1_000, 3);
        push(out, b"Z");
    }
}

/// Appends `2026-03-02T05:30:00` for seconds of Unix time, by the calendar's 400-year cycle of 146,097 days.
fn date_time(out: &mut Vec<u8>, second: u64) {
    let mut day = second / 86_400;
    let mut year = 1970 + day / 146_097 * 400;
    day %= 146_097;
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let time = second % 86_400;
    for (value, width, after) in [(year, 4, b'-'), (month, 2, b'-'), (day + 1, 2, b'T'), (time / 3_600, 2, b':'), (time / 60 % 60, 2, b':')]
    {
        digits(out, value, width);
        out.push(after);
    }
    digits(out, time % 60, 2);
}
