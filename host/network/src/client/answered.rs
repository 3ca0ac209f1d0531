//! What an answer of a server means for whoever runs the host: which options to look at.

use tamis_config::Text;

/// What a sink's options are called, as far as answers have to do with them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// Those that say who one is.
    pub(crate) credentials: &'static str,
    /// Why a server may refuse a request for what it holds, in half a sentence.
    pub(crate) refused: &'static str,
}

/// A status in words, and what to look at.
pub(crate) fn answered(who: &str, status: u16, words: Words) -> String {
    let Words { credentials, refused } = words;
    let advice = match status {
        300..=399 => "redirections are not followed: give the address that it names".to_owned(),
        400 | 422 => refused.to_owned(),
        401 | 407 => format!("it does not know who asks: look at {credentials}"),
        403 => format!("who asks may not do this: look at {credentials}, and at the rights that they have there"),
        404 | 405 | 410 => "nothing takes records there: look at the address and its path".to_owned(),
        411 | 415 => "it does not take the form of the request: look at `compression` and `format`".to_owned(),
        413 => "the request is too large for it: look at `batch.bytes`, and at its own limit".to_owned(),
        429 => "it wants fewer requests".to_owned(),
        _ => return format!("{who} answered {status}"),
    };
    format!("{who} answered {status}: {advice}")
}

/// An address as people may see it: without a user and a password, and without what follows its path, which may hold a token.
pub(crate) fn shown(address: &Text) -> String {
    let text = address.shown();
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = path.split_once("://") else {
        return path.rsplit_once('@').map_or(path, |(_, host)| host).to_owned();
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Several of them.
pub(crate) fn all_shown(addresses: &[Text]) -> String {
    addresses.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_what_to_look_at() {
        let words = Words { credentials: "`auth`", refused: "it does not take a record" };
        for (status, expected) in [
            (401, "the server answered 401: it does not know who asks: look at `auth`"),
            (403, "look at `auth`, and at the rights"),
            (404, "look at the address and its path"),
            (307, "redirections are not followed"),
            (400, "the server answered 400: it does not take a record"),
            (413, "`batch.bytes`"),
        ] {
            let told = answered("the server", status, words);
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(answered("the server", 503, words), "the server answered 503");
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        for (address, expected) in [
            ("http://h:8080/in", "http://h:8080/in"),
            ("https://user:pa%40ss@h/in?token=x#y", "https://h/in"),
            ("http://a@b@h", "http://h"),
            ("http://h/in@x", "http://h/in@x"),
            ("nats://u:p@h:4222", "nats://h:4222"),
            ("u:p@h:4222", "h:4222"),
            ("h:9092", "h:9092"),
        ] {
            assert_eq!(shown(&Text::from(address)), expected, "{address}");
        }
        assert_eq!(shown(&Text::interpolated("http://secret", "${URL}")), "${URL}");
        assert_eq!(all_shown(&[Text::from("a:1"), Text::from("b:2")]), "a:1, b:2");
    }
}
