//! Builds plugins: `cargo run -p tamis-authoring --example build -- plugins/tenant plugins/drop --out target/plugins`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut folders = Vec::new();
    let mut out = PathBuf::from("target/plugins");
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument != "--out" {
            folders.push(PathBuf::from(argument));
        } else if let Some(folder) = arguments.next() {
            out = folder.into();
        } else {
            eprintln!("--out: expected a folder after it");
            return ExitCode::from(2);
        }
    }
    if folders.is_empty() {
        eprintln!("expected: build FOLDER… [--out FOLDER], where each FOLDER is a plugin's crate");
        return ExitCode::from(2);
    }
    let outcome = tamis_authoring::build(&folders, &out, None, &mut |message| eprintln!("{message}"));
    for plugin in &outcome.built {
        let state = if plugin.changed { "written" } else { "unchanged" };
        println!("{} {} bytes, {state}", plugin.path.display(), plugin.bytes);
        println!("  imports {}", plugin.imports.join(", "));
    }
    for error in &outcome.failed {
        eprintln!("{error}");
    }
    if outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
