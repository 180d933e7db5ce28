//! Our options and endpoints in its words.

use omq_tokio::options::WorkloadProfile;
use omq_tokio::{CurveServerOptions, Endpoint, ReconnectPolicy};

use crate::security::{Credentials, PublicKey, Security};
use crate::{Error, Options};

/// What to write, for whoever wrote something else.
const FORMS: &str = "use tcp://HOST:PORT, ipc://PATH, inproc://NAME or udp://HOST:PORT (RADIO and DISH)";

/// The longest prefix that a peer may subscribe to. The library walks a tree by calling itself, once for each of its bytes at worst, and
/// the stack ends where a few thousand calls are nested.
const LONGEST_PREFIX: usize = 1024;

pub(crate) fn endpoint(text: &str) -> Result<Endpoint, Error> {
    // libzmq also writes `*` for any free port.
    let resolved = match text.strip_suffix(":*") {
        Some(host) if text.starts_with("tcp://") || text.starts_with("udp://") => &format!("{host}:0"),
        _ => text,
    };
    let parsed = resolved.parse::<Endpoint>().map_err(|error| Error::Endpoint {
        endpoint: text.to_owned(),
        reason: format!("{}; {FORMS}", reason(error, resolved)),
    })?;
    match parsed {
        Endpoint::Tcp { .. } | Endpoint::Ipc(_) | Endpoint::Inproc { .. } | Endpoint::Udp { .. } => Ok(parsed),
        _ => Err(Error::Endpoint {
            endpoint: text.to_owned(),
            reason: format!("libzmq does not speak it; {FORMS}"),
        }),
    }
}

/// Why a text is no endpoint. What names the text itself says no more than that.
fn reason(error: omq_tokio::Error, text: &str) -> String {
    match error {
        omq_tokio::Error::InvalidEndpoint(whole) if whole == text => "it names no transport".into(),
        omq_tokio::Error::InvalidEndpoint(why) => why,
        omq_tokio::Error::UnsupportedScheme(scheme) => format!("there is no transport {scheme}"),
        other => other.to_string(),
    }
}

pub(super) fn of(options: &Options) -> omq_tokio::Options {
    let (first, longest) = options.reconnect;
    let mut settings = omq_tokio::Options::new()
        .send_hwm(options.send_high_water)
        .recv_hwm(options.receive_high_water)
        .identity(options.identity.clone())
        .max_message_size(options.max_message)
        .max_pending_handshakes(options.max_pending_handshakes)
        .handshake_timeout(options.handshake_timeout)
        .reconnect(ReconnectPolicy::Exponential {
            min: first,
            max: longest.max(first),
        })
        .conflate(options.conflate)
        .subscription_admission(|asked| asked.prefix.len() <= LONGEST_PREFIX)
        .router_mandatory(options.mandatory);
    if options.low_latency {
        settings = settings.workload_profile(WorkloadProfile::Latency);
    }
    settings.linger = options.linger;
    settings.xpub_nodrop = options.no_drop;
    if let Some(heartbeat) = options.heartbeat {
        settings.heartbeat_interval = Some(heartbeat.interval);
        settings.heartbeat_timeout = Some(heartbeat.timeout);
        settings.heartbeat_ttl = Some(heartbeat.timeout);
    }
    secure(settings, &options.security)
}

fn secure(settings: omq_tokio::Options, security: &Security) -> omq_tokio::Options {
    match security.clone() {
        Security::Null => settings,
        Security::PlainServer(admission) => settings.plain_server(move |peer| {
            let (Some(name), Some(password)) = (&peer.username, &peer.password) else {
                return false;
            };
            admission.admits(&Credentials::new(name.clone(), password.clone()))
        }),
        Security::PlainClient(credentials) => settings.plain_client(credentials.name(), credentials.password()),
        Security::CurveServer { keys, admission } => {
            let ask = move |key| admission.admits(&PublicKey::from_bytes(key));
            let server = CurveServerOptions::new().authenticator(move |peer| ask(peer.public_key));
            settings.curve_server_with_options(keys.0, server)
        }
        Security::CurveClient { keys, server } => settings.curve_client(keys.0, server.omq()),
    }
}
