//! Looking for a port, without opening it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::list::{Enumerator, PortInfo};
use super::place::{Place, UsbMatch};

/// After how long the list is asked for again although its stamp is the same.
const STALE: Duration = Duration::from_secs(1);

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    None,
    One(PortInfo),
    Several(Vec<PortInfo>),
    /// The system does not tell.
    Failed(String),
}

/// Remembers whether the list of ports can have changed: to ask for it costs a thousand times more than to look at a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    last: Option<(SystemTime, Instant)>,
}

impl Look {
    pub(super) async fn find(&mut self, place: &Place, enumerator: &Arc<dyn Enumerator>) -> Found {
        if let (Place::Device(device), false) = (place, cfg!(windows)) {
            let info = PortInfo {
                device: device.clone(),
                ..PortInfo::default()
            };
            return if device.exists() { Found::One(info) } else { Found::None };
        }
        let stamp = enumerator.stamp();
        if let (Some(stamp), Some((last, asked))) = (stamp, self.last) {
            if stamp == last && asked.elapsed() < STALE {
                return Found::None;
            }
        }
        self.last = None;
        let asked = Arc::clone(enumerator);
        let ports = match spawn_blocking(move || asked.ports()).await {
            Ok(Ok(ports)) => ports,
            Ok(Err(error)) => return Found::Failed(format!("the ports cannot be listed: {error}")),
            Err(error) => return Found::Failed(format!("the ports cannot be listed: {error}")),
        };
        let mut found = match place {
            Place::Usb(wanted) => matching(ports, wanted),
            Place::Device(device) => named(ports, device),
        };
        match found.len() {
            0 => {
                // Only that nothing is there is worth remembering: what is there may be open for others in a moment.
                self.last = stamp.map(|stamp| (stamp, Instant::now()));
                Found::None
            }
            1 => found.pop().map_or(Found::None, Found::One),
            _ => Found::Several(found),
        }
    }
}

fn matching(mut ports: Vec<PortInfo>, wanted: &UsbMatch) -> Vec<PortInfo> {
    ports.retain(|port| port.matches(wanted));
    ports
}

/// The port of a Windows name, with or without the prefix: to look whether such a "file" is there would open it.
fn named(mut ports: Vec<PortInfo>, device: &Path) -> Vec<PortInfo> {
    let name = |device: &Path| {
        let text = device.to_string_lossy().to_ascii_uppercase();
        text.trim_start_matches(r"\\.\").to_owned()
    };
    let wanted = name(device);
    ports.retain(|port| name(&port.device) == wanted);
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_windows_port_is_found_by_its_name() {
        let ports = ["COM1", "com12", "COM2"].map(|device| PortInfo {
            device: device.into(),
            ..PortInfo::default()
        });
        let found = named(ports.to_vec(), Path::new(r"\\.\COM12"));
        assert_eq!(found, [ports[1].clone()]);
    }
}
