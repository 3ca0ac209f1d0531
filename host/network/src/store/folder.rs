//! Parquet files in local folders.

use super::encode::{Columns, ParquetFile};
use super::keys::Keys;
use super::{Form, ObjectSink, Unfinished};
use object_store::local::LocalFileSystem;
use std::fs::File;
use std::io;
use std::path::Path;
use tamis_config::{Concurrency, ParquetSink as Config, PathTemplate};
use tamis_nodes::sinks::{OpenError, Opened};

/// Makes the sink and the folder that all its files lie in.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let text = config.path.trim_end_matches('/');
    let text = if text.is_empty() { "/" } else { text };
    let template = PathTemplate::parse(text).map_err(|error| OpenError::Network(format!("`path`: {error}; {}", error.help)))?;
    let (root, template) = match template.is_template() {
        // All of it is the folder.
        false => (text.replace("%%", "%"), None),
        true if template.base.is_empty() => (".".to_owned(), Some(template)),
        true => (template.base.clone(), Some(template)),
    };
    make(Path::new(&root)).map_err(|error| OpenError::File { path: root.clone().into(), error })?;
    let store = LocalFileSystem::new_with_prefix(&root);
    // A file is synced before it gets its name, and the folder after that.
    let store = store.map_err(|error| OpenError::Network(format!("cannot use the folder `{root}`: {error}")))?.with_fsync(true);
    let columns = Columns { schema: &config.schema, rest: config.rest(), known: &config.known };
    let form = Form::Parquet(ParquetFile::new(columns, config.compression, config.row_group));
    let sink = ObjectSink {
        store: Box::new(store),
        keys: Keys::new("", template, config.time_field.as_ref()),
        form,
        timeout: None,
        unfinished: Unfinished::default(),
        address: config.path.shown().to_owned(),
    };
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: Concurrency::Fixed(1), batch: (&config.batch).into() })
}

/// Makes a folder that stays when the power goes.
fn make(folder: &Path) -> io::Result<()> {
    let folder = std::path::absolute(folder)?;
    let there = folder.ancestors().find(|folder| folder.exists()).map(Path::to_owned);
    std::fs::create_dir_all(&folder)?;
    for made in folder.ancestors() {
        File::open(made)?.sync_all()?;
        if Some(made) == there.as_deref() {
            break;
        }
    }
    Ok(())
}
