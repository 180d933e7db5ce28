//! A cable that tests can cut: a TCP proxy.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the proxy does with the bytes that it is to pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// It passes them on.
    Whole,
    /// It passes them on towards the server, and takes none from the server: a client that does not read.
    Deaf,
    /// It takes nothing and closes nothing: the plug is pulled.
    Silent,
    /// It closes every connection, new ones too.
    Cut,
}

/// A TCP proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    cable: watch::Sender<Cable>,
    torn: watch::Sender<u64>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// A proxy to this address.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (cable, state) = watch::channel(Cable::Whole);
        let (torn, tears) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target.to_owned(), state, tears));
        Self {
            address,
            cable,
            torn,
            _tasks: tasks,
        }
    }

    /// Changes the cable, for the connections that there are and for new ones.
    pub fn set(&self, cable: Cable) {
        self.cable.send_replace(cable);
    }

    /// Makes the connections that there are half-open: closes them towards the client, and keeps them towards the
    /// server, silent, until the proxy is dropped. New ones are as the cable is.
    pub fn tear(&self) {
        self.torn.send_modify(|tears| *tears += 1);
    }
}

async fn accept(listener: TcpListener, target: String, cable: watch::Receiver<Cable>, torn: watch::Receiver<u64>) {
    let mut links = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else { return };
        while links.try_join_next().is_some() {}
        let mut torn = torn.clone();
        torn.mark_unchanged();
        links.spawn(link(near, target.clone(), cable.clone(), torn));
    }
}

/// One connection: ends when either side closes, or the cable is cut.
async fn link(mut near: TcpStream, target: String, mut cable: watch::Receiver<Cable>, mut torn: watch::Receiver<u64>) {
    let (up, down) = (cable.clone(), cable.clone());
    let passing = async move {
        let Ok(mut far) = TcpStream::connect(&target).await else {
            return;
        };
        for stream in [&near, &far] {
            let _ = stream.set_nodelay(true);
        }
        {
            let ((near_read, near_write), (far_read, far_write)) = (near.split(), far.split());
            tokio::select! {
                () = pass(near_read, far_write, up, |cable| matches!(cable, Cable::Whole | Cable::Deaf)) => return,
                () = pass(far_read, near_write, down, |cable| cable == Cable::Whole) => return,
                _ = torn.changed() => {}
            }
        }
        drop(near);
        std::future::pending::<()>().await;
        drop(far);
    };
    tokio::select! {
        _ = cable.wait_for(|cable| *cable == Cable::Cut) => {}
        () = passing => {}
    }
}

/// Passes bytes on in one direction, while the cable lets it.
async fn pass(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut cable: watch::Receiver<Cable>,
    open: fn(Cable) -> bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if cable.wait_for(|cable| open(*cable)).await.is_err() {
            return;
        }
        let read = tokio::select! {
            biased;
            _ = cable.wait_for(|cable| !open(*cable)) => continue,
            read = from.read(&mut buffer) => read,
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                if to.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
