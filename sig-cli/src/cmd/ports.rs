//! `sig ports`

use serde::Serialize;
use sig_carrier_serial::{Enumerator as _, PortInfo, System};

use crate::exit::Failure;
use crate::output::{Output, one_line};

/// A port as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    address: String,
    device: String,
    vid: Option<String>,
    pid: Option<String>,
    sn: Option<String>,
    manufacturer: Option<String>,
    product: Option<String>,
    by_id: Option<String>,
    by_path: Option<String>,
}

/// Lists the serial ports.
pub(crate) fn run(out: &mut Output) -> Result<(), Failure> {
    let ports = System
        .ports()
        .map_err(|error| Failure::system("cannot list the serial ports", &error))?;
    let rows = rows(&ports);
    if rows.is_empty() {
        out.note("empty", "no serial ports here; is a board plugged in?");
    }
    if out.is_json() {
        return rows.iter().try_for_each(|row| out.object(row));
    }
    out.raw(table(&rows).as_bytes())
}

fn rows(ports: &[PortInfo]) -> Vec<Row> {
    let row = |port: &PortInfo| {
        let usb = port.usb.clone();
        let usb = usb.as_ref();
        Row {
            address: port.address(ports),
            device: port.device.display().to_string(),
            vid: usb.map(|usb| format!("{:04x}", usb.vid)),
            pid: usb.map(|usb| format!("{:04x}", usb.pid)),
            sn: usb.and_then(|usb| usb.sn.clone()),
            manufacturer: usb.and_then(|usb| usb.manufacturer.clone()),
            product: usb.and_then(|usb| usb.product.clone()),
            by_id: port.by_id.clone(),
            by_path: port.by_path.clone(),
        }
    };
    ports.iter().map(row).collect()
}

/// One line for each port under the names of the columns; nothing where there is no port.
fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = ["ADDRESS", "DEVICE", "VID:PID", "SERIAL NUMBER", "DESCRIPTION"].map(str::to_owned);
    let lines: Vec<_> = [head].into_iter().chain(rows.iter().map(columns)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..4).map(width).collect();
    let line = |line: &[String; 5]| {
        let [address, device, numbers, sn, description] = line;
        let (a, d, n, s) = (widths[0], widths[1], widths[2], widths[3]);
        let text = format!("{address:a$}  {device:d$}  {numbers:n$}  {sn:s$}  {description}");
        format!("{}\n", text.trim_end())
    };
    lines.iter().map(line).collect()
}

fn columns(row: &Row) -> [String; 5] {
    let dash = || "-".to_owned();
    let numbers = row.vid.as_ref().zip(row.pid.as_ref());
    let words: Vec<_> = [&row.manufacturer, &row.product]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let description = if words.is_empty() { dash() } else { words.join(" ") };
    let columns = [
        quoted(&row.address),
        row.device.clone(),
        numbers.map_or_else(dash, |(vid, pid)| format!("{vid}:{pid}")),
        row.sn.clone().unwrap_or_else(dash),
        description,
    ];
    // What a board says of itself may be anything.
    columns.map(|column| one_line(&column).into_owned())
}

/// As it must be written in a shell.
fn quoted(address: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+,".contains(c);
    if address.chars().all(plain) {
        return address.to_owned();
    }
    format!("'{}'", address.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use sig_carrier_serial::UsbInfo;

    use super::*;

    fn ports() -> [PortInfo; 2] {
        let uno = UsbInfo {
            vid: 0x2341,
            pid: 0x43,
            sn: Some("5573".to_owned()),
            manufacturer: Some("Arduino".to_owned()),
            product: Some("Uno\u{1b}[2J".to_owned()),
        };
        [
            PortInfo {
                device: "/dev/ttyACM0".into(),
                by_id: Some("usb-Arduino_5573".to_owned()),
                usb: Some(uno),
                ..PortInfo::default()
            },
            PortInfo {
                device: "/dev/ttyS0".into(),
                ..PortInfo::default()
            },
        ]
    }

    #[test]
    fn ports_stand_one_to_a_line_with_an_address_for_the_shell() {
        assert_eq!(
            table(&rows(&ports())),
            "ADDRESS                                DEVICE        VID:PID    SERIAL NUMBER  DESCRIPTION\n\
             'serial:usb?vid=2341&pid=0043&sn=5573'  /dev/ttyACM0  2341:0043  5573           Arduino Uno\\u001b[2J\n\
             serial:///dev/ttyS0                     /dev/ttyS0    -          -              -\n"
                .replace(
                    "ADDRESS                              ",
                    "ADDRESS                               "
                )
        );
        assert_eq!(table(&[]), "");
        assert_eq!(quoted("a'b"), "'a'\\''b'");
    }

    #[test]
    fn programs_get_every_field() {
        let row = serde_json::to_value(&rows(&ports())[0]).unwrap();
        let wanted = serde_json::json!({
            "address": "serial:usb?vid=2341&pid=0043&sn=5573",
            "device": "/dev/ttyACM0",
            "vid": "2341",
            "pid": "0043",
            "sn": "5573",
            "manufacturer": "Arduino",
            "product": "Uno\u{1b}[2J",
            "by_id": "usb-Arduino_5573",
            "by_path": null,
        });
        assert_eq!(row, wanted);
    }
}
