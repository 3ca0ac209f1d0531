//! `tamis schema`.

use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use std::io::Write;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let text = match arguments.output {
        Output::Markdown => tamis_config::options::markdown(),
        _ => tamis_config::schema::schema_text(),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}
