//! Draws the screen: nothing but a function of its state.

use super::app::App;
use crate::operator::status::waiting;
use crate::operator::view::{Pipeline, Sink, Source, Step, age, bytes, nanoseconds, short};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table, TableState};
use tamis_config::escaped;

const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);

/// Lines of a table's frame and header.
const TABLE_LINES: usize = 3;
/// Lines of the sparkline with its frame.
const SPARK_LINES: u16 = 5;
/// Lines below which a part is left out.
const PART_LINES_MIN: u16 = 4;

/// Draws `app`, whatever the size.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let status = app.readings.status();
    let table = |rows: usize| u16::try_from(rows + TABLE_LINES).unwrap_or(u16::MAX);
    let steps = app.chosen_pipeline().map_or(0, |pipeline| pipeline.steps.len());
    let steps = if steps == 0 { 0 } else { table(steps) };
    let [head, room, foot] = Layout::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    // In the order of their importance; what finds no room is left out.
    let most = (room.height / 2).max(PART_LINES_MIN);
    let mut left = room.height;
    let mut take = |wanted: u16| {
        let given = if left >= PART_LINES_MIN { wanted.min(left) } else { 0 };
        left -= given;
        Constraint::Length(given)
    };
    let pipelines = take(table(status.pipelines.len()).min(most));
    let steps = take(steps.min(most));
    let sinks = take(table(status.sinks.len()).min(most));
    let sources = take(table(status.sources.len()).min(most));
    let spark = take(SPARK_LINES);
    let [pipelines, spark, steps, sources, sinks, _] =
        Layout::vertical([pipelines, spark, steps, sources, sinks, Constraint::Min(0)]).areas(room);
    draw_head(frame, head, app);
    draw_pipelines(frame, pipelines, app);
    draw_spark(frame, spark, app);
    draw_steps(frame, steps, app);
    draw_sources(frame, sources, app);
    draw_sinks(frame, sinks, app);
    let keys = "q quit   ↑ ↓ tab choose a pipeline   p pause";
    frame.render_widget(Paragraph::new(keys).style(FAINT), foot);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let status = app.readings.status();
    let mut first = vec![
        Span::styled(format!("tamis {} ", escaped(&status.version)), HEAD),
        Span::raw(format!("{}   generation {}   up {}", escaped(&app.address), status.generation, age(status.seconds))),
    ];
    if app.paused {
        first.push(Span::styled("   paused", BAD));
    }
    let second = match (&app.lost, &status.degraded) {
        (Some(why), _) => Line::styled(escaped(why), BAD),
        (None, Some(why)) => Line::styled(format!("degraded: {}", escaped(why)), BAD),
        (None, None) => Line::default(),
    };
    frame.render_widget(Paragraph::new(vec![Line::from(first), second]), area);
}

/// A table whose first column takes the room that others leave.
fn table<'a>(title: String, header: &[&'static str], widths: &[u16], rows: Vec<Row<'a>>) -> Table<'a> {
    let widths = std::iter::once(Constraint::Min(10)).chain(widths.iter().map(|width| Constraint::Length(*width)));
    let cells = header.iter().enumerate().map(|(number, name)| if number == 0 { Cell::from(*name) } else { right((*name).to_string()) });
    Table::new(rows, widths.collect::<Vec<_>>())
        .header(Row::new(cells.collect::<Vec<_>>()).style(HEAD))
        .block(Block::bordered().title(title))
}

fn right<'a>(text: String) -> Cell<'a> {
    Cell::from(Line::from(text).right_aligned())
}

/// A count of what should not be there.
fn bad<'a>(number: u64) -> Cell<'a> {
    right(short(number as f64)).style(if number > 0 { BAD } else { Style::new() })
}

fn draw_pipelines(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let row = |pipeline: &Pipeline| {
        Row::new([
            Cell::from(escaped(&pipeline.name)),
            right(short(app.readings.rate_in(&pipeline.name))),
            right(short(app.readings.rate_out(&pipeline.name))),
            right(short(pipeline.taken as f64)),
            right(short(pipeline.dropped as f64)),
            bad(pipeline.rejected),
            right(short(pipeline.held as f64)),
        ])
    };
    let rows = app.readings.status().pipelines.iter().map(row).collect();
    let header = ["pipeline", "in/s", "out/s", "in", "dropped", "dead letters", "under way"];
    let table = table(" pipelines ".into(), &header, &[8, 8, 8, 8, 12, 9], rows).row_highlight_style(Modifier::REVERSED);
    frame.render_stateful_widget(table, area, &mut TableState::default().with_selected(app.chosen()));
}

fn draw_spark(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let Some(pipeline) = app.chosen_pipeline() else { return };
    let rates = app.history(&pipeline.name, usize::from(area.width.saturating_sub(2)));
    let most = rates.iter().max().copied().unwrap_or(0);
    let title = format!(" {}: records a second, at most {} ", escaped(&pipeline.name), short(most as f64));
    frame.render_widget(Sparkline::default().data(rates).style(GOOD).block(Block::bordered().title(title)), area);
}

