//! Our options in its words.

use std::time::Duration;

use sig_libzmq::{Failed, Option32, OptionBytes, Socket};

use crate::{Error, Kind, Options, Security};

pub(super) fn apply(kind: Kind, options: &Options, socket: &Socket) -> Result<(), Error> {
    secure(kind, &options.security, socket)?;
    let set = |option, value| named(socket.set(option, value), option);
    set(Option32::SndHwm, number(options.send_high_water))?;
    set(Option32::RcvHwm, number(options.receive_high_water))?;
    set(Option32::Linger, options.linger.map_or(-1, millis))?;
    set(Option32::HandshakeIvl, millis(options.handshake_timeout))?;
    set(
        Option32::Backlog,
        i32::try_from(options.max_pending_handshakes).unwrap_or(i32::MAX),
    )?;
    set(Option32::ReconnectIvl, millis(options.reconnect.0))?;
    set(Option32::ReconnectIvlMax, millis(options.reconnect.1))?;
    let longest = i64::try_from(options.max_message).unwrap_or(i64::MAX);
    named(socket.set_max_message(longest), "max_message")?;
    if let Some(heartbeat) = options.heartbeat {
        set(Option32::HeartbeatIvl, millis(heartbeat.interval))?;
        set(Option32::HeartbeatTimeout, millis(heartbeat.timeout))?;
        set(Option32::HeartbeatTtl, millis(heartbeat.timeout))?;
    }
    if options.conflate {
        set(Option32::Conflate, 1)?;
    }
    if kind == Kind::Router {
        set(Option32::RouterMandatory, i32::from(options.mandatory))?;
    }
    if matches!(kind, Kind::Xpub | Kind::Pub) {
        set(Option32::XpubNodrop, i32::from(options.no_drop))?;
    }
    if !options.identity.is_empty() {
        named(socket.set_bytes(OptionBytes::RoutingId, &options.identity), "identity")?;
    }
    Ok(())
}

fn secure(kind: Kind, security: &Security, socket: &Socket) -> Result<(), Error> {
    let set = |option, value| named(socket.set(option, value), option);
    match security {
        Security::Null => Ok(()),
        Security::PlainClient(credentials) => {
            named(
                socket.set_bytes(OptionBytes::PlainUsername, credentials.name().as_bytes()),
                "name",
            )?;
            named(
                socket.set_bytes(OptionBytes::PlainPassword, credentials.password().as_bytes()),
                "password",
            )
        }
        Security::PlainServer(_) => set(Option32::PlainServer, 1),
        Security::CurveServer { .. } | Security::CurveClient { .. } => Err(Error::Unsupported {
            what: format!("CURVE on a {kind} socket of libzmq, which would need libsodium,"),
            fix: "use Library::Omq, which has it and speaks it with every libzmq",
        }),
    }
}

fn named(result: Result<(), Failed>, option: impl std::fmt::Debug) -> Result<(), Error> {
    result.map_err(|error| Error::Option(format!("libzmq refuses {option:?}: {error}")))
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}
