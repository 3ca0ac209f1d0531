//! What the system dropped for want of room, as far as it tells.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// Where Linux lists its sockets for UDP.
const LISTS: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// The count of a socket.
#[derive(Debug)]
pub(super) struct Drops {
    list: &'static str,
    /// The socket's number, by which the list names it.
    inode: Option<String>,
    seen: u64,
}

impl Drops {
    pub(super) fn of(socket: &tokio::net::UdpSocket) -> Self {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok();
        let inode = link.and_then(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
        let list = LISTS[usize::from(matches!(socket.local_addr(), Ok(SocketAddr::V6(_))))];
        Self { list, inode, seen: 0 }
    }

    /// How many datagrams were dropped since the last call.
    pub(super) fn more(&mut self) -> u64 {
        let Some(inode) = &self.inode else { return 0 };
        let Ok(list) = fs::read_to_string(self.list) else { return 0 };
        let now = dropped(&list, inode).unwrap_or(self.seen);
        let more = now.saturating_sub(self.seen);
        self.seen = now;
        more
    }
}

/// The last column of the socket's line; the tenth is its number.
fn dropped(list: &str, inode: &str) -> Option<u64> {
    let line = list.lines().find(|line| line.split_whitespace().nth(9) == Some(inode))?;
    line.split_whitespace().nth(12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_of_the_socket() {
        let list = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n \
                    217: 0100007F:0201 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 12\n";
        assert_eq!(dropped(list, "4711"), Some(12));
        assert_eq!(dropped(list, "471"), None);
    }
}
