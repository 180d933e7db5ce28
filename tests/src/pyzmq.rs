//! The real pyzmq, found or fetched, for the scripts in `pyzmq/`.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;
use tokio::process::Command;

use crate::process::Process;
use crate::python;

/// What its scripts and settings are called after.
const NAME: &str = "pyzmq";

/// A pyzmq that runs on this machine.
#[derive(Debug, Clone)]
pub struct Pyzmq {
    python: PathBuf,
    pythonpath: PathBuf,
}

impl Pyzmq {
    /// The pyzmq of this machine, or `None` when the test that asks must return without testing anything.
    ///
    /// A `None` is reported on stderr together with the reason.
    ///
    /// # Panics
    ///
    /// Instead of returning `None` when `SIG_REQUIRE_PYZMQ=1` is set.
    #[must_use]
    pub fn available() -> Option<Self> {
        static FOUND: OnceLock<Result<Pyzmq, String>> = OnceLock::new();
        match FOUND.get_or_init(find) {
            Ok(found) => Some(found.clone()),
            Err(why) => {
                python::skip(NAME, why);
                None
            }
        }
    }

    /// Runs one of the scripts.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, script: &str, args: &[&str]) -> Process {
        let mut command = Command::new(&self.python);
        command.arg("-u").arg("-B").arg(python::scripts(NAME).join(script));
        command.args(args).env("PYTHONPATH", &self.pythonpath);
        Process::of(script, command)
    }

    /// A client in pysig's JSON over one socket of this type: `dealer.py`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub async fn client(&self, endpoint: &str, kind: &str, identity: &str) -> Client {
        self.secure_client(endpoint, kind, identity, &serde_json::json!({}))
            .await
    }

    /// The same, that proves who it is.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub async fn secure_client(&self, endpoint: &str, kind: &str, identity: &str, security: &Value) -> Client {
        let mut process = self.run("dealer.py", &[endpoint, kind, identity, &security.to_string()]);
        process.says_line(r#"{"ready": true}"#).await;
        Client { process }
    }
}

fn find() -> Result<Pyzmq, String> {
    let answer = python::provision(NAME, &[])?;
    Ok(Pyzmq {
        python: python::path(&answer, "python")?,
        pythonpath: python::path(&answer, "pythonpath")?,
    })
}

/// A client in pysig's JSON over one socket of pyzmq.
#[derive(Debug)]
pub struct Client {
    process: Process,
}

impl Client {
    /// Sends a call. Its reply comes as any other line.
    pub async fn send(&mut self, method: &str, params: Value) {
        self.process
            .tell(&serde_json::json!(["call", method, params]).to_string())
            .await;
    }

    /// Sends frames as they are.
    pub async fn send_frames(&mut self, frames: &[&str]) {
        let mut command = vec!["send"];
        command.extend_from_slice(frames);
        self.process.tell(&Value::from(command).to_string()).await;
    }

    /// Takes lines until one of this sort, and gives what it holds.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub async fn says(&mut self, sort: &str) -> Value {
        let wanted = |line: &str| {
            let mut line: Value = serde_json::from_str(line).ok()?;
            line.get_mut(sort).map(Value::take)
        };
        self.process.says(sort, wanted).await
    }

    /// Calls, and gives the reply.
    ///
    /// # Panics
    ///
    /// When it does not come in time.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(method, params).await;
        self.says("reply").await
    }

    /// Calls what must succeed, and gives the response.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub async fn ok(&mut self, method: &str, params: Value) -> Value {
        let mut reply = self.call(method, params).await;
        assert_eq!(reply["status"], 0, "{method}: {reply}");
        reply["response"].take()
    }

    /// Kills the program (`kill -9`).
    pub async fn kill(self) {
        self.process.kill().await;
    }
}
