//! VRL conditions on single records, as `filter` evaluates them.

use std::sync::Arc;
use tamis_nodes::steps::{CompileError, Program, compile_filter};
use tamis_record::{Batch, Column, ColumnId, DROP, Fields, Records};

/// A compiled condition.
#[derive(Debug)]
pub struct Condition {
    program: Program,
    fields: Arc<Fields>,
    columns: Vec<ColumnId>,
}

/// What a condition says of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told, and why.
    Failed(String),
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line and column in `source`.
    pub fn new(source: &str) -> Result<Self, Vec<CompileError>> {
        let program = compile_filter(source)?;
        let mut fields = Fields::new();
        let columns = program.signature().reads.iter().map(|field| fields.read(&field.path, field.kind)).collect::<Result<_, _>>();
        let columns = columns.map_err(|error| vec![CompileError::whole(source, error.to_string())])?;
        Ok(Self { program, fields: Arc::new(fields), columns })
    }

    /// Whether it holds for a record.
    pub fn holds(&self, record: &[u8]) -> Verdict {
        let mut batch = Batch::new(Arc::clone(&self.fields));
        let mut faults = Vec::new();
        let Ok(end) = u32::try_from(record.len()) else { return Verdict::Failed("the record is too large".into()) };
        batch.load(Arc::new(Records { text: record.to_vec(), rows: vec![(0, end)] }), &mut faults);
        batch.prepare(&self.columns, &mut faults);
        if let Some(fault) = faults.first() {
            return Verdict::Failed(fault.reason.clone());
        }
        let columns: Vec<&Column> = self.columns.iter().map(|id| batch.column(*id)).collect();
        let outcome = self.program.instance().process(1, &columns);
        if let Some(reject) = outcome.rejects.first() {
            return Verdict::Failed(reject.reason.clone());
        }
        match outcome.verdicts.as_deref() {
            Some([DROP]) => Verdict::False,
            _ => Verdict::True,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_holds_or_not_or_fails() {
        let condition = Condition::new(".status >= 500").unwrap();
        assert_eq!(condition.holds(br#"{"status":503}"#), Verdict::True);
        assert_eq!(condition.holds(br#"{"status":200}"#), Verdict::False);
        assert!(matches!(condition.holds(br#"{"other":1}"#), Verdict::Failed(_)));
        assert!(matches!(condition.holds(b"{"), Verdict::Failed(_)));
        assert_eq!(Condition::new("true").unwrap().holds(b"{}"), Verdict::True);
        assert!(Condition::new(".status = 1").is_err());
    }
}
