//! Joins the outcomes of a batch's parts into one.

use crate::failure::{Cause, Failure};
use std::ops::Range;
use tamis_record::{Column, KEEP, Outcome, Patch, Reject, Values, VarValues};

/// The outcome under construction. Parts come in row order.
pub(crate) struct Merge {
    rows: u32,
    bytes: u64,
    bytes_max: u64,
    verdicts: Option<Vec<u8>>,
    patches: Vec<Patch>,
    /// Where the patches begin that may still grow.
    group: usize,
    rejects: Vec<Reject>,
}

impl Merge {
    /// For a batch of `rows` rows; the parts may take `bytes_max` bytes together, in any case less than 4 GiB (offsets
    /// are 32 bits wide).
    pub(crate) fn new(rows: u32, bytes_max: u64) -> Self {
        Self {
            rows,
            bytes: 0,
            bytes_max: bytes_max.min(u64::from(u32::MAX)),
            verdicts: None,
            patches: Vec::new(),
            group: 0,
            rejects: Vec::new(),
        }
    }

    /// Adds a checked outcome of the rows `range`; its row numbers count from the range's start.
    pub(crate) fn add(&mut self, range: Range<u32>, part: Outcome) -> Result<(), Failure> {
        let bytes = self.bytes.saturating_add(size(&part));
        if bytes > self.bytes_max {
            return Err(Failure::new(
                Cause::Memory,
                format!("the answers for the parts of the batch take more than {} bytes together", self.bytes_max),
            ));
        }
        self.bytes = bytes;
        if let Some(part) = &part.verdicts {
            let rows = self.rows as usize;
            let all = self.verdicts.get_or_insert_with(|| vec![KEEP; rows]);
            if let Some(own) = all.get_mut(range.start as usize..range.end as usize)
                && own.len() == part.len()
            {
                own.copy_from_slice(part);
            }
        }
        self.rejects.extend(part.rejects.into_iter().map(|r| Reject { row: range.start.saturating_add(r.row), reason: r.reason }));
        if !self.fits(&part.patches) {
            self.group = self.patches.len();
        }
        for patch in part.patches {
            let rows = match patch.rows {
                Some(rows) => rows.into_iter().map(|r| range.start.saturating_add(r)).collect(),
                None => range.clone().collect(),
            };
            self.append(Patch { field: patch.field, rows: Some(rows), column: patch.column });
        }
        Ok(())
    }

    /// Whether the patches can join the current group without changing their order among each other: patches are applied
    /// in order, and two fields may overlap (`a` and `a.b`).
    fn fits(&self, patches: &[Patch]) -> bool {
        let group = self.patches.get(self.group..).unwrap_or_default();
        let mut place = 0;
        for patch in patches {
            match group.iter().position(|g| g.field == patch.field) {
                Some(at) if at < place => return false,
                Some(at) => place = at,
                // A field that is new to the group goes to its end, and what follows it must too.
                None => place = group.len(),
            }
        }
        true
    }

    fn append(&mut self, patch: Patch) {
        let group = self.patches.get_mut(self.group..).unwrap_or_default();
        match group.iter_mut().find(|g| g.field == patch.field) {
            Some(own) => {
                let before = own.column.len();
                join(&mut own.column, before, patch.column);
                if let (Some(own), Some(rows)) = (&mut own.rows, patch.rows) {
                    own.extend(rows);
                }
            }
            None => self.patches.push(patch),
        }
    }

    /// The outcome; rows of no part keep.
    pub(crate) fn finish(self) -> Outcome {
        Outcome { verdicts: self.verdicts, patches: self.patches, rejects: self.rejects }
    }
}

/// Bytes an outcome takes, roughly.
fn size(outcome: &Outcome) -> u64 {
    let patches: usize = outcome.patches.iter().map(|p| p.column.size() + 4 * p.rows.as_ref().map_or(0, Vec::len)).sum();
    let rejects: usize = outcome.rejects.iter().map(|r| r.reason.len() + size_of::<Reject>()).sum();
    (patches + rejects + outcome.verdicts.as_ref().map_or(0, Vec::len)) as u64
}

