//! What stands in the way of opening a port, and what to do about it.

use std::fmt::Write as _;
use std::path::Path;

use super::holder::Holder;
use super::list::PortInfo;
use super::options::Options;
use super::place::Place;

/// Most ports that are named where some would do.
const NAMED: usize = 8;

/// Nothing is at the place.
pub(super) fn missing(place: &Place, ports: &[PortInfo]) -> String {
    let what = match place {
        Place::Device(device) => format!("there is no {}", device.display()),
        Place::Usb(wanted) => format!("no board matches {wanted}"),
    };
    if ports.is_empty() {
        return format!("{what}, nor any other serial port; plug the board in: it is opened as soon as it is there");
    }
    format!(
        "{what}; plug the board in (it is opened as soon as it is there), or choose what is there: {}",
        choices(ports)
    )
}

/// More than one board is what is looked for.
pub(super) fn several(place: &Place, ports: &[PortInfo]) -> String {
    format!(
        "{} boards match {place}; choose one of them: {}",
        ports.len(),
        choices(ports)
    )
}

/// The ports, each with an address that means it alone.
fn choices(ports: &[PortInfo]) -> String {
    let mut text = String::new();
    for (index, port) in ports.iter().take(NAMED).enumerate() {
        let _ = write!(text, "{}{}", if index == 0 { "" } else { ", " }, port.address(ports));
        let description = port.description();
        if !description.is_empty() {
            let _ = write!(text, " [{description}]");
        }
    }
    match ports.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {more} more (sig ports)"),
    }
}

/// Somebody else has the device.
pub(super) fn busy(device: &Path, holder: Option<&Holder>) -> String {
    let device = device.display();
    match holder {
        Some(holder) => format!(
            "{device} is in use by {holder}; end it there, and let it listen to this router instead: a port has one owner"
        ),
        None if cfg!(unix) => format!(
            "{device} is in use by another program, which is not told to this user: sudo fuser -v {device} names it"
        ),
        None => format!("{device} is in use by another program; end it, and let it listen to this router instead"),
    }
}

/// The system says that this user may not open the device.
pub(super) fn denied(device: &Path) -> String {
    #[cfg(unix)]
    if let Some(text) = owners::denied(device) {
        return text;
    }
    let device = device.display();
    format!(
        "{device} cannot be opened: another program has it, or this user may not; end the program, or ask who administers this machine"
    )
}

/// The system says something else.
pub(super) fn other(device: &Path, options: &Options, said: &str) -> String {
    format!(
        "{} cannot be used with baud={}, data={}, parity={} and stop={}: {said}; is it a serial port, and can it do that?",
        device.display(),
        options.baud,
        options.data,
        options.parity,
        options.stop,
    )
}

#[cfg(unix)]
mod owners {
    //! Which group has a device, and who is in it.

    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    /// Reading and writing for the group.
    const GROUP_MAY: u32 = 0o060;

    pub(super) fn denied(device: &Path) -> Option<String> {
        let file = fs::metadata(device).ok()?;
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let uid = rustix::process::geteuid().as_raw();
        let user = users
            .lines()
            .find_map(|line| named(line, uid))
            .map_or("$USER", |(name, _)| name);
        Some(text(
            &device.display().to_string(),
            file.mode(),
            file.gid(),
            user,
            &groups,
        ))
    }

    /// `name:x:id:rest`
    fn named(line: &str, id: u32) -> Option<(&str, &str)> {
        let mut fields = line.splitn(4, ':');
        let (name, found, rest) = (fields.next()?, fields.nth(1)?, fields.next()?);
        (found.parse() == Ok(id)).then_some((name, rest))
    }

    pub(super) fn text(device: &str, mode: u32, gid: u32, user: &str, groups: &str) -> String {
        let number = gid.to_string();
        let (group, members) = groups
            .lines()
            .find_map(|line| named(line, gid))
            .unwrap_or((&number, ""));
        if mode & GROUP_MAY != GROUP_MAY {
            return format!(
                "no permission to open {device}: neither its owner is you, nor may its group {group} use it; let it: \
                 sudo chmod g+rw {device}, or with a udev rule for good"
            );
        }
        if members.split(',').any(|member| member == user) {
            return format!(
                "no permission to open {device}, which belongs to the group {group}: {user} is in it, but was not when this \
                 session began; log out and in again"
            );
        }
        format!(
            "no permission to open {device}, which belongs to the group {group}; join it: \
             sudo usermod -aG {group} {user}, then log out and in again"
        )
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::super::list::UsbInfo;
    use super::super::place::UsbMatch;
    use super::*;

    const GROUPS: &str = "root:x:0:\ndialout:x:20:ann,ben\n";

    fn board(device: &str, sn: Option<&str>) -> PortInfo {
        PortInfo {
            device: device.into(),
            by_path: Some(format!("path-of-{}", &device[5..])),
            usb: Some(UsbInfo {
                vid: 0x2341,
                pid: 0x43,
                sn: sn.map(str::to_owned),
                product: Some("Uno".to_owned()),
                ..UsbInfo::default()
            }),
            ..PortInfo::default()
        }
    }

    #[test]
    fn without_permission_the_group_is_named_and_how_to_join_it() {
        let text = |mode, user| owners::text("/dev/ttyACM0", mode, 20, user, GROUPS);
        assert_eq!(
            text(0o20660, "eve"),
            "no permission to open /dev/ttyACM0, which belongs to the group dialout; join it: \
             sudo usermod -aG dialout eve, then log out and in again"
        );
        assert!(
            text(0o20660, "ben").ends_with("ben is in it, but was not when this session began; log out and in again")
        );
        assert!(text(0o20600, "eve").contains("sudo chmod g+rw /dev/ttyACM0"));
        assert!(owners::text("/dev/x", 0o660, 77, "eve", GROUPS).contains("usermod -aG 77 eve"));
    }

    #[test]
    fn what_is_missing_or_not_clear_is_told_with_what_to_choose() {
        let place = Place::Device("/dev/ttyACM9".into());
        let text = missing(&place, &[]);
        assert!(
            text.starts_with("there is no /dev/ttyACM9, nor any other serial port; plug"),
            "{text}"
        );

        let ports = [board("/dev/ttyACM0", Some("55")), board("/dev/ttyACM1", None)];
        let text = missing(&place, &ports);
        assert!(
            text.ends_with(
                "choose what is there: serial:usb?vid=2341&pid=0043&sn=55 [Uno (2341:0043, serial number 55)], \
                 serial:by-path/path-of-ttyACM1 [Uno (2341:0043)]"
            ),
            "{text}"
        );
        let wanted = UsbMatch {
            vid: Some(0x2341),
            ..UsbMatch::default()
        };
        let text = several(&Place::Usb(wanted), &ports);
        assert!(
            text.starts_with("2 boards match usb?vid=2341; choose one of them: serial:usb?"),
            "{text}"
        );

        let many: Vec<_> = (0..20).map(|n| board(&format!("/dev/ttyACM{n}"), None)).collect();
        assert!(missing(&place, &many).ends_with("and 12 more (sig ports)"));
    }
}
