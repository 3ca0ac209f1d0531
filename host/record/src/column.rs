//! Columns: the values of one field over the rows of a batch, in Arrow's layout.

use crate::Kind;

/// Values of varying length: value `i` is `bytes[offsets[i]..offsets[i + 1]]`. `offsets` has one entry more than there are values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarValues {
    /// Where values begin and end, ascending from 0.
    pub offsets: Vec<u32>,
    /// All values, one after the other.
    pub bytes: Vec<u8>,
}

impl Default for VarValues {
    fn default() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }
}

impl VarValues {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of row `i`; empty when there is none.
    #[inline]
    pub fn get(&self, i: usize) -> &[u8] {
        match (self.offsets.get(i), self.offsets.get(i + 1)) {
            (Some(&from), Some(&to)) => self.bytes.get(from as usize..to as usize).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.close();
    }

    /// Ends a value whose bytes were appended to `bytes`.
    #[inline]
    pub fn close(&mut self) {
        self.offsets.push(self.bytes.len() as u32);
    }

    /// Removes all values and keeps the memory.
    pub fn clear(&mut self) {
        self.offsets.clear();
        self.offsets.push(0);
        self.bytes.clear();
    }
}

/// Values of one kind. Every row has an entry; a row that is not present holds an empty, zero or false one.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// UTF-8.
    Text(VarValues),
    /// 64 bits with sign.
    Integer(Vec<i64>),
    /// 64-bit floats.
    Float(Vec<f64>),
    /// One byte a value, 0 or 1.
    Boolean(Vec<u8>),
    /// One JSON value each, as text.
    Json(VarValues),
}

impl Values {
    /// No values, of the given kind.
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Values::Text(VarValues::default()),
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Float => Values::Float(Vec::new()),
            Kind::Boolean => Values::Boolean(Vec::new()),
            Kind::Json => Values::Json(VarValues::default()),
        }
    }

    /// The kind of the values.
    pub fn kind(&self) -> Kind {
        match self {
            Values::Text(_) => Kind::Text,
            Values::Integer(_) => Kind::Integer,
            Values::Float(_) => Kind::Float,
            Values::Boolean(_) => Kind::Boolean,
            Values::Json(_) => Kind::Json,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Values::Text(v) | Values::Json(v) => v.len(),
            Values::Integer(v) => v.len(),
            Values::Float(v) => v.len(),
            Values::Boolean(v) => v.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all values and keeps the memory.
    pub fn clear(&mut self) {
        match self {
            Values::Text(v) | Values::Json(v) => v.clear(),
            Values::Integer(v) => v.clear(),
            Values::Float(v) => v.clear(),
            Values::Boolean(v) => v.clear(),
        }
    }

    /// Appends the empty entry of a row that is not present.
    #[inline]
    pub fn push_absent(&mut self) {
        match self {
            Values::Text(v) | Values::Json(v) => v.close(),
            Values::Integer(v) => v.push(0),
            Values::Float(v) => v.push(0.0),
            Values::Boolean(v) => v.push(0),
        }
    }
}

/// Values and which of them are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The values.
    pub values: Values,
    /// Bitmap, least significant bit first, 1 = present. `None`: every value is present.
    pub present: Option<Vec<u8>>,
}

impl Column {
    /// A column without rows.
    pub fn new(kind: Kind) -> Self {
        Self { values: Values::new(kind), present: None }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether row `i` holds a value.
    #[inline]
    pub fn is_present(&self, i: usize) -> bool {
        match &self.present {
            None => i < self.len(),
            Some(bits) => bits.get(i / 8).is_some_and(|b| b >> (i % 8) & 1 == 1),
        }
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.values.clear();
        self.present = None;
    }

    /// The text or JSON of row `i`, where the column holds such and the row is present.
    #[inline]
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        match &self.values {
            Values::Text(v) | Values::Json(v) if self.is_present(i) => Some(v.get(i)),
            _ => None,
        }
    }

    /// Bytes of memory the values take, without spare room.
    pub fn size(&self) -> usize {
        let values = match &self.values {
            Values::Text(v) | Values::Json(v) => v.bytes.len() + 4 * v.offsets.len(),
            Values::Integer(v) => 8 * v.len(),
            Values::Float(v) => 8 * v.len(),
            Values::Boolean(v) => v.len(),
        };
        values + self.present.as_ref().map_or(0, Vec::len)
    }

    /// A copy of the rows `from..to`.
    pub fn slice(&self, from: usize, to: usize) -> Column {
        self.pick(&(from..to).collect::<Vec<_>>())
    }

    /// A copy of the given rows, in their order; a row that is not there is not present.
    pub fn pick(&self, rows: &[usize]) -> Column {
        let var = |v: &VarValues| {
            let mut out = VarValues::default();
            rows.iter().for_each(|i| out.push(v.get(*i)));
            out
        };
        let values = match &self.values {
            Values::Text(v) => Values::Text(var(v)),
            Values::Json(v) => Values::Json(var(v)),
            Values::Integer(v) => Values::Integer(rows.iter().map(|i| v.get(*i).copied().unwrap_or(0)).collect()),
            Values::Float(v) => Values::Float(rows.iter().map(|i| v.get(*i).copied().unwrap_or(0.0)).collect()),
            Values::Boolean(v) => Values::Boolean(rows.iter().map(|i| v.get(*i).copied().unwrap_or(0)).collect()),
        };
        let mut bits = vec![0u8; rows.len().div_ceil(8)];
        for (to, _) in rows.iter().enumerate().filter(|(_, from)| self.is_present(**from)) {
            bits[to / 8] |= 1 << (to % 8);
        }
        let present = (self.present.is_some() || rows.iter().any(|i| *i >= self.len())).then_some(bits);
        Column { values, present }
    }
}

/// New values for one written field of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Index into the step's written fields.
    pub field: u32,
    /// The rows patched, strictly ascending; `None`: all rows in order.
    pub rows: Option<Vec<u32>>,
    /// One value a patched row; a value that is not present removes the field.
    pub column: Column,
}

/// A record that a step could not process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Row of the batch as the step saw it.
    pub row: u32,
    /// Why.
    pub reason: String,
}

/// What a step answers for a batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// One byte a row: see [`KEEP`] and [`DROP`]; a number in between is an output. `None`: keep all.
    pub verdicts: Option<Vec<u8>>,
    /// Changes of written fields, applied in this order.
    pub patches: Vec<Patch>,
    /// Rows that go to the dead letters.
    pub rejects: Vec<Reject>,
}

/// Verdict: the record stays on the way it is on.
pub const KEEP: u8 = 0;
/// Verdict: the record is dropped on purpose.
pub const DROP: u8 = 255;
/// Outputs a step may name: verdicts 1 to 254.
pub const OUTPUTS_MAX: usize = 254;
