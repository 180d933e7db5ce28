//! Reads the figures of this machine.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sysinfo::{Components, Disks, MINIMUM_CPU_UPDATE_INTERVAL, Networks, System};

use super::sample::{Cpu, Disk, Interface, Machine, Memory, Sample, Temperature};

/// Reads figures; some of them, the shares and rates, are measured between two readings.
#[derive(Debug)]
pub(super) struct Figures {
    system: System,
    disks: Disks,
    networks: Networks,
    components: Components,
    read: Instant,
}

impl Figures {
    /// Takes the first reading.
    pub(super) fn new() -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        Self {
            system,
            disks: Disks::new(),
            networks: Networks::new_with_refreshed_list(),
            components: Components::new_with_refreshed_list(),
            read: Instant::now(),
        }
    }

    /// How long to wait between two readings, at least.
    pub(super) fn shortest_period() -> Duration {
        MINIMUM_CPU_UPDATE_INTERVAL
    }

    /// Whether the machine shows any temperature.
    pub(super) fn has_temperatures(&self) -> bool {
        self.components.iter().any(|one| one.temperature().is_some())
    }

    /// Reads everything. It may block: a network file system that does not answer keeps whoever asks for its size.
    pub(super) fn sample(&mut self) -> Sample {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.disks.refresh(true);
        self.networks.refresh(true);
        self.components.refresh(true);
        let elapsed = self.read.elapsed().as_secs_f64().max(0.001);
        self.read = Instant::now();
        Sample {
            machine: Machine {
                name: System::host_name(),
                system: System::long_os_version(),
                uptime_seconds: System::uptime(),
            },
            cpu: self.cpu(),
            memory: self.memory(),
            disks: self.disks(),
            network: self.network(elapsed),
            temperatures: self.temperatures(),
        }
    }

    fn cpu(&self) -> Cpu {
        let load = System::load_average();
        Cpu {
            percent: tenths(self.system.global_cpu_usage().into()),
            each: self
                .system
                .cpus()
                .iter()
                .map(|cpu| tenths(cpu.cpu_usage().into()))
                .collect(),
            load: [load.one, load.five, load.fifteen].map(|load| (load * 100.0).round() / 100.0),
        }
    }

    fn memory(&self) -> Memory {
        let (total, available) = (self.system.total_memory(), self.system.available_memory());
        Memory {
            percent: percent(total.saturating_sub(available), total),
            total,
            used: self.system.used_memory(),
            available,
            swap_total: self.system.total_swap(),
            swap_used: self.system.used_swap(),
        }
    }

    /// Each device once, where it is mounted nearest to the root: containers mount one device many times.
    fn disks(&self) -> Vec<Disk> {
        let mut devices = BTreeMap::<_, &sysinfo::Disk>::new();
        for disk in self.disks.iter().filter(|disk| disk.total_space() > 0) {
            let seen = devices.entry((disk.name(), disk.total_space())).or_insert(disk);
            if disk.mount_point().as_os_str().len() < seen.mount_point().as_os_str().len() {
                *seen = disk;
            }
        }
        let mut disks: Vec<Disk> = devices
            .into_values()
            .map(|disk| Disk {
                mount: disk.mount_point().display().to_string(),
                device: disk.name().to_string_lossy().into_owned(),
                file_system: disk.file_system().to_string_lossy().into_owned(),
                percent: percent(
                    disk.total_space().saturating_sub(disk.available_space()),
                    disk.total_space(),
                ),
                total: disk.total_space(),
                available: disk.available_space(),
            })
            .collect();
        disks.sort_by(|a, b| a.mount.cmp(&b.mount));
        disks
    }

    fn network(&self, elapsed: f64) -> BTreeMap<String, Interface> {
        let rate = |bytes: u64| (bytes as f64 / elapsed).round() as u64;
        self.networks
            .iter()
            .map(|(name, data)| {
                let interface = Interface {
                    received: data.total_received(),
                    sent: data.total_transmitted(),
                    received_per_second: rate(data.received()),
                    sent_per_second: rate(data.transmitted()),
                };
                (name.clone(), interface)
            })
            .collect()
    }

    fn temperatures(&self) -> Vec<Temperature> {
        let mut temperatures: Vec<_> = self
            .components
            .iter()
            .filter_map(|one| {
                Some(Temperature {
                    label: one.label().to_owned(),
                    celsius: tenths(one.temperature()?.into()),
                    critical: one.critical().map(|critical| tenths(critical.into())),
                })
            })
            .collect();
        temperatures.sort_by(|a, b| a.label.cmp(&b.label));
        temperatures
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    tenths(part as f64 * 100.0 / whole as f64)
}

/// Rounded to one decimal; no figure at all becomes 0.
fn tenths(value: f64) -> f64 {
    if value.is_finite() {
        (value * 10.0).round() / 10.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_a_real_machine() {
        let mut figures = Figures::new();
        std::thread::sleep(Figures::shortest_period());
        let sample = figures.sample();
        assert!(!sample.cpu.each.is_empty());
        assert!((0.0..=100.0).contains(&sample.cpu.percent), "{:?}", sample.cpu);
        assert!(sample.memory.total > 1 << 20 && sample.memory.available <= sample.memory.total);
        assert!(sample.disks.iter().all(|disk| disk.available <= disk.total));
        assert_eq!(figures.has_temperatures(), !sample.temperatures.is_empty());
    }

    #[test]
    fn shares_are_rounded_and_never_undefined() {
        assert_eq!((percent(1, 3), percent(1, 0), tenths(f64::NAN)), (33.3, 0.0, 0.0));
    }
}
