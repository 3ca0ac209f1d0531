//! What can be found: one kind for each detector.

use std::ops::Range;

/// How many kinds there are.
pub const KINDS: usize = 11;

/// A kind of personal data or secret. The order is that of strength: where two findings touch, the text is masked as the
/// first of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A secret that follows its name: `client_secret=…`, `"password": "…"`, `Authorization: …`.
    Named,
    /// A token after `Bearer`, or credentials after `Basic`.
    Bearer,
    /// A JSON Web Token.
    Jwt,
    /// A key or token of a service that its form tells, or a private key.
    Credential,
    /// An account of the gateway, `user@tenant`.
    Account,
    /// A payment card's number.
    Card,
    /// An international bank account number.
    Iban,
    /// A French social security number (numéro d'inscription au répertoire).
    Nir,
    /// An e-mail address.
    Email,
    /// A French telephone number.
    Phone,
    /// An IP address.
    Ip,
}

impl Kind {
    /// Every kind, strongest first.
    pub const ALL: [Kind; KINDS] = [
        Kind::Named,
        Kind::Bearer,
        Kind::Jwt,
        Kind::Credential,
        Kind::Account,
        Kind::Card,
        Kind::Iban,
        Kind::Nir,
        Kind::Email,
        Kind::Phone,
        Kind::Ip,
    ];

    /// The name used in the configuration and, after `redacted_`, of the counter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Named => "named",
            Kind::Bearer => "bearer",
            Kind::Jwt => "jwt",
            Kind::Credential => "credential",
            Kind::Account => "account",
            Kind::Card => "card",
            Kind::Iban => "iban",
            Kind::Nir => "nir",
            Kind::Email => "email",
            Kind::Phone => "phone",
            Kind::Ip => "ip",
        }
    }

    /// The counter of this kind.
    #[must_use]
    pub const fn counter(self) -> &'static str {
        match self {
            Kind::Named => "redacted_named",
            Kind::Bearer => "redacted_bearer",
            Kind::Jwt => "redacted_jwt",
            Kind::Credential => "redacted_credential",
            Kind::Account => "redacted_account",
            Kind::Card => "redacted_card",
            Kind::Iban => "redacted_iban",
            Kind::Nir => "redacted_nir",
            Kind::Email => "redacted_email",
            Kind::Phone => "redacted_phone",
            Kind::Ip => "redacted_ip",
        }
    }

    /// What stands in the text instead, unless configured otherwise.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Named => "[secret]",
            Kind::Bearer => "[token]",
            Kind::Jwt => "[jwt]",
            Kind::Credential => "[credential]",
            Kind::Account => "[account]",
            Kind::Card => "[card]",
            Kind::Iban => "[iban]",
            Kind::Nir => "[nir]",
            Kind::Email => "[email]",
            Kind::Phone => "[phone]",
            Kind::Ip => "[ip]",
        }
    }

    /// The kind's place in a table of [`KINDS`] entries.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Something found: a kind and the bytes it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// First byte covered.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

impl Finding {
    /// A finding of `kind` over `range`.
    #[must_use]
    pub fn new(kind: Kind, range: Range<usize>) -> Self {
        Self { kind, start: range.start, end: range.end }
    }
}