/// Appends `other` to `column`, which has `before` values. Both are of one kind: the check saw to it.
fn join(column: &mut Column, before: usize, other: Column) {
    let added = other.len();
    if column.present.is_some() || other.present.is_some() {
        let mut bits = column.present.take().unwrap_or_else(|| vec![0xff; before.div_ceil(8)]);
        bits.resize((before + added).div_ceil(8), 0);
        for i in 0..added {
            let at = before + i;
            if let Some(byte) = bits.get_mut(at / 8) {
                let bit = 1 << (at % 8);
                *byte = if other.is_present(i) { *byte | bit } else { *byte & !bit };
            }
        }
        column.present = Some(bits);
    }
    match (&mut column.values, other.values) {
        (Values::Text(a), Values::Text(b)) | (Values::Json(a), Values::Json(b)) => join_var(a, &b),
        (Values::Integer(a), Values::Integer(b)) => a.extend(b),
        (Values::Float(a), Values::Float(b)) => a.extend(b),
        (Values::Boolean(a), Values::Boolean(b)) => a.extend(b),
        (a, b) => debug_assert!(false, "kinds {} and {} of one field", a.kind(), b.kind()),
    }
}

fn join_var(a: &mut VarValues, b: &VarValues) {
    // Bounded below 4 GiB by `bytes_max`.
    let base = a.bytes.len() as u32;
    a.offsets.extend(b.offsets.iter().skip(1).map(|o| base.saturating_add(*o)));
    a.bytes.extend_from_slice(&b.bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamis_record::Kind;

    fn patch(field: u32, values: &[Option<&str>]) -> Patch {
        let mut column = Column::new(Kind::Text);
        if let Values::Text(v) = &mut column.values {
            values.iter().for_each(|value| v.push(value.unwrap_or_default().as_bytes()));
        }
        if values.iter().any(Option::is_none) {
            let mut bits = vec![0; values.len().div_ceil(8)];
            for (i, _) in values.iter().enumerate().filter(|(_, v)| v.is_some()) {
                bits[i / 8] |= 1 << (i % 8);
            }
            column.present = Some(bits);
        }
        Patch { field, rows: None, column }
    }

    fn texts(patch: &Patch) -> Vec<Option<&str>> {
        (0..patch.column.len()).map(|i| patch.column.bytes(i).map(|b| std::str::from_utf8(b).unwrap())).collect()
    }

    #[test]
    fn presence_survives_where_only_one_part_has_it() {
        let mut merge = Merge::new(5, 1000);
        merge.add(0..2, Outcome { patches: vec![patch(0, &[Some("a"), Some("b")])], ..Outcome::default() }).unwrap();
        merge.add(3..5, Outcome { patches: vec![patch(0, &[None, Some("é")])], ..Outcome::default() }).unwrap();
        let outcome = merge.finish();
        assert_eq!(outcome.patches.len(), 1);
        assert_eq!(outcome.patches[0].rows.as_deref(), Some(&[0, 1, 3, 4][..]));
        assert_eq!(texts(&outcome.patches[0]), [Some("a"), Some("b"), None, Some("é")]);
    }

    #[test]
    fn the_order_of_overlapping_fields_is_kept() {
        let part = |fields: &[u32]| Outcome { patches: fields.iter().map(|f| patch(*f, &[Some("x")])).collect(), ..Outcome::default() };
        let order = |parts: &[&[u32]]| {
            let mut merge = Merge::new(9, 1000);
            for (i, fields) in (0u32..).zip(parts) {
                merge.add(i..i + 1, part(fields)).unwrap();
            }
            merge.finish().patches.iter().map(|p| (p.field, p.rows.clone().unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(order(&[&[0, 1], &[1], &[0, 1]]), [(0, vec![0, 2]), (1, vec![0, 1, 2])]);
        assert_eq!(order(&[&[0, 1], &[1, 0]]), [(0, vec![0]), (1, vec![0]), (1, vec![1]), (0, vec![1])]);
        // 2 is new to the group and must come before 0: a new group.
        assert_eq!(order(&[&[0], &[2, 0]]), [(0, vec![0]), (2, vec![1]), (0, vec![1])]);
        assert_eq!(order(&[&[0], &[0, 2]]), [(0, vec![0, 1]), (2, vec![1])]);
    }
}
