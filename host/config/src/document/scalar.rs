//! What a plain scalar is: YAML 1.2's core schema (<https://yaml.org/spec/1.2.2/>, section 10.3.2).

use std::sync::Arc;

use super::Value;

/// A whole number that fits neither `i64` nor `u64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfRange;

/// The value that a scalar without quotes stands for.
pub(crate) fn resolve(text: &Arc<str>) -> Result<Value, OutOfRange> {
    Ok(match &**text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        word => match number(word) {
            Some(value) => value?,
            None => Value::Text(Arc::clone(text)),
        },
    })
}

fn number(text: &str) -> Option<Result<Value, OutOfRange>> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            return Some(whole(i128::from_str_radix(digits, radix).ok()));
        }
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(Ok(Value::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY })));
    }
    let all_digits = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    if !unsigned.is_empty() && all_digits(unsigned) {
        return Some(whole(text.parse().ok()));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_float = all_digits(before)
        && all_digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits));
    is_float.then(|| text.parse().map(Value::Float).map_err(|_| OutOfRange))
}

fn whole(value: Option<i128>) -> Result<Value, OutOfRange> {
    match value {
        Some(value) if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value) => Ok(Value::Integer(value)),
        _ => Err(OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("null", Value::Null),
            ("nULL", Value::Text("nULL".into())),
            ("True", Value::Bool(true)),
            // YAML 1.1's booleans are text in 1.2.
            ("yes", Value::Text("yes".into())),
            ("off", Value::Text("off".into())),
            ("12", Value::Integer(12)),
            ("-0", Value::Integer(0)),
            ("+7", Value::Integer(7)),
            ("007", Value::Integer(7)),
            ("0o17", Value::Integer(15)),
            ("0xfF", Value::Integer(255)),
            ("0x", Value::Text("0x".into())),
            ("0x+1", Value::Text("0x+1".into())),
            ("18446744073709551615", Value::Integer(i128::from(u64::MAX))),
            ("-9223372036854775808", Value::Integer(i128::from(i64::MIN))),
            ("1.5", Value::Float(1.5)),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("-1e3", Value::Float(-1000.0)),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            (".", Value::Text(".".into())),
            ("-", Value::Text("-".into())),
            ("1e", Value::Text("1e".into())),
            ("e1", Value::Text("e1".into())),
            ("1.2.3", Value::Text("1.2.3".into())),
            ("1_000", Value::Text("1_000".into())),
            ("127.0.0.1:9480", Value::Text("127.0.0.1:9480".into())),
            ("infinity", Value::Text("infinity".into())),
        ] {
            assert_eq!(resolve(&Arc::from(text)), Ok(expected), "{text:?}");
        }
        assert!(matches!(resolve(&Arc::from(".nan")), Ok(Value::Float(value)) if value.is_nan()));
    }

    #[test]
    fn numbers_beyond_64_bits_are_refused() {
        for text in ["18446744073709551616", "-9223372036854775809", "0xffffffffffffffffffffffffffffffffffffffffff", &"9".repeat(400)] {
            assert_eq!(resolve(&Arc::from(text)), Err(OutOfRange), "{text}");
        }
    }
}
