//! Why a plugin could not be built.

use std::path::PathBuf;

use tamis_config::FileError;

/// Why a plugin could not be built, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No compiler for guests is installed.
    #[error(
        "no compiler for WebAssembly guests: {found}\n\
         help: with rustup: rustup target add wasm32-unknown-unknown\n\
         help: on Debian:   apt-get install --no-install-recommends rustc-web rust-web-src"
    )]
    NoToolchain {
        /// What was looked at.
        found: String,
    },

    /// A program could not be started.
    #[error("could not start `{program}`: {source}; is it installed and in PATH?")]
    Start {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },

    /// Cargo could not tell what is in a folder.
    #[error("{}: expected the folder of a Rust crate: {reason}", folder.display())]
    NotACrate {
        /// The folder.
        folder: PathBuf,
        /// What cargo says.
        reason: String,
    },

    /// A crate that builds no plugin.
    #[error("{}: {reason}", folder.display())]
    NotAPlugin {
        /// The crate's folder.
        folder: PathBuf,
        /// What is missing.
        reason: String,
    },

    /// The compiler refused; it has said why.
    #[error("cargo build failed ({status}) in {}; its messages are above", workspace.display())]
    Compile {
        /// The workspace built.
        workspace: PathBuf,
        /// How cargo ended.
        status: String,
    },

    /// A program that a language's plugins are built with is not there.
    #[error("{}: expected `{tool}` in its node_modules, in one above it or in PATH, found none\nhelp: {install}", folder.display())]
    NoTool {
        /// The program.
        tool: &'static str,
        /// The plugin's folder.
        folder: PathBuf,
        /// The command that installs it.
        install: String,
    },

    /// A language's tool refused; it has said why.
    #[error("{tool} failed ({status}) in {}; its messages are above", folder.display())]
    Tool {
        /// The program.
        tool: &'static str,
        /// The plugin's folder.
        folder: PathBuf,
        /// How it ended.
        status: String,
    },

    /// The tool for Python is not installed.
    #[error(
        "no componentize-py, which builds plugins in Python: {found}\n\
         help: in the plugin's folder: python3 -m venv .venv && .venv/bin/pip install componentize-py=={version}"
    )]
    NoComponentizePy {
        /// What was looked at.
        found: String,
        /// The release to install.
        version: &'static str,
    },

    /// The tool for Python refused; it has said why.
    #[error("componentize-py failed ({status}) for {}; its messages are above", folder.display())]
    Componentize {
        /// The plugin's folder.
        folder: PathBuf,
        /// How it ended.
        status: String,
    },

    /// The plugin wants something that no host gives it.
    #[error(
        "plugin {plugin} imports `{import}`; expected nothing but tamis:plugin/*. A plugin has no clock, network, files or \
         environment: find the dependency that asks for it"
    )]
    Import {
        /// The plugin's name.
        plugin: String,
        /// The import.
        import: String,
    },

    /// The module does not fit the contract.
    #[error("plugin {plugin} cannot become a component: {reason}")]
    Component {
        /// The plugin's name.
        plugin: String,
        /// What is wrong.
        reason: String,
    },

    /// A manifest, or its lock file, says nothing that can be read.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },

    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
