//! Prints how long a spool of 1 GiB takes to be filled, made durable, checked at a start and emptied, in the folder that is named:
//! `cargo run --release -p tamis-delivery --example spool -- [FOLDER]`. Default: the folder for temporary files.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis_delivery::disk::RealDisk;
use tamis_delivery::spool::{Spool, SpoolOptions};

/// Bytes that the spool may take.
const SPOOL_BYTES: u64 = 1 << 30;
/// Bytes of a large entry, and of a small one.
const ENTRY_BYTES: (usize, usize) = (64 << 10, 160);
const SMALL_ENTRIES: u32 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let temporary = tempfile::tempdir_in(parent)?;
    let folder = temporary.path().join("sink");
    let options = || SpoolOptions::new(SPOOL_BYTES);
    let (mut writer, reader, _) = Spool::open(Arc::new(RealDisk), &folder, options())?;
    let content: Vec<u8> = (0..ENTRY_BYTES.0).map(|at| (at * 31 % 251) as u8).collect();

    let begin = Instant::now();
    let mut entries = 0;
    while writer.append(&[&content]).is_ok() {
        entries += 1;
    }
    let appended = begin.elapsed();
    writer.sync()?;
    println!("{entries} entries of {} bytes appended in {appended:?}, durable after {:?}", ENTRY_BYTES.0, begin.elapsed());
    drop((writer, reader));

    let begin = Instant::now();
    let (mut writer, mut reader, recovery) = Spool::open(Arc::new(RealDisk), &folder, options())?;
    println!("{} entries checked in {:?}", recovery.pending, begin.elapsed());

    let begin = Instant::now();
    let mut buffer = Vec::new();
    while let Some(sequence) = reader.next_into(Duration::ZERO, &mut buffer)? {
        reader.acknowledge(sequence)?;
    }
    println!("read and acknowledged in {:?}", begin.elapsed());

    let begin = Instant::now();
    for _ in 0..SMALL_ENTRIES {
        writer.append(&[&content[..ENTRY_BYTES.1]])?;
    }
    println!("{SMALL_ENTRIES} entries of {} bytes appended in {:?}", ENTRY_BYTES.1, begin.elapsed());
    Ok(())
}
