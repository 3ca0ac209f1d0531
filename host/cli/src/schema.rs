//! `tamis schema`.

use crate::exit::Exit;
use std::io::Write;

pub(crate) fn run() -> anyhow::Result<Exit> {
    std::io::stdout().write_all(tamis_config::schema::schema_text().as_bytes())?;
    Ok(Exit::Success)
}
