//! The receiving end: files of a sink, or a web server, kept account of while records arrive.

use super::record::{Account, Maker};
use crate::harness::{Request, Said, Server};
use anyhow::Result;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes read at a time.
const READ_BYTES: usize = 1 << 20;

/// An account that a server's threads and a case share.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Mutex<Account>>);

impl Shared {
    /// An empty account.
    pub fn new(maker: Maker) -> Self {
        Self(Arc::new(Mutex::new(Account::new(maker))))
    }

    /// The account.
    pub fn lock(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lines of a request.
    pub fn take(&self, request: &Request) {
        let mut account = self.lock();
        request.body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).for_each(|line| account.take(line));
    }
}

/// A web server that keeps account of what it accepts. The behaviour decides on each request; where its answer means that
/// the records are taken, whether the host learns of it or not, it says so.
pub fn web(address: &str, account: &Shared, behaviour: impl Fn(&Request) -> (Said, bool) + Send + Sync + 'static) -> Server {
    let account = account.clone();
    Server::forgetful(address, move |request| {
        let (said, taken) = behaviour(request);
        if taken {
            account.take(request);
        }
        said
    })
}

/// A file that a sink writes: complete lines are read once each.
#[derive(Debug)]
pub struct Written {
    path: PathBuf,
    read_bytes: u64,
}

impl Written {
    /// Nothing of it is read yet; it need not be there.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), read_bytes: 0 }
    }

    /// Takes the lines that were completed since the last time. What follows the last line feed waits: a host that starts
    /// after a crash may cut it off.
    pub fn catch_up(&mut self, account: &mut Account) -> Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        anyhow::ensure!(file.metadata()?.len() >= self.read_bytes, "{} became shorter: complete lines were cut off", self.path.display());
        file.seek(SeekFrom::Start(self.read_bytes))?;
        let mut text = Vec::new();
        loop {
            let before = text.len();
            file.by_ref().take(READ_BYTES as u64).read_to_end(&mut text)?;
            if text.len() == before {
                return Ok(());
            }
            let end = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            text[..end].split(|b| *b == b'\n').filter(|line| !line.is_empty()).for_each(|line| account.take(line));
            text.drain(..end);
            self.read_bytes += end as u64;
        }
    }

    /// Takes what follows the last line feed as well, as a line: the writer has ended.
    pub fn close(mut self, account: &mut Account) -> Result<()> {
        self.catch_up(account)?;
        let rest = std::fs::read(&self.path).unwrap_or_default();
        let rest = rest.get(usize::try_from(self.read_bytes)?..).unwrap_or_default();
        if !rest.is_empty() {
            account.take(rest);
        }
        Ok(())
    }
}
