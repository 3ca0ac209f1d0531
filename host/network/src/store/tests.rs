#![allow(clippy::unwrap_used)]

use super::encode::Columns;
use super::*;
use bytes::Bytes;
use object_store::memory::InMemory;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use tamis_config::{ObjectCompression, PathTemplate};
use tamis_nodes::sinks::Part;

fn part<'a>(lines: &'a str, offsets: &'a [u64]) -> Part<'a> {
    Part { lines: lines.as_bytes(), records: lines.lines().count(), pipeline: "p", source: "s", stream: "f", offsets }
}

/// A sink, and the store that it fills.
fn sink(form: Form) -> (ObjectSink, Arc<InMemory>) {
    let store = Arc::new(InMemory::new());
    let keys = Keys::new("out", Some(PathTemplate::parse("%{t}").unwrap()), None);
    (
        ObjectSink {
            store: Box::new(Arc::clone(&store)),
            keys,
            form,
            timeout: Some(Duration::from_secs(5)),
            unfinished: Unfinished::default(),
            address: String::new(),
        },
        store,
    )
}

fn parquet(schema: &[(&str, tamis_config::ColumnType)], compression: ObjectCompression, row_group: u32) -> ParquetFile {
    let schema = schema.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    ParquetFile::new(Columns { schema: &schema, rest: "_rest", known: &BTreeMap::new() }, compression, row_group)
}

/// All objects.
fn stored(store: &InMemory) -> BTreeMap<String, Bytes> {
    let runtime = runtime().unwrap();
    let keys = runtime.block_on(store.list_with_delimiter(Some(&"out".into()))).unwrap();
    let folders = keys.common_prefixes.into_iter().flat_map(|folder| {
        let list = runtime.block_on(store.list_with_delimiter(Some(&folder))).unwrap();
        list.objects.into_iter().map(|object| object.location)
    });
    let read = |path: Path| {
        let bytes = runtime.block_on(async { store.get_opts(&path, object_store::GetOptions::default()).await?.bytes().await });
        (path.to_string(), bytes.unwrap())
    };
    folders.collect::<Vec<_>>().into_iter().map(read).collect()
}

#[test]
fn an_object_for_each_key_and_equal_records_are_others() {
    for (compression, extension) in
        [(ObjectCompression::None, ".ndjson"), (ObjectCompression::Gzip, ".ndjson.gz"), (ObjectCompression::Zstd, ".ndjson.zst")]
    {
        let (sink, store) = sink(Form::Ndjson(NdjsonFile(compression)));
        let parts = [part("{\"t\":\"a\",\"n\":1}\n{\"t\":\"b/../c\"}\n", &[0, 10]), part("{\"t\":\"a\",\"n\":2}\n", &[20])];
        for _ in 0..2 {
            sink.deliver(&Batch::new(&parts)).unwrap();
        }
        let objects = stored(&store);
        assert_eq!(objects.len(), 4, "{objects:?}");
        let (first, bytes) = objects.first_key_value().unwrap();
        assert!(first.starts_with("out/a/") && first.ends_with(extension), "{first}");
        let mut text = String::new();
        match compression {
            ObjectCompression::Gzip => drop(flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap()),
            ObjectCompression::Zstd => text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap(),
            _ => text = String::from_utf8(bytes.to_vec()).unwrap(),
        }
        assert_eq!(text, "{\"t\":\"a\",\"n\":1}\n{\"t\":\"a\",\"n\":2}\n");
        assert!(objects.keys().any(|key| key.starts_with("out/b%2F..%2Fc/")), "{objects:?}");
    }
}

