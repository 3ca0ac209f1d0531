//! What a plugin is in a registry: the Wasm OCI artifact of the CNCF's runtime group
//! (<https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>), one layer with the component. The signature travels
//! as an annotation of the manifest, since tools expect exactly one layer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tamis_config::Digest;

use crate::component::Facts;
use crate::{Error, digest_of};

/// Media type of a manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of the configuration of a Wasm artifact.
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// Media type of its layer.
pub const WASM_TYPE: &str = "application/wasm";
/// The annotation that holds the signature, as `<file>.minisig` does.
pub const SIGNATURE_ANNOTATION: &str = "tamis.plugin.minisig";
/// Largest manifest that is read.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// A blob: its type, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// Free notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An OCI image manifest, as far as plugins need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    /// Notes on the plugin, and its signature.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// The layer of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The component's digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Manifest {
    /// A manifest of these parts.
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Self {
        Self { schema_version: 2, media_type: Some(MANIFEST_TYPE.to_owned()), config, layers, annotations }
    }

    /// Reads a manifest of whatever.
    pub(crate) fn read(what: &str, text: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(text).map_err(|_| Error::Manifest { what: what.to_owned() })
    }

    /// What describes the rest.
    pub(crate) fn config(&self) -> &Descriptor {
        &self.config
    }

    /// Reads a manifest and finds its one layer.
    ///
    /// # Errors
    /// [`Error::NotAPlugin`] with what was expected.
    pub fn parse(what: &str, text: &[u8]) -> Result<(Self, Layer), Error> {
        let wrong = |reason: String| Error::NotAPlugin { what: what.to_owned(), reason };
        let manifest = Self::read(what, text)?;
        let [layer] = manifest.layers.as_slice() else {
            return Err(wrong(format!("expected one layer, found {}", manifest.layers.len())));
        };
        if layer.media_type != WASM_TYPE {
            let found = crate::transport::shown(&layer.media_type);
            return Err(wrong(format!("expected a layer of type {WASM_TYPE}, found {found}")));
        }
        let digest = layer.digest.parse().map_err(|error| wrong(format!("its layer: {error}")))?;
        let bytes = layer.size;
        Ok((manifest, Layer { digest, bytes }))
    }

    /// The signature, if it has one.
    pub fn signature(&self) -> Option<&str> {
        self.annotations.get(SIGNATURE_ANNOTATION).map(String::as_str)
    }
}

/// A manifest and the configuration that it names, as bytes. The same component gives the same bytes, whenever it is pushed.
pub(crate) struct Built {
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
}

/// Makes the manifest of a component. `file` is the name under which other tools write it.
pub(crate) fn build(file: &str, component: &[u8], facts: &Facts, annotations: BTreeMap<String, String>) -> Result<Built, Error> {
    let wrong = |error: serde_json::Error| Error::NotAPlugin { what: file.to_owned(), reason: error.to_string() };
    let digest = digest_of(component);
    // A time would give each push another digest.
    let config = serde_json::json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [digest.as_str()],
        "component": { "exports": facts.exports, "imports": facts.imports },
    });
    let config = serde_json::to_vec(&config).map_err(wrong)?;
    let descriptor = |media_type: &str, bytes: &[u8], annotations| Descriptor {
        media_type: media_type.to_owned(),
        digest: digest_of(bytes).to_string(),
        size: bytes.len() as u64,
        annotations,
    };
    let title = BTreeMap::from([("org.opencontainers.image.title".to_owned(), file.to_owned())]);
    let layers = vec![descriptor(WASM_TYPE, component, title)];
    let manifest = Manifest::new(descriptor(CONFIG_TYPE, &config, BTreeMap::new()), layers, annotations);
    let manifest = serde_json::to_vec(&manifest).map_err(wrong)?;
    Ok(Built { config, manifest })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn built() -> Vec<u8> {
        build("a.wasm", b"wasm", &Facts::default(), BTreeMap::from([(SIGNATURE_ANNOTATION.into(), "s\n".into())])).unwrap().manifest
    }

    #[test]
    fn what_is_built_is_read_and_is_the_same_each_time() {
        let (manifest, layer) = Manifest::parse("a", &built()).unwrap();
        assert_eq!((layer.digest, layer.bytes, manifest.signature()), (digest_of(b"wasm"), 4, Some("s\n")));
        assert_eq!(built(), built());
    }

    #[test]
    fn what_is_no_plugin_is_told() {
        let text = String::from_utf8(built()).unwrap();
        for (changed, reason) in [
            (text.replace(WASM_TYPE, "application/x\\u001b[2J"), "expected a layer of type application/wasm"),
            (text.replace("sha256:", "sha512:"), "its layer"),
            (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), "expected an OCI image manifest"),
            ("{".to_owned(), "expected an OCI image manifest"),
        ] {
            let error = Manifest::parse("oci://r/a:1", changed.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains('\u{1b}'), "{error}");
        }
    }
}
