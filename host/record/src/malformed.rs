//! Why a text is not JSON.

/// Why a text is not a JSON value on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct Malformed {
    /// Offset in the record, in bytes from 0.
    pub at: u32,
    /// What was found or expected.
    pub reason: &'static str,
}

/// What is wrong, as one byte: a result that travels in a register keeps the scan's loop free of stalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    TextBehind,
    CommaOrBrace,
    CommaOrBracket,
    Name,
    Colon,
    StringEnd,
    Hex,
    Escape,
    Control,
    End,
    Value,
    Digit,
    Fraction,
    Exponent,
    Depth,
}

impl Wrong {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Wrong::TextBehind => "text behind the value",
            Wrong::CommaOrBrace => "`,` or `}` was expected",
            Wrong::CommaOrBracket => "`,` or `]` was expected",
            Wrong::Name => "a member's name in quotes was expected",
            Wrong::Colon => "`:` was expected",
            Wrong::StringEnd => "the string has no end",
            Wrong::Hex => "four hexadecimal digits were expected after `\\u`",
            Wrong::Escape => "an escape that JSON does not know",
            Wrong::Control => "a control character inside a string",
            Wrong::End => "the text ends where a value was expected",
            Wrong::Value => "a value was expected",
            Wrong::Digit => "a digit was expected",
            Wrong::Fraction => "a digit was expected after the decimal point",
            Wrong::Exponent => "a digit was expected in the exponent",
            Wrong::Depth => "nested too deeply",
        }
    }
}
