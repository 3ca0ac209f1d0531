//! Asks those that sinks send to whether they are well, before anything is changed for them.

use super::Spec;
use crate::engine::StartError;
use crate::stop::Stop;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tamis_nodes::sinks::{Opened, WrittenFiles};

/// How often to look whether the host stops.
const LOOK: Duration = Duration::from_millis(50);

/// Sinks that are to be asked. Nothing else waits for the answers.
pub(crate) struct HealthCheck {
    pub(super) asked: Vec<(String, Spec)>,
    pub(super) written: WrittenFiles,
    pub(super) stop: Stop,
}

impl HealthCheck {
    /// Asks all at the same time, each within its own time.
    ///
    /// # Errors
    /// The first that is not well, and that the host stops meanwhile.
    pub(crate) fn run(self) -> Result<(), StartError> {
        let (told, answers) = channel();
        let count = self.asked.len();
        for (name, spec) in self.asked {
            let (told, written) = (told.clone(), self.written.clone());
            let ask = move || {
                let answer = match spec.open(&written) {
                    Ok(Opened::Batches { delivery, .. }) => {
                        delivery.healthy().map_err(|reason| StartError::Unhealthy { sink: name, reason })
                    }
                    Ok(Opened::Stream(_)) => Ok(()),
                    Err(error) => Err(StartError::Sink { sink: name, error }),
                };
                // Nobody listens any more when the host stops.
                let _ = told.send(answer);
            };
            std::thread::Builder::new().name("health".into()).spawn(ask)?;
        }
        drop(told);
        let mut left = count;
        while left > 0 {
            match answers.recv_timeout(LOOK) {
                Ok(answer) => answer?,
                Err(RecvTimeoutError::Timeout) if self.stop.is_draining() => return Err(StartError::Stopping),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            left -= 1;
        }
        Ok(())
    }
}
