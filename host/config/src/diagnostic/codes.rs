//! The codes of this crate's diagnostics. A code keeps its meaning for ever; a retired one is not used again.

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: &str = $code;)*

        /// Every code of the configuration with its meaning, in ascending order.
        pub const CODES: &[(&str, &str)] = &[$(($code, $meaning)),*];
    };
}

codes! {
    UNREADABLE_FILE = "E001", "A configuration file or folder cannot be read.";
    FILE_TOO_LARGE = "E002", "A configuration file is larger than 4 MiB.";
    NOT_UTF8 = "E003", "A configuration file is not UTF-8 text.";
    BAD_YAML = "E004", "A configuration file is not well-formed YAML.";
    SEVERAL_DOCUMENTS = "E005", "A file holds more than one YAML document.";
    TOO_DEEP = "E006", "Values are nested deeper than 64 levels.";
    TOO_MUCH = "E007", "A file holds more than 200,000 values or 16 MiB of text once aliases and variables are filled in.";
    DUPLICATE_KEY = "E008", "A map holds the same key twice.";
    KEY_NOT_TEXT = "E009", "A key is a list, a map or an alias.";
    UNKNOWN_TAG = "E010", "A value has a YAML tag that is not one of the core schema's.";
    NUMBER_OUT_OF_RANGE = "E011", "A number does not fit 64 bits.";
    BAD_VERSION = "E012", "`version` is missing or is not one that this host reads.";
    UNKNOWN_KEY = "E013", "A key that nothing reads.";
    MISSING_KEY = "E014", "A required key is missing.";
    WRONG_TYPE = "E015", "A value of another type than expected.";
    BAD_VALUE = "E016", "A value of the right type that is not allowed here.";
    BAD_UNIT = "E017", "A size or a duration without a unit, or with an unknown one.";
    UNKNOWN_VARIANT = "E018", "A `type` or a word that does not exist.";
    BAD_NAME = "E019", "A name that is not made of letters, digits, `_` and `-`, or is longer than 64 characters.";
    BAD_PATH = "E020", "A field path that cannot be read.";
    DEFINED_TWICE = "E021", "The same name, or the settings, in two files.";
    NOT_SET = "E022", "An environment variable that is not set and has no default.";
    UNREADABLE_SECRET = "E023", "A file named by `${file:…}` that cannot be read, is not text or is larger than 64 KiB.";
    BAD_INTERPOLATION = "E024", "A `${` that is not closed, or with neither a variable's name nor `file:` behind it.";
    BAD_STEP = "E025", "A step that has none or several of `plugin`, `vrl`, `filter` and `route`.";
    EMPTY_FOLDER = "E026", "A configuration folder without `*.yaml` or `*.yml` files.";
    NOT_JSON = "E027", "A value that JSON cannot express (not a number, infinite).";
    NOT_TRUSTED = "E028", "A configuration in a registry that neither a digest nor a signature vouches for.";
    NO_BUNDLE = "E029", "A configuration in a registry that cannot be had, or is none.";
    REGISTRY_SILENT = "W001", "A registry could not be asked, or what it gave could not be kept; what is there serves.";
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn codes_are_unique_and_ascend() {
        assert!(CODES.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0)));
    }
}
