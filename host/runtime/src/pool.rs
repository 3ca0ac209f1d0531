//! Memory of frames and output, used again: in a steady flow nothing is allocated.

use std::sync::{Mutex, PoisonError};

/// Buffers larger than this are given back to the system: one huge record must not be paid for ever.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Empty buffers, for whoever needs one.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
    buffers_max: usize,
}

impl Pool {
    pub(crate) fn new(buffers_max: usize) -> Self {
        Self { free: Mutex::default(), buffers_max }
    }

    pub(crate) fn take(&self) -> Vec<u8> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > BYTES_MAX {
            return;
        }
        buffer.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < self.buffers_max {
            free.push(buffer);
        }
    }
}
