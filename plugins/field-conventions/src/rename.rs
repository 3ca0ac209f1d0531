//! The plugin behind both conventions: columns in under one name, patches out under another.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::Deserialize;
use tamis_plugin::contract::types::{Column as Returned, Values as ReturnedValues, VarValues as ReturnedVarValues};
use tamis_plugin::{Batch, BatchPlugin, Column, Kind, Outcome, Patch, Signature, Values, config};

use crate::fields::From;
use crate::{Rule, Value, derive};

/// Fields that may be renamed beside the convention's.
pub const ALSO_MAX: usize = 64;

/// A table of fields and the names they take.
pub trait Convention: 'static {
    /// What becomes of each field.
    fn rules() -> &'static [Rule];
}

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The names that the records come with.
    pub from: From,
    /// Whether the fields stay under their old names as well.
    #[serde(default)]
    pub keep: bool,
    /// Whether a new name is one key with dots in it, instead of objects within each other.
    #[serde(default)]
    pub flat: bool,
    /// What the source's names begin with.
    #[serde(default)]
    pub prefix: String,
    /// Fields of the source that are left alone.
    #[serde(default)]
    pub except: Vec<String>,
    /// Further fields: path to new path.
    #[serde(default)]
    pub also: BTreeMap<String, String>,
}

/// One new field.
#[derive(Debug)]
struct Target {
    /// Columns that it may be made of; the first that is present counts.
    sources: Vec<usize>,
    value: Value,
    /// Its index in the signature's writes.
    field: u32,
}

/// The plugin for one convention.
#[derive(Debug)]
pub struct Rename<C> {
    columns: usize,
    /// Columns whose fields are removed, with the index in the signature's writes.
    removed: Vec<(usize, u32)>,
    targets: Vec<Target>,
    convention: PhantomData<C>,
}

/// What is read and written, while the configuration is gone through.
#[derive(Default)]
struct Plan {
    reads: Vec<String>,
    /// New paths with the columns they are made of.
    targets: Vec<(String, Vec<usize>, Value)>,
}

impl<C: Convention> BatchPlugin for Rename<C> {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let config: Config = config::parse(config)?;
        let plan = Plan::new(&config, C::rules())?;
        let field = |path: &String| tamis_plugin::Field { path: path.clone(), kind: Kind::Json };
        let mut writes: Vec<tamis_plugin::Field> = Vec::new();
        let mut removed = Vec::new();
        if !config.keep {
            for (column, path) in plan.reads.iter().enumerate() {
                removed.push((column, writes.len() as u32));
                writes.push(field(path));
            }
        }
        let mut targets = Vec::with_capacity(plan.targets.len());
        for (path, sources, value) in plan.targets {
            targets.push(Target { sources, value, field: writes.len() as u32 });
            writes.push(field(&path));
        }
        let reads = plan.reads.iter().map(field).collect();
        let signature = Signature { reads, writes, outputs: Vec::new(), drops: false };
        Ok((Self { columns: plan.reads.len(), removed, targets, convention: PhantomData }, signature))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
        if batch.columns.len() != self.columns {
            return Err(format!("expected {} columns, found {}", self.columns, batch.columns.len()));
        }
        let mut patches = Vec::with_capacity(self.removed.len() + self.targets.len());
        // An old name may lie on the way to a new one (`destination`, `destination.domain`): it makes room first.
        patches.extend(self.removed.iter().filter_map(|(column, field)| remove(batch, *column, *field)));
        patches.extend(self.targets.iter().filter_map(|target| target.patch(batch)));
        Ok(Outcome { verdicts: None, patches, rejects: Vec::new() })
    }
}

