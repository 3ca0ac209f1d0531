//! `tamis top`: a screen that shows the running host, read once a second.

mod app;
mod draw;

use super::status::parse;
use super::view::Reading;
use super::{Failure, read};
use crate::exit::Exit;
use crate::screen;
use app::App;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::time::Duration;
use tamis_admin::client::Client;
use tokio::signal::unix::{SignalKind, signal};

/// How often the host is read.
const POLL: Duration = Duration::from_secs(1);
/// How often the keyboard is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Readings that may wait to be shown.
const WAITING_MAX: usize = 4;

/// What the reader tells the screen.
enum News {
    Reading(Box<Reading>),
    /// There is none, and why.
    None(String),
    /// Somebody wants this to end.
    End,
}

pub(super) fn run(client: &Client) -> anyhow::Result<Exit> {
    if !screen::stdout_is_terminal() {
        screen::tell("tamis: `tamis top` needs a terminal; `tamis status` prints the same once, `tamis status --output json` for programs");
        return Ok(Exit::BadConfiguration);
    }
    // Said before the screen is taken, where it can be read.
    let first = super::wait(client.get("/v1/status"))?;
    let first = parse(client, &read(client, &first)?)?;
    let (tell, news) = mpsc::sync_channel(WAITING_MAX);
    let reader = client.clone();
    std::thread::Builder::new().name("poll".into()).spawn(move || poll(&reader, &tell))?;
    // Gives the terminal back when a panic ends this.
    let mut terminal = ratatui::try_init()?;
    let mut app = App::new(client.address().to_string(), first);
    let shown = show(&mut terminal, &mut app, &news);
    ratatui::restore();
    shown.map(|()| Exit::Success)
}

fn show(terminal: &mut ratatui::DefaultTerminal, app: &mut App, news: &Receiver<News>) -> anyhow::Result<()> {
    loop {
        terminal.draw(|frame| draw::draw(frame, app))?;
        // A new size is an event too; it is drawn with the next turn, like everything else.
        if event::poll(LOOK)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
            && !app.key(key)
        {
            return Ok(());
        }
        loop {
            match news.try_recv() {
                Ok(News::Reading(reading)) => app.take(*reading),
                Ok(News::None(why)) => app.lost(why),
                Ok(News::End) | Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => break,
            }
        }
    }
}

/// Reads the host until nobody looks any more, or a signal ends it.
fn poll(client: &Client, tell: &SyncSender<News>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::hangup()), signal(SignalKind::interrupt()));
        let (Ok(mut term), Ok(mut hup), Ok(mut int)) = signals else { return };
        let mut clock = tokio::time::interval(POLL);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let reading = async {
                clock.tick().await;
                client.get("/v1/status").await
            };
            let news = tokio::select! {
                answer = reading => {
                    let answer = answer.map_err(Failure::from).and_then(|answer| parse(client, &read(client, &answer)?));
                    answer.map_or_else(|failure| News::None(failure.to_string()), |reading| News::Reading(Box::new(reading)))
                }
                _ = term.recv() => News::End,
                _ = hup.recv() => News::End,
                _ = int.recv() => News::End,
            };
            if tell.send(news).is_err() {
                return;
            }
        }
    });
}
