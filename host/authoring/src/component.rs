//! From a core module to a component, and what a component imports.

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::Error;

/// What the names of all imports that a host provides begin with.
pub const CONTRACT: &str = "tamis:plugin/";

/// What the name of the interface that a plugin exports begins with; its version follows.
pub const TRANSFORM: &str = "tamis:plugin/transform@";

/// Makes a component of the core module of plugin `plugin`, as `cargo build` left it.
///
/// No adapter takes part: a module that imports anything but the contract is refused, so the component does not either.
///
/// # Errors
/// [`Error::Import`] names what is imported beyond the contract, [`Error::Component`] says what else is wrong.
pub fn encode(plugin: &str, module: &[u8]) -> Result<Vec<u8>, Error> {
    let wrong = |reason: String| Error::Component { plugin: plugin.to_owned(), reason };
    let imports = module_imports(module).map_err(|error| wrong(error.to_string()))?;
    only_contract(plugin, &imports)?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| wrong(format!("{error:#}. Does the crate call tamis_plugin::export!?")))?;
    check(plugin, &component, "put tamis_plugin::export!(YourPlugin); into the crate")?;
    Ok(component)
}

/// Checks a component that another language's tool made: it imports nothing but the contract and exports the plugin. `help` says what
/// to do where it does not.
///
/// # Errors
/// [`Error::Import`] or [`Error::Component`].
pub(crate) fn check(plugin: &str, component: &[u8], help: &str) -> Result<(), Error> {
    let wrong = |reason: String| Error::Component { plugin: plugin.to_owned(), reason };
    if !Parser::is_component(component) {
        return Err(wrong(format!("its tool left something that is no component. {help}")));
    }
    let (imports, exports) = interfaces(component).map_err(|error| wrong(error.to_string()))?;
    only_contract(plugin, &imports)?;
    if !exports.iter().any(|export| export.starts_with(TRANSFORM)) {
        return Err(wrong(format!("it exports no {TRANSFORM}…. {help}")));
    }
    Ok(())
}

/// The names of what a component imports, such as `tamis:plugin/log@0.1.0`.
///
/// # Errors
/// [`Error::Component`] for bytes that are not a component.
pub fn imports_of(plugin: &str, component: &[u8]) -> Result<Vec<String>, Error> {
    let wrong = |reason: String| Error::Component { plugin: plugin.to_owned(), reason };
    if !Parser::is_component(component) {
        return Err(wrong("expected a component, found other bytes (a core module is made into one by building it)".to_owned()));
    }
    interfaces(component).map(|(imports, _)| imports).map_err(|error| wrong(error.to_string()))
}

/// The version of the contract that a component was built for, by the `transform` that it exports.
///
/// # Errors
/// [`Error::Component`] for bytes that are not a component, or export none.
pub fn contract_of(plugin: &str, component: &[u8]) -> Result<String, Error> {
    let wrong = |reason: String| Error::Component { plugin: plugin.to_owned(), reason };
    let (_, exports) = interfaces(component).map_err(|error| wrong(error.to_string()))?;
    let version = exports.iter().find_map(|export| export.strip_prefix(TRANSFORM));
    version.map(str::to_owned).ok_or_else(|| wrong(format!("it exports no {TRANSFORM}…")))
}

/// The names of what a component exports.
///
/// # Errors
/// As [`imports_of`].
pub fn exports_of(plugin: &str, component: &[u8]) -> Result<Vec<String>, Error> {
    imports_of(plugin, component)?;
    let wrong = |reason: String| Error::Component { plugin: plugin.to_owned(), reason };
    interfaces(component).map(|(_, exports)| exports).map_err(|error| wrong(error.to_string()))
}

fn only_contract(plugin: &str, imports: &[String]) -> Result<(), Error> {
    match imports.iter().find(|import| !import.starts_with(CONTRACT)) {
        None => Ok(()),
        Some(import) => Err(Error::Import { plugin: plugin.to_owned(), import: import.clone() }),
    }
}

/// Each import of a core module as `module#name`.
fn module_imports(module: &[u8]) -> wasmparser::Result<Vec<String>> {
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                imports.push(format!("{}#{}", import.module, import.name));
            }
        }
    }
    Ok(imports)
}

/// The names of what a component imports and exports.
fn interfaces(component: &[u8]) -> wasmparser::Result<(Vec<String>, Vec<String>)> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    // Nested modules and components have imports of their own, which the outer one satisfies.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A core module that imports the function `module#name`, put together by hand.
    fn importing(module: &str, name: &str) -> Vec<u8> {
        let mut import = vec![1];
        for text in [module, name] {
            import.push(text.len() as u8);
            import.extend_from_slice(text.as_bytes());
        }
        import.extend_from_slice(&[0, 0]);
        let mut bytes = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02".to_vec();
        bytes.push(import.len() as u8);
        bytes.extend_from_slice(&import);
        bytes
    }

    #[test]
    fn an_import_beyond_the_contract_is_named() {
        let module = importing("wasi_snapshot_preview1", "clock_time_get");
        let error = encode("late", &module).expect_err("no clock");
        assert!(
            matches!(&error, Error::Import { plugin, import }
                if plugin == "late" && import == "wasi_snapshot_preview1#clock_time_get"),
            "{error}"
        );
    }

    #[test]
    fn a_module_that_exports_no_plugin_is_told_how() {
        let error = encode("empty", b"\0asm\x01\0\0\0").expect_err("no exports");
        assert!(error.to_string().contains("tamis_plugin::export!(YourPlugin)"), "{error}");
        let error = encode("broken", b"\0asm\x01\0\0\0\x01").expect_err("cut short");
        assert!(matches!(error, Error::Component { .. }), "{error}");
    }

    #[test]
    fn only_components_are_looked_into() {
        let error = imports_of("core", b"\0asm\x01\0\0\0").expect_err("a core module");
        assert!(error.to_string().contains("expected a component"), "{error}");
        assert!(imports_of("noise", b"noise").is_err());
    }
}
