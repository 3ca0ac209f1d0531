//! What the screen shows, and what keys do to it.

use crate::operator::view::{Pipeline, Reading, Readings};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::{BTreeMap, VecDeque};

/// Readings of which sparklines are made.
pub(super) const HISTORY_MAX: usize = 240;

/// The state of the screen.
#[derive(Debug)]
pub(super) struct App {
    pub(super) address: String,
    pub(super) readings: Readings,
    /// Records a second that came to each pipeline, oldest first.
    history: BTreeMap<String, VecDeque<u64>>,
    /// The pipeline whose steps are shown, by its number.
    chosen: usize,
    pub(super) paused: bool,
    /// Why there is nothing new, while there is not.
    pub(super) lost: Option<String>,
}

impl App {
    pub(super) fn new(address: String, first: Reading) -> Self {
        let readings = Readings::new(first);
        Self { address, readings, history: BTreeMap::new(), chosen: 0, paused: false, lost: None }
    }

    /// Takes a reading; while the screen is paused, what it shows stays.
    pub(super) fn take(&mut self, reading: Reading) {
        self.lost = None;
        if self.paused {
            return;
        }
        self.readings.push(reading);
        let names: Vec<String> = self.readings.status().pipelines.iter().map(|pipeline| pipeline.name.clone()).collect();
        self.history.retain(|name, _| names.contains(name));
        for name in names {
            let rate = self.readings.rate_in(&name) as u64;
            let history = self.history.entry(name).or_default();
            if history.len() == HISTORY_MAX {
                history.pop_front();
            }
            history.push_back(rate);
        }
    }

    /// There is no reading.
    pub(super) fn lost(&mut self, why: String) {
        self.lost = Some(why);
    }

    /// The newest rates of a pipeline, oldest first.
    pub(super) fn history(&self, pipeline: &str, max: usize) -> Vec<u64> {
        let Some(history) = self.history.get(pipeline) else { return Vec::new() };
        history.iter().skip(history.len().saturating_sub(max)).copied().collect()
    }

    /// The number of the pipeline whose steps are shown; there may be fewer than there were.
    pub(super) fn chosen(&self) -> usize {
        self.chosen.min(self.readings.status().pipelines.len().saturating_sub(1))
    }

    pub(super) fn chosen_pipeline(&self) -> Option<&Pipeline> {
        self.readings.status().pipelines.get(self.chosen())
    }

    /// Does what a key says. `false`: to end.
    pub(super) fn key(&mut self, key: KeyEvent) -> bool {
        let count = self.readings.status().pipelines.len().max(1);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Char('q') | KeyCode::Esc => return false,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Down | KeyCode::Right | KeyCode::Tab => self.chosen = (self.chosen() + 1) % count,
            KeyCode::Up | KeyCode::Left | KeyCode::BackTab => self.chosen = (self.chosen() + count - 1) % count,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::status::tests::example;
    use std::time::{Duration, Instant};

    fn app() -> App {
        App::new("unix:/x".into(), Reading { at: Instant::now(), status: example(10_000) })
    }

    #[test]
    fn keys() {
        let mut app = app();
        let mut press = |code| app.key(KeyEvent::new(code, KeyModifiers::NONE)).then(|| (app.chosen(), app.paused));
        assert_eq!(press(KeyCode::Down), Some((1, false)));
        assert_eq!(press(KeyCode::Tab), Some((0, false)), "around");
        assert_eq!(press(KeyCode::Up), Some((1, false)));
        assert_eq!(press(KeyCode::Char('p')), Some((1, true)));
        assert_eq!(press(KeyCode::Char('x')), Some((1, true)));
        assert_eq!(press(KeyCode::Char('c')), Some((1, true)));
        assert_eq!(press(KeyCode::Char('q')), None);
        assert!(!app.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    }

    #[test]
    fn what_is_shown_stays_while_paused_and_is_bounded() {
        let mut app = app();
        let start = app.readings.now.at;
        for second in 1..=HISTORY_MAX as u64 + 20 {
            app.take(Reading { at: start + Duration::from_secs(second), status: example(10_000 + second * 100) });
        }
        assert_eq!(app.history("main", usize::MAX), vec![100; HISTORY_MAX]);
        assert_eq!(app.history("main", 3).len(), 3);
        app.paused = true;
        let shown = app.readings.status().pipelines[0].taken;
        app.take(Reading { at: start + Duration::from_secs(900), status: example(90_000) });
        assert_eq!(app.readings.status().pipelines[0].taken, shown);
    }

    #[test]
    fn a_reload_may_take_pipelines_away() {
        let mut app = app();
        app.key(KeyEvent::new(KeyCode::Down, KeyModifiers::NONE));
        let mut status = example(11_000);
        status.pipelines.clear();
        app.take(Reading { at: Instant::now(), status });
        assert!(app.chosen_pipeline().is_none() && app.chosen() == 0);
        assert!(app.key(KeyEvent::new(KeyCode::Up, KeyModifiers::NONE)));
        assert!(app.history("main", 9).is_empty());
    }
}
