//! The bytes of an object: lines, or Parquet's columns.

use super::Row;
use super::failure::Failure;
use super::table::{Column, Schema, Table, Values, derived};
use flate2::Compression as GzipLevel;
use flate2::write::GzEncoder;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use tamis_config::{ColumnType, ObjectCompression};

/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// Records one a line.
pub(super) struct NdjsonFile(pub(super) ObjectCompression);

impl NdjsonFile {
    pub(super) fn extension(&self) -> &'static str {
        match self.0 {
            ObjectCompression::Gzip => ".ndjson.gz",
            ObjectCompression::Zstd => ".ndjson.zst",
            ObjectCompression::None | ObjectCompression::Snappy => ".ndjson",
        }
    }

    /// The file of some records.
    pub(super) fn write(&self, rows: &[Row<'_>]) -> io::Result<Option<Vec<u8>>> {
        let bytes: usize = rows.iter().map(|(_, line, _)| line.len() + 1).sum();
        let written = match self.0 {
            ObjectCompression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), GzipLevel::default());
                lines(rows, &mut encoder)?;
                encoder.finish()?
            }
            ObjectCompression::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                encoder.set_pledged_src_size(Some(bytes as u64))?;
                lines(rows, &mut encoder)?;
                encoder.finish()?
            }
            ObjectCompression::None | ObjectCompression::Snappy => {
                let mut out = Vec::with_capacity(bytes);
                lines(rows, &mut out)?;
                out
            }
        };
        Ok(Some(written))
    }
}

fn lines(rows: &[Row<'_>], out: &mut impl Write) -> io::Result<()> {
    for (_, line, _) in rows {
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Records as columns.
pub(super) struct ParquetFile {
    schema: Option<Schema>,
    /// Without a schema, the types of fields that are known before any record is.
    known: BTreeMap<String, ColumnType>,
    properties: Arc<WriterProperties>,
    row_group: u32,
}

/// What is said of columns before any record is there.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) schema: &'a BTreeMap<String, ColumnType>,
    pub(super) rest: &'a str,
    pub(super) known: &'a BTreeMap<String, ColumnType>,
}

impl ParquetFile {
    pub(super) fn new(columns: Columns<'_>, compression: ObjectCompression, row_group: u32) -> Self {
        let compression = match compression {
            ObjectCompression::Snappy => Compression::SNAPPY,
            ObjectCompression::Zstd => ZstdLevel::try_new(ZSTD_LEVEL).map_or(Compression::UNCOMPRESSED, Compression::ZSTD),
            ObjectCompression::None | ObjectCompression::Gzip => Compression::UNCOMPRESSED,
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_created_by(concat!("tamis version ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let Columns { schema, rest, known } = columns;
        Self { schema: Schema::new(schema, rest), known: known.clone(), properties: Arc::new(properties), row_group }
    }

    /// The file of those records that fit; `None`: none does.
    pub(super) fn write(&self, rows: &[Row<'_>], refused: &mut Vec<(usize, String)>) -> Result<Option<Vec<u8>>, Failure> {
        let table = match &self.schema {
            Some(schema) => schema.table(rows, refused),
            None => derived(rows, &self.known, refused),
        };
        match table.rows {
            0 => Ok(None),
            _ => self.file(table).map(Some).map_err(|error| Failure::here(&error)),
        }
    }

    fn file(&self, table: Table) -> Result<Vec<u8>, ParquetError> {
        let types = table.columns.iter().map(column_type).collect::<Result<_, _>>()?;
        let message = Type::group_type_builder("record").with_fields(types).build()?;
        let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(message), Arc::clone(&self.properties))?;
        let (mut columns, mut from) = (table.columns.into_iter().map(Rest::new).collect::<Vec<_>>(), 0);
        while from < table.rows {
            let to = table.rows.min(from.saturating_add(self.row_group));
            let mut group = writer.next_row_group()?;
            for column in &mut columns {
                let Some(mut writer) = group.next_column()? else { break };
                column.write(from, to, &mut writer)?;
                writer.close()?;
            }
            group.close()?;
            from = to;
        }
        writer.into_inner()
    }
}

/// A column of which a part is written.
struct Rest {
    column: Column,
    /// Values that are.
    written: usize,
}

impl Rest {
    fn new(column: Column) -> Self {
        Self { column, written: 0 }
    }

    /// Writes the records from one to another.
    fn write(&mut self, from: u32, to: u32, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let rows = self.column.rows.get(self.written..).unwrap_or_default();
        let rows = rows.get(..rows.partition_point(|row| *row < to)).unwrap_or_default();
        // 1 where there is a value.
        let mut levels = vec![0_i16; (to - from) as usize];
        for row in rows {
            if let Some(level) = row.checked_sub(from).and_then(|at| levels.get_mut(at as usize)) {
                *level = 1;
            }
        }
        let range = self.written..self.written + rows.len();
        self.written = range.end;
        match &mut self.column.values {
            Values::Int(all) => put::<Int64Type>(writer, all.get(range), &levels),
            Values::Float(all) => put::<DoubleType>(writer, all.get(range), &levels),
            Values::Bool(all) => put::<BoolType>(writer, all.get(range), &levels),
            Values::Bytes(all) => {
                let bytes = all.get_mut(range).unwrap_or_default().iter_mut();
                let bytes: Vec<ByteArray> = bytes.map(|value| ByteArray::from(std::mem::take(value))).collect();
                put::<ByteArrayType>(writer, Some(&bytes), &levels)
            }
        }
    }
}

fn put<T: DataType>(writer: &mut SerializedColumnWriter<'_>, values: Option<&[T::T]>, levels: &[i16]) -> Result<(), ParquetError> {
    writer.typed::<T>().write_batch(values.unwrap_or_default(), Some(levels), None).map(drop)
}

fn column_type(column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.kind {
        ColumnType::String => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        ColumnType::Int => (Physical::INT64, None),
        ColumnType::Timestamp => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
        ColumnType::Float => (Physical::DOUBLE, None),
        ColumnType::Bool => (Physical::BOOLEAN, None),
    };
    let builder = Type::primitive_type_builder(&column.name, physical).with_repetition(Repetition::OPTIONAL);
    builder.with_logical_type(logical).build().map(Arc::new)
}