impl Plan {
    fn new(config: &Config, rules: &[Rule]) -> Result<Self, String> {
        let mut plan = Self::default();
        let mut left_alone = vec![false; config.except.len()];
        let flat = |path: &str| if config.flat { format!("\"{}\"", path.replace('"', "")) } else { path.to_owned() };
        for rule in rules {
            let mut sources = plan.sources(config, rule.field.paths(config.from), &mut left_alone);
            if rule.value == Value::EventOutcome && !sources.is_empty() {
                // A call that went well says so by its status alone.
                sources.extend(plan.sources(config, crate::Field::Status.paths(config.from), &mut left_alone));
            }
            if !sources.is_empty() {
                plan.targets.push((flat(rule.to), sources, rule.value));
            }
        }
        if let Some(unused) = left_alone.iter().position(|used| !used) {
            let known = plan.reads.join(", ");
            return Err(format!("configuration key except[{unused}]: the convention takes no such field; expected one of {known}"));
        }
        plan.also(config)?;
        if config.keep {
            // What stays as text cannot become an object as well.
            let on_the_way =
                |to: &str| plan.reads.iter().any(|from| to.strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('.')));
            plan.targets.retain(|(to, ..)| !on_the_way(to));
        }
        Ok(plan)
    }

    /// The columns of a field's paths, which are read from now on.
    fn sources(&mut self, config: &Config, paths: &[&str], left_alone: &mut [bool]) -> Vec<usize> {
        let mut sources = Vec::new();
        for path in paths {
            let path = format!("{}{path}", config.prefix);
            match config.except.iter().position(|except| *except == path) {
                Some(place) => left_alone.iter_mut().skip(place).take(1).for_each(|used| *used = true),
                None => sources.push(self.column(path)),
            }
        }
        sources
    }

    fn column(&mut self, path: String) -> usize {
        self.reads.iter().position(|known| *known == path).unwrap_or_else(|| {
            self.reads.push(path);
            self.reads.len() - 1
        })
    }

    /// Adds what the configuration renames itself.
    fn also(&mut self, config: &Config) -> Result<(), String> {
        if config.also.len() > ALSO_MAX {
            return Err(format!("configuration key also: expected at most {ALSO_MAX} fields, found {}", config.also.len()));
        }
        for (from, to) in &config.also {
            let wrong = |what: String| Err(format!("configuration key also.{from}: {what}"));
            if from.is_empty() || to.is_empty() || from == "." || to == "." {
                return wrong("expected the path of a field for each, found empty text or the whole record".to_owned());
            }
            if self.targets.iter().any(|(known, ..)| known == to) {
                return wrong(format!("`{to}` is a name that another field takes"));
            }
            let column = self.column(from.clone());
            self.targets.push((to.clone(), vec![column], Value::Same));
        }
        match self.targets.iter().find(|(to, ..)| self.reads.contains(to)) {
            Some((to, ..)) => Err(format!("configuration key also: `{to}` is read as an old name and written as a new one; use two steps")),
            None => Ok(()),
        }
    }
}

impl Target {
    /// The values of one batch.
    fn patch(&self, batch: &Batch<'_>) -> Option<Patch> {
        let columns: Vec<&Column<'_>> = self.sources.iter().filter_map(|column| batch.columns.get(*column)).collect();
        if let ([column], Value::Same) = (columns.as_slice(), self.value)
            && column.present.is_none()
            && let Values::Json(values) = column.values
        {
            // All of it, as it stands.
            let values = ReturnedVarValues { offsets: values.offsets.to_vec(), bytes: values.bytes.to_vec() };
            let column = Returned { values: ReturnedValues::Json(values), present: None };
            return Some(Patch { field: self.field, rows: None, column });
        }
        let mut rows = Vec::new();
        let mut values = ReturnedVarValues { offsets: vec![0], bytes: Vec::new() };
        for row in 0..batch.rows {
            let found = columns.iter().find_map(|column| column.bytes(row as usize));
            if found.is_some_and(|found| derive::append(self.value, found, &mut values.bytes)) {
                rows.push(row);
                values.offsets.push(u32::try_from(values.bytes.len()).unwrap_or(u32::MAX));
            }
        }
        let column = Returned { values: ReturnedValues::Json(values), present: None };
        (!rows.is_empty()).then_some(Patch { field: self.field, rows: Some(rows), column })
    }
}

/// Removes a field from the records that have it.
fn remove(batch: &Batch<'_>, column: usize, field: u32) -> Option<Patch> {
    let column = batch.columns.get(column)?;
    let rows: Vec<u32> = (0..batch.rows).filter(|row| column.is_present(*row as usize)).collect();
    let values = ReturnedVarValues { offsets: vec![0; rows.len() + 1], bytes: Vec::new() };
    let present = vec![0; rows.len().div_ceil(8)];
    let column = Returned { values: ReturnedValues::Json(values), present: Some(present) };
    (!rows.is_empty()).then_some(Patch { field, rows: Some(rows), column })
}

#[cfg(test)]
mod tests;
