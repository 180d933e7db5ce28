//! What the programs of the timer trio have in common: their command line. And boards for the examples with serial lines.

#[cfg(unix)]
pub mod board;

use std::error::Error;
use std::time::Duration;

/// `[HOST:PORT] [--period SECONDS] [--seconds SECONDS]`
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the server is.
    pub address: String,
    /// Time between two tics.
    pub period: Duration,
    /// How long to run; without it, until Ctrl-C.
    pub seconds: Option<Duration>,
}

impl Options {
    /// Reads the command line of this program.
    ///
    /// # Errors
    ///
    /// When it has another form.
    pub fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            address: "127.0.0.1:3000".to_owned(),
            period: Duration::from_secs(1),
            seconds: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut seconds = || -> Result<Duration, Box<dyn Error>> {
                let text = args.next().ok_or_else(|| format!("{arg} wants a number of seconds"))?;
                Ok(Duration::try_from_secs_f64(text.parse()?)?)
            };
            match &*arg {
                "--period" => options.period = seconds()?.max(Duration::from_millis(1)),
                "--seconds" => options.seconds = Some(seconds()?),
                option if option.starts_with('-') => {
                    return Err(format!("no option {option}; there are --period N and --seconds N").into());
                }
                address => options.address = address.to_owned(),
            }
        }
        Ok(options)
    }

    /// Waits until it is time to end: for Ctrl-C, or as long as the command line says.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn end(&self) {
        let seconds = async {
            match self.seconds {
                Some(seconds) => tokio::time::sleep(seconds).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = seconds => {}
        }
    }
}
