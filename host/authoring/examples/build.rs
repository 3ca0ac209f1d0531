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
    match tamis_authoring::build(&folders, &out, &mut |message| eprintln!("{message}")) {
        Ok(built) => {
            for plugin in built {
                let state = if plugin.changed { "written" } else { "unchanged" };
                println!("{} {} bytes, {state}", plugin.path.display(), plugin.bytes);
                println!("  imports {}", plugin.imports.join(", "));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
