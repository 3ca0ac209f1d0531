//! Compressed files.

use super::*;
use std::io::Read;

const BOTH: [(SinkCompression, &str); 2] = [(SinkCompression::Gzip, "a.ndjson.gz"), (SinkCompression::Zstd, "a.ndjson.zst")];

fn bench(compression: SinkCompression, name: &str) -> Bench {
    let mut bench = Bench::new(name);
    bench.config.compression = compression;
    bench
}

/// What any program reads from the file, which has to be sound to its end.
fn unpacked(compression: SinkCompression, packed: &[u8]) -> String {
    let mut text = String::new();
    match compression {
        SinkCompression::Gzip => flate2::bufread::MultiGzDecoder::new(packed).read_to_string(&mut text).unwrap(),
        _ => zstd::Decoder::with_buffer(packed).unwrap().read_to_string(&mut text).unwrap(),
    };
    text
}

#[test]
fn what_is_committed_can_be_read() {
    for (compression, name) in BOTH {
        let bench = bench(compression, name);
        let mut sink = bench.open();
        let mut all = String::new();
        for n in 0..20 {
            let text = line(n, 200);
            write(&mut sink, &text);
            all += &text;
            assert!(commit(&mut sink));
            assert_eq!(unpacked(compression, &std::fs::read(bench.path(name)).unwrap()), all);
        }
        assert!(!commit(&mut sink));
        drop(sink);
        let mut sink = bench.open();
        write(&mut sink, "{}\n");
        assert!(commit(&mut sink));
        assert_eq!(unpacked(compression, &std::fs::read(bench.path(name)).unwrap()), all + "{}\n");
    }
}

#[test]
fn a_file_cut_at_any_byte_is_repaired_and_appended_to() {
    for (compression, name) in BOTH {
        let bench = bench(compression, name);
        let mut sink = bench.open();
        let mut ends = vec![(0, 0)];
        for n in 0..3 {
            write(&mut sink, &line(n, 40));
            commit(&mut sink);
            ends.push((bench.path(name).metadata().unwrap().len() as usize, (n + 1) * 40));
        }
        drop(sink);
        let whole = std::fs::read(bench.path(name)).unwrap();
        let text = unpacked(compression, &whole);
        for cut in 0..=whole.len() {
            std::fs::write(bench.path(name), &whole[..cut]).unwrap();
            let mut sink = bench.open();
            write(&mut sink, "{}\n");
            commit(&mut sink);
            let kept = ends.iter().rev().find(|(end, _)| *end <= cut).unwrap().1;
            assert_eq!(
                unpacked(compression, &std::fs::read(bench.path(name)).unwrap()),
                format!("{}{{}}\n", &text[..kept]),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn what_is_held_back_is_bounded() {
    for (compression, _) in BOTH {
        let bench = bench(compression, "%{n}.ndjson");
        let mut sink = bench.open();
        let parcel: String = (0..1_000).map(|n| line(n % 3, 1_000)).collect();
        for _ in 0..12 {
            write(&mut sink, &parcel);
            assert!(sink.store.held_bytes() <= HELD_BYTES_MAX + 1_000, "{}", sink.store.held_bytes());
        }
        write(&mut sink, &line(1, 5_000_000));
        assert!(commit(&mut sink));
        assert_eq!(sink.store.held_bytes(), 0);
        let lengths =
            bench.names().iter().map(|name| unpacked(compression, &std::fs::read(bench.path(name)).unwrap()).len()).sum::<usize>();
        assert_eq!(lengths, 12_000_000 + 5_000_000);
    }
}

#[test]
fn compressed_files_are_rotated_at_members() {
    for (compression, name) in BOTH {
        let mut bench = Bench::rotating(name, Some(4_096), Some(Duration::from_secs(60)), None);
        bench.config.compression = compression;
        let mut sink = bench.open();
        let noise = || -> String { (0..3_000).map(|_| fastrand::alphanumeric()).collect() };
        let all: Vec<String> = (0..20).map(|_| format!("{{\"x\":\"{}\"}}\n", noise())).collect();
        for text in &all {
            write(&mut sink, text);
            bench.pass(1);
        }
        commit(&mut sink);
        let names = bench.names();
        assert!(names.len() >= 10 && names[0].starts_with("a-20250101T0000") && names[0].ends_with(&name[1..]), "{names:?}");
        let read: String = names.iter().map(|name| unpacked(compression, &std::fs::read(bench.path(name)).unwrap())).collect();
        assert!(read == all.concat());
        write(&mut sink, "{}\n");
        let before = bench.names().len();
        bench.pass(60);
        sink.tick().unwrap();
        assert_eq!(bench.names().len(), before + 1);
    }
}

#[test]
fn a_file_that_is_not_compressed_is_put_aside() {
    for (compression, name) in BOTH {
        let bench = bench(compression, name);
        std::fs::write(bench.path(name), "{\"plain\":1}\n").unwrap();
        let mut sink = bench.open();
        write(&mut sink, "{}\n");
        commit(&mut sink);
        let names = bench.names();
        assert_eq!(names.len(), 2);
        assert_eq!(bench.read(&names[0]), "{\"plain\":1}\n");
        assert_eq!(unpacked(compression, &std::fs::read(bench.path(name)).unwrap()), "{}\n");
    }
}
