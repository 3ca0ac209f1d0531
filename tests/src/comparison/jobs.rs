//! The four jobs of `samples/gateway`, configured by its file and done with the plugins' own tables and detectors.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use tamis_config::{Config, ProcessEnvironment};
use tamis_plugin::{CaselessMap, Json};
use tamis_plugin_drop::rule::Test;
use tamis_plugin_redact::engine::{Engine, Role};
use tamis_plugin_redact::json::record::{Outcome, Walker};
use tamis_plugin_redact::prescan;
use tamis_plugin_route::codes::{CLASSES, Codes};

/// The fields that the programs are written for.
const METHOD: &str = "destination.http.method";
const PATH: &str = "destination.url.path";
const MESSAGE: &str = "message";

/// What the four plugins of the sample are configured to do.
#[derive(Debug)]
pub struct Jobs {
    /// The tests that drop a record by its method.
    drop: Vec<Test>,
    /// Tenants by owner code.
    pub owners: CaselessMap<Label>,
    /// The redaction.
    pub redactor: Redactor,
    codes: Codes,
    /// The classes, and whether their records go to `errors`.
    pub classes: Vec<(Label, bool)>,
}

/// A text, also as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The text.
    pub text: String,
    /// The same in quotes.
    pub json: Vec<u8>,
}

impl Label {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), json: serde_json::Value::from(text).to_string().into_bytes() }
    }
}

impl Jobs {
    /// Reads the configuration of the sample's plugins.
    ///
    /// # Errors
    /// The file cannot be read, or asks for something that the comparison programs are not written for.
    pub fn load(file: &Path) -> Result<Self> {
        let (config, diagnostics) = Config::load(&[file.to_owned()], &ProcessEnvironment);
        let config = config.ok_or_else(|| anyhow!("`{}` is not sound: {diagnostics:?}", file.display()))?;
        let of = |name: &str| -> Result<String> {
            let plugin = config.plugins.get(name).with_context(|| format!("`{}` has no plugin `{name}`", file.display()))?;
            Ok(plugin.value.config.to_string())
        };

        let drop: tamis_plugin_drop::Config = read(&of("drop")?)?;
        ensure!(!drop.keep && drop.rules.iter().all(|rule| rule.field == METHOD), "`drop` has to drop by {METHOD} alone");
        let drop = drop.rules.iter().map(|rule| rule.test().map_err(|error| anyhow!(error))).collect::<Result<_>>()?;

        let tenant: tamis_plugin_tenant::Config = read(&of("tenant")?)?;
        ensure!(
            tenant.domains.is_empty() && tenant.default.is_none() && tenant.from == "ApiOwner" && tenant.to == "tenant",
            "`tenant` has to write `tenant` by ApiOwner alone"
        );
        let owners = CaselessMap::new(tenant.owners.iter().map(|(owner, tenant)| (owner.as_bytes(), Label::new(tenant))));

        let route: tamis_plugin_route::Config = read(&of("route")?)?;
        ensure!(
            route.codes.is_empty() && route.error_code == "ErrorCode" && route.status == "HTTP_ReturnCode" && route.to == "outcome",
            "`route` has to write `outcome` by ErrorCode and HTTP_ReturnCode alone"
        );
        let sent = |class: &str| {
            route.outputs.keys().any(|pattern| pattern.strip_suffix('*').map_or(pattern == class, |start| class.starts_with(start)))
        };
        let classes = CLASSES.iter().map(|class| (Label::new(class), sent(class))).collect();

        Ok(Self { drop, owners, redactor: Redactor::new(&of("redact")?)?, codes: Codes::default(), classes })
    }

    /// Whether a record with this method (JSON text, `None` for none) is dropped.
    #[inline]
    pub fn drops(&self, method: Option<&[u8]>) -> bool {
        self.drop.iter().any(|test| test.json(method))
    }

    /// As [`Jobs::drops`], for a method that is text.
    #[inline]
    pub fn drops_text(&self, method: Option<&str>) -> bool {
        self.drop.iter().any(|test| test.text(method.map(str::as_bytes)))
    }

    /// The class of a call, and whether it goes to `errors`, from two JSON texts.
    #[inline]
    pub fn classify(&self, error_code: Option<&[u8]>, status: Option<&[u8]>) -> Option<&(Label, bool)> {
        let integer = |json: Option<&[u8]>| json.and_then(|json| Json::from(json).integer());
        self.classes.get(self.codes.classify(integer(error_code), integer(status))?)
    }
}

fn read<T: serde::de::DeserializeOwned>(config: &str) -> Result<T> {
    tamis_plugin::config::parse(config).map_err(|error| anyhow!(error))
}

/// The detectors and the space they work in.
#[derive(Debug)]
pub struct Redactor {
    engine: Engine,
    walker: Walker,
    candidates: Vec<u32>,
    roles: [Role; 2],
}

/// A field that is redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redacted {
    /// `destination.url.path`
    Path,
    /// `message`
    Message,
}

impl Redactor {
    fn new(config: &str) -> Result<Self> {
        let config: tamis_plugin_redact::config::Config = read(config)?;
        let paths: Vec<&str> = config.fields.iter().map(|field| field.path.as_str()).collect();
        ensure!(paths == [PATH, MESSAGE] && config.accounts.fields.is_empty(), "`redact` has to look at {PATH} and {MESSAGE} alone");
        let engine = Engine::new(config.policy().map_err(|error| anyhow!(error))?, &config.names);
        let roles = [PATH, MESSAGE].map(|path| engine.role(path.as_bytes()));
        Ok(Self { engine, walker: Walker::default(), candidates: Vec::new(), roles })
    }

    /// Appends the JSON text `value` to `out` redacted, if something is found in it.
    ///
    /// # Errors
    /// The text is not JSON.
    #[inline]
    pub fn json(&mut self, field: Redacted, value: &[u8], out: &mut Vec<u8>) -> Result<Outcome> {
        self.candidates.clear();
        prescan::candidates(value, &mut self.candidates);
        // A plain string in which nothing could begin, as most are.
        if self.candidates.is_empty() && value.first() == Some(&b'"') && prescan::plain_end(value, 1) + 1 == value.len() {
            return Ok(Outcome::Untouched);
        }
        let role = self.roles[field as usize];
        let outcome = self.walker.redact(&mut self.engine, value, (&self.candidates, 0), role, out);
        outcome.map_err(|error| anyhow!("not JSON: expected {} at byte {}", error.expected, error.at))
    }

    /// `value` redacted, if something is found in it.
    pub fn text(&mut self, field: Redacted, value: &str) -> Option<String> {
        if !self.engine.inspect_alone(value.as_bytes(), self.roles[field as usize]) {
            return None;
        }
        let mut out = Vec::with_capacity(value.len());
        self.engine.rewrite(value.as_bytes(), &mut out);
        String::from_utf8(out).ok()
    }
}