#[test]
fn columns_are_read_back_by_another_reader() {
    for compression in [ObjectCompression::None, ObjectCompression::Snappy, ObjectCompression::Zstd] {
        let file = parquet(&[], compression, 100);
        let lines: Vec<String> = (0..250)
            .map(|n| match n % 3 {
                0 => format!("{{\"n\":{n},\"s\":\"t{n}\",\"o\":[{n}]}}"),
                1 => format!("{{\"n\":{n},\"x\":{n}.5,\"b\":true}}"),
                _ => format!("{{\"s\":\"é\",\"x\":{n}}}"),
            })
            .collect();
        let origin = Origin { pipeline: "p", source: "s", stream: "f", offset: Some(0) };
        let rows: Vec<Row<'_>> = lines.iter().enumerate().map(|(place, line)| (place, line.as_bytes(), origin)).collect();
        let bytes = file.write(&rows, &mut Vec::new()).unwrap().unwrap();
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 3);
        assert_eq!(reader.metadata().file_metadata().created_by(), Some(concat!("tamis version ", env!("CARGO_PKG_VERSION"))));
        let read: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns()).collect();
        assert_eq!(read.len(), 250);
        for (n, row) in read.into_iter().enumerate() {
            let text = |text: String| Field::Str(text);
            let expected = match n % 3 {
                0 => [Field::Null, Field::Long(n as i64), text(format!("[{n}]")), text(format!("t{n}")), Field::Null],
                1 => [Field::Bool(true), Field::Long(n as i64), Field::Null, Field::Null, Field::Double(n as f64 + 0.5)],
                _ => [Field::Null, Field::Null, Field::Null, text("é".into()), Field::Double(n as f64)],
            };
            let names = ["b", "n", "o", "s", "x"].map(str::to_owned);
            assert_eq!(row, names.into_iter().zip(expected).collect::<Vec<_>>(), "row {n}");
        }
    }
}

#[test]
fn what_does_not_fit_a_schema_is_refused_and_all_else_is_stored() {
    let (sink, store) = sink(Form::Parquet(parquet(&[("n", tamis_config::ColumnType::Int)], ObjectCompression::Zstd, 100)));
    let lines = "{\"t\":\"a\",\"n\":1}\n{\"t\":\"a\",\"n\":\"2\"}\n7\n{\"t\":\"b\",\"n\":[]}\n{\"t\":\"a\",\"n\":3}\n";
    let Err(DeliveryError::Partly { refused, again, .. }) = sink.deliver(&Batch::new(&[part(lines, &[0, 1, 2, 3, 4])])) else { panic!() };
    assert_eq!(refused.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(refused[0].1.contains("`n` is to be a whole number") && again.is_empty(), "{refused:?}");
    let objects = stored(&store);
    assert_eq!(objects.len(), 1, "no file without a record: {objects:?}");
    // What was not refused comes to the same file when it comes alone, under a name of its own.
    sink.deliver(&Batch::new(&[part("{\"t\":\"a\",\"n\":1}\n{\"t\":\"a\",\"n\":3}\n", &[0, 4])])).unwrap();
    let both: Vec<_> = stored(&store).into_iter().collect();
    assert!(matches!(&both[..], [(one, first), (two, second)] if first == second && one[..38] == two[..38]), "{both:?}");
}

#[test]
fn a_folder_that_cannot_be_written_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "a file, no folder").unwrap();
    let store = object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_fsync(true);
    let keys = Keys::new("", Some(PathTemplate::parse("%{t}").unwrap()), None);
    let sink = ObjectSink {
        store: Box::new(store),
        keys,
        form: Form::Ndjson(NdjsonFile(ObjectCompression::None)),
        timeout: None,
        unfinished: Unfinished::default(),
        address: String::new(),
    };
    let deliver = || sink.deliver(&Batch::new(&[part("{\"t\":\"b\"}\n{\"t\":\"a\"}\n{\"t\":\"c\"}\n", &[0, 1, 2])]));
    let error = deliver().unwrap_err();
    assert!(matches!(&error, DeliveryError::Partly { again, refused, .. } if again == &[1] && refused.is_empty()), "{error:?}");
    std::fs::remove_file(folder.path().join("a")).unwrap();
    // As a sink tries again what is left.
    sink.deliver(&Batch::new(&[part("{\"t\":\"a\"}\n", &[1])])).unwrap();
    for key in ["a", "b", "c"] {
        let files: Vec<_> = std::fs::read_dir(folder.path().join(key)).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        assert_eq!(std::fs::read_to_string(&files[0]).unwrap(), format!("{{\"t\":\"{key}\"}}\n"));
    }
}

#[test]
fn what_is_tried_again_keeps_its_name() {
    let unfinished = Unfinished::default();
    let name = unfinished.take("out/a/0123");
    assert!(name.starts_with("0123-") && name.len() == 4 + 17, "{name}");
    unfinished.keep("out/a/0123".into(), name.clone());
    assert_eq!(unfinished.take("out/a/0123"), name);
    assert_ne!(unfinished.take("out/a/0123"), name, "equal records of another file, or of another host");
}
