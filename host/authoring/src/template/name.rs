//! What a plugin may be called: its name is that of its folder, its package, its component and its place in a registry, so it has to
//! please cargo, npm, PyPI, OCI registries and the host's configuration.

use super::Error;

/// Characters that a name may have: what the host's configuration takes.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// Names that a language or its tools keep for themselves; a package of that name does not build.
const TAKEN: [&str; 91] = [
    // Rust: keywords, the crates of the compiler, and what the template depends on.
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "serde-json",
    "static",
    "std",
    "struct",
    "super",
    "tamis-plugin",
    "tamis-plugin-derive",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
    // Python: keywords, and modules that its packages import.
    "and",
    "assert",
    "class",
    "def",
    "del",
    "elif",
    "except",
    "finally",
    "from",
    "global",
    "import",
    "is",
    "json",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "tamis",
    "with",
    // npm, and folders of the template.
    "cases",
    "examples",
    "favicon",
    "node-modules",
    "src",
    "target",
    "tests",
    // Devices of Windows that a registry's mirror would stumble over.
    "aux",
    "con",
    "nul",
];

/// Whether a plugin may have this name.
pub(super) fn check(name: &str) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::Name { name: name.escape_debug().take(2 * NAME_CHARACTERS_MAX).collect(), reason });
    let characters = name.chars().count();
    if characters > NAME_CHARACTERS_MAX {
        return wrong(format!("it has {characters} characters"));
    }
    let Some(first) = name.chars().next() else {
        return wrong("it is empty".to_owned());
    };
    if let Some(other) = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return wrong(format!("it holds `{}`", other.escape_debug()));
    }
    if !first.is_ascii_lowercase() {
        return wrong(format!("it begins with `{first}`"));
    }
    if name.ends_with('-') || name.contains("--") {
        return wrong("a `-` stands at its end or beside another".to_owned());
    }
    if TAKEN.contains(&name) {
        return wrong("a language or its tools use the name themselves".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_every_tool_takes() {
        for name in ["a", "slow-calls", "tenant", "x9", "a-1-b", "z".repeat(64).as_str()] {
            check(name).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn names_that_some_tool_refuses() {
        for (name, reason) in [
            ("", "it is empty"),
            ("Slow", "it holds `S`"),
            ("slow_calls", "it holds `_`"),
            ("../up", "it holds `.`"),
            ("a/b", "it holds `/`"),
            ("9lives", "it begins with `9`"),
            ("-a", "it begins with `-`"),
            ("a-", "a `-` stands"),
            ("a--b", "a `-` stands"),
            ("é", "it holds `é`"),
            ("a\u{1b}[31m", "it holds `\\u{1b}`"),
            ("match", "use the name themselves"),
            ("serde-json", "use the name themselves"),
            ("z".repeat(65).as_str(), "65 characters"),
        ] {
            let error = check(name).expect_err(name).to_string();
            assert!(error.contains(reason) && !error.contains('\u{1b}'), "{name}: {error}");
            assert!(error.contains("begins with a letter"), "what a name may be is said: {error}");
        }
    }
}
