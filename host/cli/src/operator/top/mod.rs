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
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};
use tamis_admin::client::Client;
use tokio::signal::unix::{SignalKind, signal};

/// How often the host is read.
const POLL: Duration = Duration::from_secs(1);
/// How often the screen is drawn, whatever comes from the keyboard.
const LOOK: Duration = Duration::from_millis(100);
/// How long the screen may take to end once its terminal is gone.
const GRACE: Duration = Duration::from_millis(500);
/// Keys that are followed between two drawings; more wait for the next turn.
const KEYS_MAX: usize = 1024;
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
        if !follow_keys(app, Instant::now() + LOOK)? {
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

/// Follows keys until it is time to draw. `false`: to end.
fn follow_keys(app: &mut App, until: Instant) -> std::io::Result<bool> {
    let left = || until.saturating_duration_since(Instant::now());
    for _ in 0..KEYS_MAX {
        if !event::poll(left())? {
            return Ok(true);
        }
        // A new size is an event too; it is drawn with the next turn, like everything else.
        if let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
            && !app.key(key)
        {
            return Ok(false);
        }
    }
    std::thread::sleep(left());
    Ok(true)
}

/// Reads the host until nobody looks any more, or a signal ends it.
fn poll(client: &Client, tell: &SyncSender<News>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::hangup()), signal(SignalKind::interrupt()));
        let (Ok(mut term), Ok(mut hup), Ok(mut int)) = signals else { return };
        let mut hung_up = std::pin::pin!(hung_up());
        let mut clock = tokio::time::interval(POLL);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let reading = async {
                clock.tick().await;
                client.get("/v1/status").await
            };
            let news = tokio::select! {
                _ = hup.recv() => gone(tell).await,
                () = &mut hung_up => gone(tell).await,
                answer = reading => {
                    let answer = answer.map_err(Failure::from).and_then(|answer| parse(client, &read(client, &answer)?));
                    answer.map_or_else(|failure| News::None(failure.to_string()), |reading| News::Reading(Box::new(reading)))
                }
                _ = term.recv() => News::End,
                _ = int.recv() => News::End,
            };
            if tell.send(news).is_err() {
                return;
            }
        }
    });
}

/// Waits until the terminal is gone: its window closed, its connection broken. What is left of it is no terminal any more.
async fn hung_up() {
    let Some(terminal) = terminal() else { return std::future::pending().await };
    while terminal.is_terminal() {
        tokio::time::sleep(POLL).await;
    }
}

/// The terminal that keys come from.
fn terminal() -> Option<OwnedFd> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned().ok();
    }
    File::open("/dev/tty").ok().map(OwnedFd::from)
}

/// Ends everything: there is no terminal any more. What reads keys may never come back from one that is gone.
async fn gone(tell: &SyncSender<News>) -> News {
    let _ = tell.try_send(News::End);
    tokio::time::sleep(GRACE).await;
    std::process::exit(Exit::Success.code().into())
}
