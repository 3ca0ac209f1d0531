//! The tokens that work: those of the configuration that runs, less those that files took away since.

use std::collections::BTreeMap;
use tamis_config::{AdminToken, Settings};

/// Who may use the admin API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens {
    /// By name.
    pub known: BTreeMap<String, AdminToken>,
    /// Whether one is needed, even where none is known: nobody is let in, then.
    pub needed: bool,
}

impl Tokens {
    /// Those of a configuration that is sound.
    pub fn of(settings: &Settings) -> Self {
        Self { known: settings.admin_tokens.clone(), needed: !settings.admin_tokens.is_empty() }
    }

    /// Those of a `kept` configuration, as far as the files of `now`, which are not sound, still give them: each with the lesser of the
    /// two roles. Once either of them has tokens, one is needed.
    pub fn still(kept: &BTreeMap<String, AdminToken>, now: &BTreeMap<String, AdminToken>) -> Self {
        let both = kept.iter().filter_map(|(name, token)| {
            let other = now.get(name).filter(|other| other.sha256 == token.sha256)?;
            Some((name.clone(), AdminToken { role: token.role.min(other.role), ..token.clone() }))
        });
        Self { known: both.collect(), needed: !kept.is_empty() || !now.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamis_config::{Role, TokenDigest};

    fn tokens(all: &[(&str, u8, Role)]) -> BTreeMap<String, AdminToken> {
        let token = |&(name, digest, role): &(&str, u8, Role)| (name.to_string(), AdminToken { sha256: TokenDigest([digest; 32]), role });
        all.iter().map(token).collect()
    }

    #[test]
    fn what_files_took_away_does_not_come_back() {
        let kept = tokens(&[("a", 1, Role::Operate), ("b", 2, Role::View), ("c", 3, Role::Tap), ("d", 4, Role::View)]);
        let now = tokens(&[("a", 1, Role::View), ("b", 2, Role::Operate), ("c", 9, Role::Tap), ("new", 5, Role::Operate)]);
        let still = tokens(&[("a", 1, Role::View), ("b", 2, Role::View)]);
        assert_eq!(Tokens::still(&kept, &now), Tokens { known: still, needed: true });
    }

    #[test]
    fn none_left_lets_nobody_in() {
        let some = tokens(&[("a", 1, Role::View)]);
        assert_eq!(Tokens::still(&some, &BTreeMap::new()), Tokens { known: BTreeMap::new(), needed: true });
        assert_eq!(Tokens::still(&BTreeMap::new(), &some), Tokens { known: BTreeMap::new(), needed: true });
        assert_eq!(Tokens::still(&BTreeMap::new(), &BTreeMap::new()), Tokens::default());
    }
}
