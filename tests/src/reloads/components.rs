//! Plugins that take over from each other: versions of one plugin that stamp what they were, and versions of a shipped one.

use crate::harness::{Site, plugin, with_section};
use anyhow::{Context, Result};

/// The versions, each the stamp of its component; the two take turns.
pub const VERSIONS: [&str; 2] = ["1.2.0", "1.3.0"];

/// A component that writes `stamp VERSION` into the field `by`, and says that it is that version. `reads`: it asks to read
/// `AppliOwner` as well.
///
/// # Errors
/// When the text that it is made of cannot be read or is no component.
pub fn stamp(version: &str, reads: bool) -> Result<Vec<u8>> {
    let guests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let read = |name: &str| std::fs::read_to_string(guests.join(name)).with_context(|| name.to_owned());
    let text = format!("stamp {version}");
    let core = read("stamp.wat")?.replace("@TEXT@", &text).replace("@LENGTH@", &text.len().to_string());
    let core = core.replace("@READS@", if reads { "\\01" } else { "\\00" });
    let whole = read("component.wat")?.replace("@CORE@", &core).replace("@EXPORT@", "tamis:plugin/transform@0.1.0");
    let component = wat::parse_str(whole.replace("@IMPORTS@", "").replace("@WITH@", ""))?;
    Ok(with_section(&component, "version", Some(version.as_bytes())))
}

/// Writes the components of both versions into the site, and one that asks for more than it is granted.
///
/// # Errors
/// As [`stamp`].
pub fn write(site: &Site) -> Result<()> {
    let tenant = std::fs::read(plugin("tenant"))?;
    for version in VERSIONS {
        site.write(&format!("stamp-{version}.wasm"), stamp(version, false)?);
        site.write(&format!("tenant-{version}.wasm"), with_section(&tenant, "version", Some(version.as_bytes())));
    }
    site.write("stamp-greedy.wasm", stamp("1.4.0", true)?);
    site.write("stamp-damaged.wasm", "no component");
    Ok(())
}

/// The file of a component that only this generation has.
pub(super) fn fresh(generation: u64) -> String {
    format!("tenant-1.{generation}.0.wasm")
}

/// Writes it: the shipped one, as another version of it.
pub(super) fn write_fresh(site: &Site, generation: u64) -> Result<()> {
    let tenant = with_section(&std::fs::read(plugin("tenant"))?, "version", Some(format!("1.{generation}.0").as_bytes()));
    site.write(&fresh(generation), tenant);
    Ok(())
}
