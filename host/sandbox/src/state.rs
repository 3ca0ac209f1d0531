//! What belongs to one instance on the host's side: its use of memory and, for components that need it, an empty WASI.

use crate::diagnostics::Diagnostics;
use crate::limits::Limits;
use crate::wasi::EmptyWasi;
use std::sync::Arc;
use wasmtime::ResourceLimiter;

/// The data of an instance's store.
pub(crate) struct State {
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) usage: Usage,
    /// Present for components that import WASI.
    pub(crate) wasi: Option<Box<EmptyWasi>>,
}

/// Counts what an instance takes and refuses what goes beyond its limits.
#[derive(Debug)]
pub(crate) struct Usage {
    memory_bytes_max: u64,
    table_elements_max: u64,
    instances_max: usize,
    memory_bytes: u64,
    table_elements: u64,
    refused: Option<Refused>,
}

/// The last growth that was refused since the call began.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Memory(u64),
    Table(u64),
}

impl Usage {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes_max: limits.memory_bytes,
            table_elements_max: u64::from(limits.table_elements),
            instances_max: limits.instances as usize,
            memory_bytes: 0,
            table_elements: 0,
            refused: None,
        }
    }

    /// Bytes of all memories together.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Forgets refusals of earlier calls.
    pub(crate) fn begin_call(&mut self) {
        self.refused = None;
    }

    /// Whether growth was refused since the call began, in words. A guest whose growth is refused usually traps next, and
    /// the trap alone would not tell why.
    pub(crate) fn refusal(&self) -> Option<String> {
        Some(match self.refused? {
            Refused::Memory(asked) => {
                format!("the memory limit of {} bytes was reached: {asked} bytes were asked for", self.memory_bytes_max)
            }
            Refused::Table(asked) => {
                format!("the table limit of {} elements was reached: {asked} elements were asked for", self.table_elements_max)
            }
        })
    }
}

/// The total after one part grows from `current` to `desired`.
fn grown(total: u64, current: usize, desired: usize) -> u64 {
    total.saturating_sub(current as u64).saturating_add(desired as u64)
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = grown(self.memory_bytes, current, desired);
        if total > self.memory_bytes_max {
            self.refused = Some(Refused::Memory(total));
            return Ok(false);
        }
        // A growth beyond the module's own maximum fails after this call; it must not count.
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.memory_bytes = total;
        }
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = grown(self.table_elements, current, desired);
        if total > self.table_elements_max {
            self.refused = Some(Refused::Table(total));
            return Ok(false);
        }
        if maximum.is_none_or(|maximum| desired <= maximum) {
            self.table_elements = total;
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    fn tables(&self) -> usize {
        self.instances_max
    }

    fn memories(&self) -> usize {
        self.instances_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together() {
        let mut usage = Usage::new(&Limits { memory_bytes: 1000, table_elements: 10, ..Limits::default() });
        assert!(usage.memory_growing(0, 600, None).unwrap());
        assert!(!usage.memory_growing(0, 600, None).unwrap());
        assert!(usage.refusal().unwrap().contains("1000 bytes was reached: 1200 bytes"));
        usage.begin_call();
        assert!(usage.refusal().is_none());
        assert!(usage.memory_growing(600, 1000, None).unwrap());
        assert!(usage.memory_growing(1000, 1000, Some(500)).unwrap());
        assert_eq!(usage.memory_bytes(), 1000);
        assert!(!usage.table_growing(0, 11, None).unwrap());
        assert!(usage.refusal().unwrap().contains("table limit of 10"));
    }
}
