//! What is known of this machine at one moment.

use std::collections::BTreeMap;

use serde::Serialize;

/// One reading. Sizes are in bytes.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sample {
    pub(super) machine: Machine,
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) disks: Vec<Disk>,
    pub(super) network: BTreeMap<String, Interface>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) temperatures: Vec<Temperature>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) name: Option<String>,
    pub(super) system: Option<String>,
    pub(super) uptime_seconds: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Cpu {
    /// Share of all processors in use since the last reading.
    pub(super) percent: f64,
    /// The same for each processor.
    pub(super) each: Vec<f64>,
    /// Runnable programs, over 1, 5 and 15 minutes.
    pub(super) load: [f64; 3],
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Memory {
    pub(super) percent: f64,
    pub(super) total: u64,
    pub(super) used: u64,
    pub(super) available: u64,
    pub(super) swap_total: u64,
    pub(super) swap_used: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Disk {
    pub(super) mount: String,
    pub(super) device: String,
    pub(super) file_system: String,
    pub(super) percent: f64,
    pub(super) total: u64,
    pub(super) available: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Interface {
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) received_per_second: u64,
    pub(super) sent_per_second: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Temperature {
    pub(super) label: String,
    pub(super) celsius: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) critical: Option<f64>,
}
