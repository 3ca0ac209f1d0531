//! The path template of a call: from a table of the API's resources, else by what its segments look like.
//!
//! See the README for the configuration.

pub mod segment;
pub mod templates;

use std::collections::BTreeMap;

use serde::Deserialize;
use tamis_plugin::{CaselessMap, Plugin, Reads, Text, Verdict, Writes, metrics};

use crate::segment::kind;
use crate::templates::{TEMPLATES_MAX, Template, Templates};

/// Segments looked at; what follows is written as `*`.
pub const SEGMENTS_MAX: usize = 32;
/// Longest template written, in bytes, and the least that may be configured.
pub const LENGTH_MAX: usize = 1024;
const LENGTH_MIN: usize = 16;
/// Longest name of an API with its version, in bytes.
const API_BYTES_MAX: usize = 256;

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// API, or API and version (`orders/v1`), to the templates of its resources.
    #[serde(default)]
    pub apis: BTreeMap<String, Vec<String>>,
    /// The field that holds the path.
    #[serde(default = "path_field")]
    pub from: String,
    /// The field that holds the API's name; read only if `apis` is given.
    #[serde(default = "api_field")]
    pub api: String,
    /// The field that holds its version; read only if `apis` is given.
    #[serde(default = "version_field")]
    pub version: String,
    /// The field that takes the template.
    #[serde(default = "resource_field")]
    pub to: String,
    /// Segments written before `*` stands for the rest.
    #[serde(default = "segments_max")]
    pub max_segments: usize,
    /// Bytes written before `*` stands for the rest.
    #[serde(default = "length_max")]
    pub max_length: usize,
}

fn path_field() -> String {
    "destination.url.path".to_owned()
}

fn api_field() -> String {
    "ApiName".to_owned()
}

fn version_field() -> String {
    "ApiVersion".to_owned()
}

fn resource_field() -> String {
    "resource".to_owned()
}

fn segments_max() -> usize {
    12
}

fn length_max() -> usize {
    256
}

/// What is read; the configuration gives the paths.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    from: Option<&'a [u8]>,
    api: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
}

/// What is written; the configuration gives the path.
#[derive(Debug, Writes)]
pub struct Out {
    #[field("to")]
    resource: Text,
}

/// The plugin.
#[derive(Debug)]
pub struct Resource {
    apis: CaselessMap<Templates>,
    config: Config,
    /// `api/version` of the record at hand.
    key: Vec<u8>,
    /// Its template.
    template: Vec<u8>,
    matched: u64,
    derived: u64,
}

impl Plugin for Resource {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        for (key, found, from, to) in
            [("max_segments", config.max_segments, 1, SEGMENTS_MAX), ("max_length", config.max_length, LENGTH_MIN, LENGTH_MAX)]
        {
            if !(from..=to).contains(&found) {
                return Err(format!("configuration key {key}: expected {from} to {to}, found {found}"));
            }
        }
        let total: usize = config.apis.values().map(Vec::len).sum();
        if total > TEMPLATES_MAX {
            return Err(format!("configuration key apis: expected at most {TEMPLATES_MAX} templates, found {total}"));
        }
        let mut apis = Vec::with_capacity(config.apis.len());
        for (api, list) in &config.apis {
            if api.trim().is_empty() || api.len() > API_BYTES_MAX || list.is_empty() {
                return Err(format!(
                    "configuration key apis.{api}: expected an API, or API/version, of up to {API_BYTES_MAX} bytes, with at least one template"
                ));
            }
            let mut templates = Templates::default();
            for (place, template) in list.iter().enumerate() {
                templates.add(template).map_err(|error| format!("configuration key apis.{api}[{place}]: {error}"))?;
            }
            apis.push((api.as_str(), templates));
        }
        Ok(Self { apis: CaselessMap::new(apis), config, key: Vec::new(), template: Vec::new(), matched: 0, derived: 0 })
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        match declared {
            "from" => Some(&self.config.from),
            "to" => Some(&self.config.to),
            "api" => (!self.apis.is_empty()).then_some(&self.config.api),
            _ => (!self.apis.is_empty()).then_some(&self.config.version),
        }
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        let Some(path) = row.from.map(path_of).filter(|path| !is_missing(path)) else {
            return Verdict::Keep;
        };
        let mut places: [&[u8]; SEGMENTS_MAX + 1] = [&[]; SEGMENTS_MAX + 1];
        let (segments, complete) = split(path, &mut places);
        // What was cut off cannot be matched.
        if complete && let Some(template) = templates(&self.apis, &mut self.key, &row).and_then(|known| find(known, segments, &row)) {
            self.matched += 1;
            out.resource.set(template);
            return Verdict::Keep;
        }
        self.derived += 1;
        self.derive(segments, complete);
        out.resource.set_bytes(&self.template);
        Verdict::Keep
    }

    fn batch_done(&mut self) {
        for (name, count) in [("matched", &mut self.matched), ("derived", &mut self.derived)] {
            let count = std::mem::take(count);
            if count > 0 {
                metrics::add(name, count);
            }
        }
    }
}

