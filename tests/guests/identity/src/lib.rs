//! Reads the text fields that its configuration names and changes nothing.

use serde::Deserialize;
use tamis_plugin::{Batch, BatchPlugin, Field, Kind, Outcome, Signature, config};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    reads: Vec<String>,
}

struct Identity;

impl BatchPlugin for Identity {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let config: Config = config::parse(config)?;
        let reads = config.reads.into_iter().map(|path| Field { path, kind: Kind::Text }).collect();
        Ok((Self, Signature { reads, writes: Vec::new(), outputs: Vec::new(), drops: false }))
    }

    fn process(&mut self, _: &Batch<'_>) -> Result<Outcome, String> {
        Ok(Outcome { verdicts: None, patches: Vec::new(), rejects: Vec::new() })
    }
}

tamis_plugin::export!(batch Identity);