fn draw_steps(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let Some(pipeline) = app.chosen_pipeline().filter(|pipeline| !pipeline.steps.is_empty()) else { return };
    let row = |step: &Step| {
        let (busy, each) = app.readings.time(&pipeline.name, &step.name);
        let off = if step.breaker_open { " (off)" } else { "" };
        Row::new([
            Cell::from(format!("{}{off}", escaped(&step.name))).style(if step.breaker_open { BAD } else { Style::new() }),
            right(short(app.readings.step_rate(&pipeline.name, &step.name, |s| s.taken))),
            right(short(app.readings.step_rate(&pipeline.name, &step.name, |s| s.out))),
            right(short(step.dropped as f64)),
            bad(step.rejected),
            bad(step.failures()),
            right(nanoseconds(each)),
            right(format!("{:.0} %", busy * 100.0)),
            right(if step.plugin.is_some() { bytes(step.memory_bytes) } else { "-".into() }),
        ])
    };
    let rows = pipeline.steps.iter().map(row).collect();
    let header = ["step", "in/s", "out/s", "dropped", "failed", "bad calls", "a record", "busy", "memory"];
    let title = format!(" steps of {} ", escaped(&pipeline.name));
    frame.render_widget(table(title, &header, &[7, 7, 7, 6, 9, 8, 5, 9], rows), area);
}

fn draw_sources(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let row = |source: &Source| {
        Row::new([
            Cell::from(escaped(&source.name)),
            right(short(app.readings.source_rate(&source.name, |s| s.records))),
            right(format!("{}/s", bytes(app.readings.source_rate(&source.name, |s| s.bytes) as u64))),
            right(short(source.held as f64)),
            right(format!("{:.1} s", source.lag_seconds)),
        ])
    };
    let rows = app.readings.status().sources.iter().map(row).collect();
    frame.render_widget(table(" sources ".into(), &["source", "records/s", "bytes", "under way", "lag"], &[9, 12, 9, 9], rows), area);
}

/// How a sink does, and for how long it has not.
fn short_state(sink: &Sink) -> String {
    let since = sink.failing_since.as_deref().and_then(|since| humantime::parse_rfc3339(since).ok());
    match since.map(|since| since.elapsed().unwrap_or_default()) {
        Some(time) => format!("{} {}", escaped(&sink.state), age(time.as_secs_f64())),
        None => escaped(&sink.state),
    }
}

fn draw_sinks(frame: &mut Frame<'_>, area: Rect, app: &App) {
    let row = |sink: &Sink| {
        Row::new([
            Cell::from(escaped(&sink.name)),
            right(short_state(sink)).style(if sink.state == "ok" { GOOD } else { BAD }),
            right(short(app.readings.sink_rate(&sink.name))),
            right(waiting(sink)),
            right(short(sink.retries as f64)),
            bad(sink.rejected + sink.dropped),
        ])
    };
    let rows = app.readings.status().sinks.iter().map(row).collect();
    let header = ["sink", "state", "records/s", "waiting", "retries", "refused"];
    frame.render_widget(table(" sinks ".into(), &header, &[19, 9, 20, 7, 7], rows), area);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::operator::status::tests::example;
    use crate::operator::view::Reading;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use std::time::{Duration, Instant};

    fn app() -> App {
        let start = Instant::now();
        let mut app = App::new("127.0.0.1:9480".into(), Reading { at: start, status: example(10_000) });
        for second in 1..5 {
            app.take(Reading { at: start + Duration::from_secs(second), status: example(10_000 + second * second * 1_000) });
        }
        app
    }

    fn drawn(app: &App, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>() + "\n";
        (0..height).map(line).collect()
    }

    #[test]
    fn everything_is_on_a_screen_of_100_by_40() {
        let screen = drawn(&app(), 100, 40);
        for part in [
            "tamis 0.1.0 127.0.0.1:9480   generation 3   up 2 h 1 min",
            "degraded: two\\u{1b}[2J errors",
            "main: records a second, at most 7.00k",
            "steps of main",
            "redact (off)",
            "1.0 µs",
            "3.0 MiB",
            "gateway",
            "1.2 s",
            " d ", // since when it fails
            "2 + 2.0 MiB spooled",
            "q quit",
            "█",
        ] {
            assert!(screen.contains(part), "{part}:\n{screen}");
        }
        assert!(!screen.contains('\u{1b}'));
    }

    #[test]
    fn another_pipeline_and_what_is_wrong_are_shown() {
        let mut app = app();
        app.key(KeyEvent::new(KeyCode::Down, KeyModifiers::NONE));
        app.key(KeyEvent::new(KeyCode::Char('p'), KeyModifiers::NONE));
        app.lost("the host cannot be reached on 127.0.0.1:9480".into());
        let screen = drawn(&app, 100, 40);
        for part in ["errors: records a second", "paused", "cannot be reached"] {
            assert!(screen.contains(part), "{part}:\n{screen}");
        }
        assert!(!screen.contains("steps of"), "it has none:\n{screen}");
    }

    #[test]
    fn any_size_can_be_drawn() {
        let mut empty = app();
        empty.take(Reading { at: Instant::now(), status: Default::default() });
        for (width, height) in [(1, 1), (2, 50), (300, 1), (20, 5), (80, 24), (300, 100)] {
            drawn(&app(), width, height);
            drawn(&empty, width, height);
        }
        let small = drawn(&app(), 80, 20);
        for part in ["q quit", "redact (off)", "bad calls", "archive", "spooled"] {
            assert!(small.contains(part), "{part}:\n{small}");
        }
        assert!(!small.contains("gateway"), "no room:\n{small}");
    }
}
