//! A sink that writes to files: a new one at each start and after each error, so that nothing has to be repaired.

use crate::Mutation;
use crate::record::{Record, Records, lines, parse};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tamis_delivery::disk::{Disk, DiskFile, FILE_MODE, create_folder_durably};
use tamis_delivery::simulation::SimDisk;
use tamis_delivery::{Seat, Ticket};

/// What came of a frame for one sink.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) records: Vec<Record>,
    pub(crate) ticket: Option<Arc<Ticket>>,
    pub(crate) seat: Option<Arc<Seat>>,
    /// Whether it was written before, and has no seat for that reason.
    pub(crate) again: bool,
}

#[derive(Debug)]
pub(crate) struct FileSink {
    disk: SimDisk,
    folder: &'static str,
    mutation: Mutation,
    pub(crate) queue: VecDeque<Piece>,
    /// In the file and not yet durable.
    written: VecDeque<Piece>,
    file: Option<Box<dyn DiskFile>>,
    named: bool,
    number: u64,
}

impl FileSink {
    pub(crate) fn new(disk: &SimDisk, folder: &'static str, mutation: Mutation) -> io::Result<Self> {
        create_folder_durably(disk, Path::new(folder), "file.parent")?;
        let names = disk.list(Path::new(folder))?.into_iter().map(|entry| entry.name);
        let number = names.filter_map(|name| name.to_str()?.parse().ok()).max().unwrap_or(0);
        Ok(Self {
            disk: disk.clone(),
            folder,
            mutation,
            queue: VecDeque::new(),
            written: VecDeque::new(),
            file: None,
            named: false,
            number,
        })
    }

    /// Writes one piece.
    pub(crate) fn write(&mut self) {
        let Some(mut piece) = self.queue.pop_front() else { return };
        match self.append(&lines(&piece.records)) {
            Ok(()) => {
                piece.seat = None;
                piece.again = true;
                if self.mutation == Mutation::FileSafeBeforeSync {
                    piece.ticket = None;
                }
                self.written.push_back(piece);
            }
            Err(_) => {
                self.queue.push_front(piece);
                self.start_over();
            }
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                self.number += 1;
                self.named = false;
                let path = PathBuf::from(self.folder).join(self.number.to_string());
                self.file.insert(self.disk.open_append(&path, FILE_MODE)?)
            }
        };
        file.write_all(bytes)
    }

    /// Makes what was written durable; then it is safe.
    pub(crate) fn commit(&mut self) {
        match self.sync() {
            Ok(()) => self.written.clear(),
            Err(_) if self.mutation == Mutation::FailedSyncTrusted => {}
            Err(_) => self.start_over(),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.sync("file.lines")?;
        if !self.named && self.mutation != Mutation::FolderNotSynced {
            self.disk.sync_folder(Path::new(self.folder), "file.folder")?;
        }
        self.named = true;
        Ok(())
    }

    /// After an error nobody knows what the file holds: what was not known to be durable is written again, elsewhere.
    fn start_over(&mut self) {
        self.file = None;
        self.written.append(&mut self.queue);
        std::mem::swap(&mut self.written, &mut self.queue);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.written.is_empty()
    }

    /// All whole lines in the files of a folder.
    pub(crate) fn read(disk: &SimDisk, folder: &str) -> Records {
        let mut records = Records::new();
        for entry in disk.list(Path::new(folder)).unwrap_or_default() {
            let file = disk.open_read(&Path::new(folder).join(entry.name)).unwrap();
            let mut bytes = vec![0; file.bytes().unwrap() as usize];
            file.read_full_at(&mut bytes, 0).unwrap();
            records.extend(parse(&bytes));
        }
        records
    }
}
