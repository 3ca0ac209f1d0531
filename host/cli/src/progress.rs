//! A progress bar on a terminal, nothing elsewhere.

use crate::screen;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Arc;
use tamis_runtime::Progress;

pub(crate) struct Bar {
    bar: ProgressBar,
    progress: Arc<Progress>,
}

impl Bar {
    /// A bar on standard error, where that is a terminal and the end is known.
    pub(crate) fn new(progress: Arc<Progress>, once: bool) -> Option<Self> {
        if !once || !std::io::stderr().is_terminal() {
            return None;
        }
        let bar = ProgressBar::new(0);
        let template = if screen::colour_on_stderr() {
            "{bar:40.cyan/blue} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left"
        } else {
            "{bar:40} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left"
        };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Some(Self { bar, progress })
    }

    pub(crate) fn update(&self) {
        let (read, expected) = self.progress.bytes();
        if expected > 0 {
            self.bar.set_length(expected.max(read));
            self.bar.set_position(read);
        }
    }

    pub(crate) fn finish(self) {
        self.update();
        self.bar.finish_and_clear();
    }
}
