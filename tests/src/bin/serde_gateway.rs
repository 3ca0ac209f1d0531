//! `samples/gateway` without the host: see `tamis_tests::comparison::plain`.

use tamis_tests::comparison::{Arguments, plain};

fn main() -> anyhow::Result<()> {
    let summary = plain::run(&Arguments::from_command_line()?)?;
    eprintln!("{summary}");
    Ok(())
}