impl Resource {
    /// Writes the template that the segments' looks make: ASCII alone, since any other segment is a value.
    fn derive(&mut self, segments: &[&[u8]], complete: bool) {
        self.template.clear();
        let mut cut = !complete;
        for (place, segment) in segments.iter().enumerate() {
            let kind = kind(segment);
            let written = kind.placeholder().map_or(*segment, str::as_bytes);
            if place >= self.config.max_segments || self.template.len() + written.len() + "/".len() > self.config.max_length - "/*".len() {
                cut = true;
                break;
            }
            self.template.push(b'/');
            self.template.extend_from_slice(written);
        }
        if cut {
            self.template.extend_from_slice(b"/*");
        } else if self.template.is_empty() {
            self.template.push(b'/');
        }
    }
}

/// The templates of the record's API: those of its version, else those of the API.
#[inline]
fn templates<'t>(apis: &'t CaselessMap<Templates>, key: &mut Vec<u8>, row: &In<'_>) -> Option<&'t Templates> {
    if apis.is_empty() {
        return None;
    }
    let api = row.api?.trim_ascii();
    if let Some(version) = row.version.map(<[u8]>::trim_ascii)
        && api.len() + version.len() < API_BYTES_MAX
    {
        key.clear();
        key.extend_from_slice(api);
        key.push(b'/');
        key.extend_from_slice(version);
        if let Some(found) = apis.get(key) {
            return Some(found);
        }
    }
    apis.get(api)
}

/// The template for the path as it stands, or for what follows the version, the API's name, or both in either order, by
/// which gateways let a path begin: of these ways to read it, the one whose template says most.
fn find<'t>(templates: &'t Templates, segments: &[&[u8]], row: &In<'_>) -> Option<&'t str> {
    let mut best: Option<&Template> = None;
    let mut rest = segments;
    for begins in 0..3 {
        if begins > 0 {
            match rest {
                [first, after @ ..] if names(first, row.version) || names(first, row.api) => rest = after,
                _ => break,
            }
        }
        if let Some(found) = templates.find(rest)
            && best.is_none_or(|best| best.says <= found.says)
        {
            best = Some(found);
        }
    }
    best.map(|template| &*template.text)
}

fn names(segment: &[u8], name: Option<&[u8]>) -> bool {
    name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(segment))
}

/// The path alone: without scheme and host, query, fragment and blanks.
#[inline]
fn path_of(text: &[u8]) -> &[u8] {
    let mut path = text.trim_ascii();
    if let Some(end) = path.iter().position(|byte| matches!(byte, b'?' | b'#')) {
        path = path.get(..end).unwrap_or_default();
    }
    let scheme = path.iter().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'.' | b'-'));
    if let Some(end) = scheme.filter(|end| *end > 0)
        && let Some(host) = path.get(end..).and_then(|rest| rest.strip_prefix(b"://"))
    {
        let slash = host.iter().position(|byte| *byte == b'/').unwrap_or(host.len());
        path = host.get(slash..).filter(|rest| !rest.is_empty()).unwrap_or(b"/");
    }
    path
}

/// Whether a text stands for no path.
fn is_missing(text: &[u8]) -> bool {
    matches!(text, b"" | b"-") || text.eq_ignore_ascii_case(b"null")
}

/// The segments of a path without their parameters (`;jsessionid=…`), and whether these are all; empty ones are left out.
#[inline]
fn split<'p, 's>(path: &'p [u8], places: &'s mut [&'p [u8]; SEGMENTS_MAX + 1]) -> (&'s [&'p [u8]], bool) {
    let mut count = 0;
    for segment in path.split(|byte| *byte == b'/') {
        let segment = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        if segment.is_empty() {
            continue;
        }
        match places.get_mut(count) {
            Some(place) => *place = segment,
            None => break,
        }
        count += 1;
    }
    (places.get(..count.min(SEGMENTS_MAX)).unwrap_or_default(), count <= SEGMENTS_MAX)
}

tamis_plugin::export!(Resource);

#[cfg(test)]
mod tests;
