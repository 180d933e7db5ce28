//! Disk-usage reporters on a schedule, and a collector of what they report: figures of real disks.
//!
//! ```sh
//! cargo run --example disk_usage                                 # both in one process, three reports
//! cargo run --example disk_usage -- collect 127.0.0.1:3000       # on one machine
//! cargo run --example disk_usage -- report 127.0.0.1:3000 60     # on many, every 60 s; from cron: 0 for once
//! ```
//!
//! Reporters trigger the channel `#disk_usage`, so the collector need not know who they are.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sig_router::{ClientRouter, DEFAULT_GRACE, ServerRouter};
use sysinfo::{Disks, System};

/// One disk at one moment. Sizes are in bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Usage {
    mount: String,
    total: u64,
    available: u64,
}

fn read_disks() -> Vec<Usage> {
    let disks = Disks::new_with_refreshed_list();
    let usage = |disk: &sysinfo::Disk| Usage {
        mount: disk.mount_point().display().to_string(),
        total: disk.total_space(),
        available: disk.available_space(),
    };
    let mut usage: Vec<_> = disks.iter().filter(|disk| disk.total_space() > 0).map(usage).collect();
    usage.sort_by(|a, b| a.mount.cmp(&b.mount));
    usage
}

/// Reports once and then every `period`, for so many times.
async fn report(address: &str, period: Duration, times: u64) -> Result<(), Box<dyn Error>> {
    let client = ClientRouter::connect(Arc::new(sig_carrier_tcp::dial(address)?))?;
    let name = format!(
        "disks@{}",
        System::host_name().unwrap_or_else(|| "localhost".to_owned())
    );
    let sender = client.add_remote_sender(name).event("#disk_usage").connect().await?;
    let signal = sender.signal("#disk_usage")?;
    let mut schedule = tokio::time::interval(period.max(Duration::from_millis(1)));
    for _ in 0..times {
        schedule.tick().await;
        // A network file system may keep its asker waiting: not on a thread that has other things to do.
        let usage = tokio::task::spawn_blocking(read_disks).await?;
        if let Err(error) = signal.trigger(&usage).await {
            eprintln!("a report is lost: {error}");
        }
    }
    client.close(DEFAULT_GRACE).await;
    Ok(())
}

/// Prints what the reporters report, and who comes and goes.
async fn collect(server: &ServerRouter) -> Result<(), Box<dyn Error>> {
    let mut events = server.listen("*")?;
    while let Some(event) = events.recv().await {
        let event = event?;
        match event.name().as_str() {
            "#connect" => println!("{} is there", event.sender()),
            "#disconnect" => println!("{} has left", event.sender()),
            _ => {
                for Usage {
                    mount,
                    total,
                    available,
                } in event.decode::<Vec<Usage>>()?
                {
                    let used = (total - available.min(total)) as f64 * 100.0 / total as f64;
                    let free = available as f64 / f64::from(1 << 30);
                    println!("{} {mount}: {used:.1} % used, {free:.1} GiB free", event.sender());
                }
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["report", address, "0"] => report(address, Duration::ZERO, 1).await,
        ["report", address, seconds] => report(address, Duration::try_from_secs_f64(seconds.parse()?)?, u64::MAX).await,
        ["collect", address] => {
            let server = ServerRouter::new()?;
            server.attach(Arc::new(sig_carrier_tcp::listen(address)?));
            collect(&server).await
        }
        [] => {
            let carrier = sig_carrier_tcp::listen("127.0.0.1:0")?;
            let address = carrier.medium().local_addr().to_string();
            let server = ServerRouter::new()?;
            server.attach(Arc::new(carrier));
            let reporter = async {
                report(&address, Duration::from_millis(200), 3).await?;
                server.close(DEFAULT_GRACE).await;
                Ok(())
            };
            tokio::try_join!(collect(&server), reporter).map(drop)
        }
        _ => Err("disk_usage [collect HOST:PORT | report HOST:PORT SECONDS]".into()),
    }
}
