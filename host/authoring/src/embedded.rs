//! What the library carries with it for each language: the template of a new plugin and the SDK's sources. `build.rs` collects them.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A file that is carried along.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    /// Its path from its folder, parted by `/`.
    pub(crate) path: &'static str,
    /// What it holds.
    pub(crate) bytes: &'static [u8],
}

/// A language that a new plugin can be written in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Language {
    /// As `--lang` takes it.
    pub(crate) name: &'static str,
    /// A plugin that builds, with places for its name.
    pub(crate) template: &'static [File],
    /// The SDK as it stands alone.
    pub(crate) sdk: &'static [File],
}

/// The languages by name, in order.
pub(crate) fn languages() -> &'static [Language] {
    LANGUAGES
}

/// The language of that name.
pub(crate) fn language(name: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(files: &[File], path: &str) -> String {
        let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is not carried along"));
        String::from_utf8(file.bytes.to_vec()).expect("text")
    }

    #[test]
    fn rust_comes_with_an_sdk_that_stands_alone() {
        let rust = language("rust").expect("a language");
        let manifest = text(rust.sdk, "Cargo.toml");
        assert!(manifest.contains("\n[workspace]\n") && manifest.contains("tamis-plugin-derive = { path = \"derive\" }"), "{manifest}");
        assert_eq!(manifest.matches("path = ").count(), 1, "a path that leads out of the folder: {manifest}");
        assert!(text(rust.sdk, "src/contract.rs").contains("path: \"wit/tamis-plugin\""));
        assert!(text(rust.sdk, "wit/tamis-plugin/plugin.wit").starts_with("package tamis:plugin@"));
        assert!(text(rust.sdk, "LICENSE").contains("Apache License"));
        assert!(rust.sdk.iter().all(|file| !file.path.starts_with("tests/")));
    }

    #[test]
    fn nothing_carried_along_is_large_or_leads_out_of_its_folder() {
        for language in languages() {
            for files in [language.template, language.sdk] {
                assert!(files.iter().map(|file| file.bytes.len()).sum::<usize>() < 1 << 20, "{}: over 1 MiB", language.name);
                assert!(files.iter().all(|file| !file.path.starts_with('/') && !file.path.split('/').any(|part| part == "..")));
            }
        }
    }
}
