//! The plugin's state inside a component; [`export!`](crate::export) puts it between the contract and the plugin.

use std::cell::RefCell;

use crate::contract::types;
use crate::{Batch, BatchPlugin, Outcome, Signature, batch};

/// The one plugin of a component instance.
pub struct Instance<B> {
    plugin: RefCell<Option<B>>,
}

impl<B: BatchPlugin> Instance<B> {
    /// No plugin yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { plugin: RefCell::new(None) }
    }

    /// Makes the plugin.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn init(&self, config: &str) -> Result<Signature, String> {
        let (plugin, signature) = B::init(config)?;
        let mut slot = self.plugin.try_borrow_mut().map_err(|_| "init was called from within the plugin".to_owned())?;
        *slot = Some(plugin);
        Ok(signature)
    }

    /// Processes one batch.
    ///
    /// # Errors
    /// What the plugin says, or that it was not initialised.
    pub fn process(&self, input: &types::Batch) -> Result<Outcome, String> {
        let mut slot = self.plugin.try_borrow_mut().map_err(|_| "process was called from within the plugin".to_owned())?;
        let plugin = slot.as_mut().ok_or_else(|| "process was called before init".to_owned())?;
        let columns = batch::view(input);
        plugin.process(&Batch { rows: input.rows, columns: &columns })
    }
}

impl<B: BatchPlugin> Default for Instance<B> {
    fn default() -> Self {
        Self::new()
    }
}
