//! `samples/gateway` without the host: see `tamis_tests::comparison::native`.

use tamis_tests::comparison::{Arguments, native};

fn main() -> anyhow::Result<()> {
    let summary = native::run(&Arguments::from_command_line()?)?;
    eprintln!("{summary}");
    Ok(())
}
