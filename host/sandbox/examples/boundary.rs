//! What crossing the boundary costs: a plugin that reads three text fields of 20 bytes and keeps every record, batches of
//! 1,024 rows. `cargo run --release -p tamis-sandbox --example boundary [plugin.wasm config.json]`

use std::error::Error;
use std::time::{Duration, Instant};
use tamis_record::{Column, Kind, Values};
use tamis_sandbox::{Limits, Plugin, Sandbox, SandboxOptions, Signature, Step};

const ROWS: u32 = 1024;
const CALLS: u32 = 5_000;
const TEXT_BYTES: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let cache = tempfile::tempdir()?;
    let options = SandboxOptions { cache_dir: Some(cache.path().join("cache")), ..SandboxOptions::default() };
    let mut args = std::env::args().skip(1);
    let (wasm, config) = match args.next() {
        Some(path) => (std::fs::read(path)?, args.next().unwrap_or_else(|| "{}".to_owned())),
        None => (by_hand()?, "{}".to_owned()),
    };
    let mut plugin = None;
    for _ in 0..2 {
        let started = Instant::now();
        let sandbox = Sandbox::new(options.clone())?;
        let built = started.elapsed();
        let loaded = sandbox.load("boundary", &wasm, &Limits::default())?;
        println!("sandbox ({}): {built:?}, load: {:?}, cached: {}", sandbox.allocator(), started.elapsed() - built, loaded.cached());
        plugin = Some(loaded);
    }
    let plugin = plugin.ok_or("no plugin")?;
    let signature = plugin.signature(&config)?;
    measure(&plugin, &config, signature)
}

/// A guest by hand that reads `m`, `a` and `ma`. Its allocator only moves a mark, so what is measured is the host's share.
fn by_hand() -> Result<Vec<u8>, Box<dyn Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests");
    let read = |name: &str| std::fs::read_to_string(format!("{folder}/{name}"));
    let base = read("lies/base.wat")?.replace("@PAGES@", "16").replace(
        r#""\00\00\00\00" "\80\00\00\00" "\01\00\00\00" "\8c\00\00\00" "\01\00\00\00""#,
        r#""\00\00\00\00" "\80\00\00\00" "\03\00\00\00" "\00\00\00\00" "\00\00\00\00""#,
    );
    let fields = r#"(data (i32.const 128) "\00\00\00\00\01\00\00\00\00\00\00\00" "\01\00\00\00\01\00\00\00\00\00\00\00" "\00\00\00\00\02\00\00\00\00\00\00\00")"#;
    let core = format!("{base}\n{fields}\n{}", read("lies/sound.wat")?);
    let text = read("component.wat")?.replace("@CORE@", &core).replace("@EXPORT@", "tamis:plugin/transform@0.1.0");
    Ok(wat::parse_str(text.replace("@IMPORTS@", "").replace("@WITH@", ""))?)
}

fn measure(plugin: &Plugin, config: &str, signature: Signature) -> Result<(), Box<dyn Error>> {
    let columns: Vec<Column> = signature.reads.iter().map(|field| column(field.kind)).collect();
    let columns: Vec<&Column> = columns.iter().collect();
    let bytes: usize = columns.iter().map(|c| c.size()).sum();
    let mut instances = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        drop(plugin.instantiate(config, &signature)?);
        instances.push(started.elapsed());
    }
    instances.sort();
    let mut step = Step::new(plugin.clone(), config, signature.into());
    step.warm()?;
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let started = Instant::now();
        for _ in 0..CALLS {
            let result = step.process(ROWS, &columns);
            if let Some((row, failure)) = result.poisoned.first() {
                return Err(format!("row {row}: {failure}").into());
            }
        }
        best = best.min(started.elapsed());
    }
    let call = best / CALLS;
    let row = best.as_secs_f64() * 1e9 / f64::from(CALLS) / f64::from(ROWS);
    println!(
        "{} fields, {ROWS} rows, {bytes} bytes a batch: {call:?} a call, {row:.2} ns a row, median instance {:?}, {} bytes of memory",
        columns.len(),
        instances[10],
        step.memory_bytes()
    );
    let mut step = Step::new(step.plugin().clone(), config, step.signature().clone());
    let empty: Vec<Column> = columns.iter().map(|c| c.slice(0, 1)).collect();
    let empty: Vec<&Column> = empty.iter().collect();
    step.warm()?;
    let started = Instant::now();
    for _ in 0..CALLS {
        step.process(1, &empty);
    }
    println!("1 row: {:?} a call", started.elapsed() / CALLS);
    Ok(())
}

fn column(kind: Kind) -> Column {
    let mut column = Column::new(kind);
    for i in 0..ROWS as usize {
        match &mut column.values {
            Values::Text(v) => v.push(format!("{i:0TEXT_BYTES$}").as_bytes()),
            Values::Json(v) => v.push(format!("\"{i:0TEXT_BYTES$}\"").as_bytes()),
            Values::Integer(v) => v.push(i as i64),
            Values::Float(v) => v.push(i as f64),
            Values::Boolean(v) => v.push(u8::from(i % 2 == 0)),
        }
    }
    column
}
