//! `tamis plugin inspect`.

use super::component::{self, Component};
use super::options;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use tamis_authoring::inspect::Inspection;
use tamis_authoring::metadata::schema;
use tamis_config::escaped;
use tamis_sandbox::{Limits, Signature};

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The component, or the folder of the plugin, which is built first.
    #[arg(value_name = "FILE|FOLDER", default_value = ".")]
    plugin: PathBuf,
    /// The configuration to ask for the signature with (JSON or a file of it); else that of the metadata, or `{}`.
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,
    /// Print the plugin's reference page, as Markdown.
    #[arg(long, conflicts_with = "sbom")]
    docs: bool,
    /// Print what it is made of: the CycloneDX document that the build embedded.
    #[arg(long)]
    sbom: bool,
}

pub(crate) fn run(arguments: &Arguments, verb: &Inspect) -> anyhow::Result<Exit> {
    let given = verb.config.as_deref().map(options::config).transpose().and_then(|config| Ok((Component::find(&verb.plugin)?, config)));
    let (found, config) = match given {
        Ok(given) => given,
        Err(error) => {
            screen::tell(&format!("tamis: {}", escaped(&error)));
            return Ok(Exit::BadConfiguration);
        }
    };
    let inspection = match Inspection::of(&found.path, &found.bytes) {
        Ok(inspection) => inspection,
        Err(error) => {
            screen::tell(&format!("tamis: {}", escaped(&error.to_string())));
            return Ok(Exit::Failure);
        }
    };
    let mut out = std::io::stdout();
    if verb.sbom {
        let Some(document) = &inspection.metadata.sbom else {
            screen::tell(&format!(
                "tamis: {} does not say what it is made of; build it with `tamis plugin build`",
                screen::path(&found.path)
            ));
            return Ok(Exit::Failure);
        };
        // Parsed and written anew: what is not JSON is not printed.
        let document: serde_json::Value = match serde_json::from_str(document) {
            Ok(document) => document,
            Err(error) => {
                screen::tell(&format!("tamis: {}: its parts list is no JSON: {error}", screen::path(&found.path)));
                return Ok(Exit::Failure);
            }
        };
        writeln!(out, "{document:#}")?;
        return Ok(Exit::Success);
    }
    let about = inspection.metadata.about.as_ref();
    let config = config.or_else(|| Some(about?.example.config.to_string())).unwrap_or_else(|| "{}".to_owned());
    let signature = ask(&found, &config)?;
    let shown = signature.as_ref().map_err(String::as_str);
    if verb.docs {
        let name = Some(&inspection.metadata.name).filter(|name| !name.is_empty()).unwrap_or(&found.name);
        out.write_all(inspection.page(name, &config, shown).as_bytes())?;
    } else if arguments.output == Output::Json {
        writeln!(out, "{}", json(&found, &inspection, &config, shown))?;
    } else {
        out.write_all(text(&found, &inspection, &config, shown).as_bytes())?;
    }
    if let Err(reason) = &signature {
        screen::tell(&format!("tamis: {}", escaped(reason)));
        return Ok(Exit::Failure);
    }
    Ok(Exit::Success)
}

/// What the plugin answers to a configuration, or why it does not.
fn ask(found: &Component, config: &str) -> anyhow::Result<Result<Signature, String>> {
    let desk = component::desk(Limits::default())?;
    Ok(desk.load(&found.name, &found.bytes).map_err(|error| error.to_string()).and_then(|candidate| {
        candidate.plugin().signature(config).map_err(|failure| format!("it refuses the configuration {config}: {failure}"))
    }))
}

fn text(found: &Component, inspection: &Inspection, config: &str, signature: Result<&Signature, &str>) -> String {
    let metadata = &inspection.metadata;
    let about = metadata.about.as_ref();
    let mut lines: Vec<(&str, String)> = vec![
        ("file", found.path.display().to_string()),
        ("name", metadata.name.clone()),
        ("version", metadata.version.clone()),
        ("description", metadata.description.clone()),
        ("authors", metadata.authors.clone()),
        ("owner", about.and_then(|about| about.owner.clone()).unwrap_or_default()),
        ("licence", metadata.licenses.clone()),
        ("source", metadata.source.clone()),
        ("homepage", metadata.homepage.clone()),
        ("language", about.map(|about| about.language.clone()).unwrap_or_default()),
        ("SDK", about.and_then(|about| about.sdk.as_ref()).map(|sdk| format!("{} {}", sdk.name, sdk.version)).unwrap_or_default()),
        ("contract", inspection.contract.clone().unwrap_or_else(|| "none".to_owned())),
        ("built by", about.map(|about| format!("tamis {}", about.tamis)).unwrap_or_default()),
        ("size", format!("{} bytes", inspection.bytes)),
        ("digest", inspection.digest.clone()),
        (
            "signature file",
            inspection.minisig.as_ref().map_or_else(|| "none".to_owned(), |file| format!("{} (not verified)", file.display())),
        ),
        ("parts list", if metadata.sbom.is_some() { "CycloneDX (--sbom)".to_owned() } else { "none".to_owned() }),
        ("imports", inspection.imports.join(", ")),
        ("exports", inspection.exports.join(", ")),
        ("configuration", config.to_owned()),
    ];
    if let Ok(signature) = signature {
        let fields = |fields: &[tamis_record::Field]| {
            let list: Vec<String> = fields.iter().map(|field| format!("{} ({})", field.path, field.kind)).collect();
            if list.is_empty() { "nothing".to_owned() } else { list.join(", ") }
        };
        lines.push(("reads", fields(&signature.reads)));
        lines.push(("writes", fields(&signature.writes)));
        lines.push(("outputs", if signature.outputs.is_empty() { "the default one".to_owned() } else { signature.outputs.join(", ") }));
        lines.push(("drops", if signature.drops { "yes" } else { "no" }.to_owned()));
    }
    lines.retain(|(_, value)| !value.is_empty());
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    lines.iter().map(|(label, value)| format!("{label:width$}  {}\n", escaped(value))).collect()
}

fn json(found: &Component, inspection: &Inspection, config: &str, signature: Result<&Signature, &str>) -> serde_json::Value {
    let metadata = &inspection.metadata;
    let producers: Vec<_> = metadata
        .producers
        .iter()
        .map(|(field, name, version)| serde_json::json!({ "field": field, "name": name, "version": version }))
        .collect();
    serde_json::json!({
        "path": found.path,
        "bytes": inspection.bytes,
        "digest": inspection.digest,
        "contract": inspection.contract,
        "imports": inspection.imports,
        "exports": inspection.exports,
        "signature_file": inspection.minisig,
        "metadata": {
            "name": metadata.name,
            "version": metadata.version,
            "description": metadata.description,
            "authors": metadata.authors,
            "licenses": metadata.licenses,
            "source": metadata.source,
            "homepage": metadata.homepage,
            "producers": producers,
            "tamis:plugin": metadata.about,
        },
        "sbom": metadata.sbom.is_some(),
        "config": serde_json::from_str::<serde_json::Value>(config).unwrap_or_default(),
        "signature": signature.ok().map(schema),
        "refused": signature.err(),
    })
}
