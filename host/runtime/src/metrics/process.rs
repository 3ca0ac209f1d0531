//! What the system says of the process, under the names that Prometheus's client libraries have agreed on, and of the disk.
//!
//! Read from `/proc/self` when somebody asks; what cannot be read is left out.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder whose disk is measured, once it is known.
pub(super) type Folder = OnceLock<PathBuf>;

/// The process and its disk.
#[derive(Debug)]
pub(super) struct Process {
    started_seconds: f64,
    disk: Arc<Folder>,
}

impl Process {
    /// To be made when the process starts. `disk` is filled in once the folder is known.
    pub(super) fn new(disk: Arc<Folder>) -> Self {
        let started_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        Self { started_seconds, disk }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let labels = [("version", env!("CARGO_PKG_VERSION"))];
        let build = ConstGauge::new(1i64);
        let mut family = encoder.encode_descriptor("tamis_build_info", "The version that runs, always 1", None, build.metric_type())?;
        build.encode(family.encode_family(&labels)?)?;
        gauge(&mut encoder, "process_start_time_seconds", "When the process started, in seconds since 1970", self.started_seconds)?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, help, field) in [
            ("process_resident_memory_bytes", "Memory of the process that is in RAM", "VmRSS:"),
            ("process_virtual_memory_bytes", "Addresses that the process has reserved", "VmSize:"),
        ] {
            if let Some(kib) = field_of(&status, field) {
                gauge(&mut encoder, name, help, kib * 1024.0)?;
            }
        }
        if let Some(threads) = field_of(&status, "Threads:") {
            gauge(&mut encoder, "process_threads", "Threads of the process", threads)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let cpu = ConstCounter::new(seconds);
            let help = "Processor time of the process, user and system";
            cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            gauge(&mut encoder, "process_open_fds", "Files that the process has open", open.count() as f64)?;
        }
        if let Some((size, available)) = self.disk.get().and_then(|folder| disk(folder)) {
            gauge(&mut encoder, "tamis_data_dir_size_bytes", "Size of the file system that holds `data_dir`", size)?;
            let help = "Room on the file system that holds `data_dir`, for users other than root";
            gauge(&mut encoder, "tamis_data_dir_available_bytes", help, available)?;
        }
        Ok(())
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

/// The number after a field's name in `/proc/self/status`.
fn field_of(status: &str, name: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// Processor time so far; see proc_pid_stat(5), fields 14 and 15.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    Some(ticks(&stat)? as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// User and system time in a line of `/proc/PID/stat`, in ticks. The second field is the program's name in parentheses, which may
/// hold blanks and parentheses itself.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    next()?.checked_add(next()?)
}

/// Size of the file system that holds a folder, or the nearest one above it that is there, and the room on it, in bytes.
fn disk(folder: &Path) -> Option<(f64, f64)> {
    let here = Path::new(".");
    let known = folder.ancestors().map(|path| if path.as_os_str().is_empty() { here } else { path });
    let stat = known.into_iter().find_map(|path| rustix::fs::statvfs(path).ok())?;
    let bytes = |blocks: u64| blocks as f64 * stat.f_frsize as f64;
    Some((bytes(stat.f_blocks), bytes(stat.f_bavail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_name() {
        let status = "Name:\ttamis\nVmSize:\t  204800 kB\nVmRSS:\t    1024 kB\nThreads:\t7\n";
        assert_eq!(field_of(status, "VmRSS:"), Some(1024.0));
        assert_eq!(field_of(status, "Threads:"), Some(7.0));
        assert_eq!((field_of(status, "VmSwap:"), field_of(status, "Name:")), (None, None));
    }

    #[test]
    fn ticks_are_found_after_any_name() {
        let stat = "42 (a) b ( c)) S 1 42 42 0 -1 4194304 900 0 0 0 120 34 0 0 20 0 7 0 100 1000 10\n";
        assert_eq!(ticks(stat), Some(154));
        assert_eq!((ticks("42 (x) S 1"), ticks(""), ticks("42 (x) S 1 1 1 1 1 1 1 1 1 1 x 1")), (None, None, None));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_on_the_disk_of_the_one_above() {
        let folder = std::env::temp_dir();
        let (size, available) = disk(&folder).expect("a disk");
        assert!(size > 0.0 && available <= size);
        let (later, _) = disk(&folder.join("not/there/yet")).expect("a disk");
        assert_eq!(later, size);
        assert!(disk(Path::new("not-there")).is_some());
    }
}
