//! Why an object was not stored. What a store answers may quote keys, and keys hold values of records: only what is known to be
//! the store's own words is repeated.

use std::error::Error;
use std::fmt;

/// Why an object was not stored, for a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) kind: Kind,
}

/// What a failure says of other objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They cannot be stored now, either.
    Away,
    /// Nothing.
    This,
    /// A smaller one may be taken.
    TooLarge,
}

impl Failure {
    /// It did not get as far as the store.
    pub(super) fn here(error: &dyn fmt::Display) -> Self {
        Self { reason: format!("cannot make an object: {error}"), kind: Kind::This }
    }

    /// It took too long.
    pub(super) fn late() -> Self {
        Self { reason: "the store did not answer within the time".to_owned(), kind: Kind::Away }
    }

    /// What a store said.
    pub(super) fn of(error: &object_store::Error) -> Self {
        let text = error.to_string();
        let Some(status) = status(&text) else {
            // A folder may be in the way; a store that cannot be reached is out of reach for all.
            let is_local = !matches!(error, object_store::Error::Generic { store, .. } if *store != "LocalFileSystem");
            return Self { reason: deepest(error), kind: if is_local { Kind::This } else { Kind::Away } };
        };
        let code = code(&text);
        let (advice, kind) = match (status, code) {
            (413, _) | (_, "EntityTooLarge") => ("", Kind::TooLarge),
            (404, _) => (": is the bucket there, and `endpoint`, `region` and `path_style` those of its store?", Kind::This),
            (401 | 403, _) => (": do `access_key` and `secret_key` fit, and may they write to the bucket?", Kind::This),
            (408 | 429 | 500..=599, _) => ("", Kind::Away),
            _ => ("", Kind::This),
        };
        let space = if code.is_empty() { "" } else { " " };
        Self { reason: format!("the store answered {status}{space}{code}{advice}"), kind }
    }
}

/// The status of an answer, as the library tells it.
fn status(text: &str) -> Option<u16> {
    text.split_once("status code: ")?.1.get(..3)?.parse().ok()
}

/// S3's name for an error.
fn code(text: &str) -> &str {
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    match code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric()) {
        true => code,
        false => "",
    }
}

/// The innermost cause: that of the system, or of a connection.
fn deepest(error: &object_store::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: text.to_owned().into() }
    }

    #[test]
    fn what_a_store_says_without_what_it_quotes() {
        let answer = |status: u16, code: &str| {
            let body = format!("<Error><Code>{code}</Code><Key>tenant=hush</Key></Error>");
            generic(&format!(
                "Error performing PUT http://s3/b/tenant=hush in 1ms - Server returned non-2xx status code: {status} X: {body}"
            ))
        };
        for (status, code, expected, kind) in [
            (403, "SignatureDoesNotMatch", "the store answered 403 SignatureDoesNotMatch: do `access_key`", Kind::This),
            (404, "NoSuchBucket", "the store answered 404 NoSuchBucket: is the bucket there", Kind::This),
            (503, "SlowDown", "the store answered 503 SlowDown", Kind::Away),
            (400, "tenant=hush", "the store answered 400", Kind::This),
            (400, "EntityTooLarge", "the store answered 400 EntityTooLarge", Kind::TooLarge),
            (413, "", "the store answered 413", Kind::TooLarge),
        ] {
            let failure = Failure::of(&answer(status, code));
            assert!(failure.reason.starts_with(expected) && !failure.reason.contains("hush"), "{failure:?}");
            assert_eq!(failure.kind, kind, "{failure:?}");
        }
        assert_eq!(Failure::of(&generic("no route")), Failure { reason: "no route".into(), kind: Kind::Away });
    }
}
