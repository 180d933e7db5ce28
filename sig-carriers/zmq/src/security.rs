//! Who may connect, and whether others can read along.

use std::fmt;
use std::sync::Arc;

use crate::Error;

/// How a socket and its peers prove who they are. Both ends must use the same.
///
/// PLAIN proves a name and a password, and hides neither: use it on links that nobody else can read. CURVE proves keys and encrypts.
/// Nobody has published an audit of the implementation, so across hostile networks prefer TLS over TCP. Sockets of
/// [`Library::Libzmq`](crate::Library::Libzmq) have no CURVE.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Security {
    /// Nothing is proven and nothing is hidden.
    #[default]
    Null,
    /// Lets in whoever knows a name and its password.
    PlainServer(Admission<Credentials>),
    /// Proves a name with a password.
    PlainClient(Credentials),
    /// Is known by a key, and lets in clients by theirs.
    CurveServer {
        /// Its own keys. Clients must know the public one.
        keys: Keypair,
        /// Which clients come in.
        admission: Admission<PublicKey>,
    },
    /// Connects to the owner of a key only.
    CurveClient {
        /// Its own keys.
        keys: Keypair,
        /// The public key of the server.
        server: PublicKey,
    },
}

/// Who is let in.
#[derive(Clone)]
pub struct Admission<T>(Rule<T>);

#[derive(Clone)]
enum Rule<T> {
    Anybody,
    Listed(Arc<[T]>),
    Asked(Arc<dyn Fn(&T) -> bool + Send + Sync>),
}

impl<T: PartialEq> Admission<T> {
    /// Whoever gets this far. With PLAIN that is everybody, with CURVE whoever knows the public key of the server.
    #[must_use]
    pub const fn anybody() -> Self {
        Self(Rule::Anybody)
    }

    /// These. An empty list lets nobody in.
    #[must_use]
    pub fn only(list: impl IntoIterator<Item = T>) -> Self {
        Self(Rule::Listed(list.into_iter().collect()))
    }

    /// Whom the function lets in. It may block. A panic in it lets nobody in.
    #[must_use]
    pub fn asking(function: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::Asked(Arc::new(function)))
    }

    /// Whether `who` is let in.
    #[must_use]
    pub fn admits(&self, who: &T) -> bool {
        match &self.0 {
            Rule::Anybody => true,
            // To the end, so that the time tells less about the list.
            Rule::Listed(list) => list.iter().fold(false, |found, one| found | (one == who)),
            Rule::Asked(function) => {
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| function(who))).unwrap_or_default()
            }
        }
    }
}

impl<T> fmt::Debug for Admission<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Anybody => f.write_str("Anybody"),
            Rule::Listed(list) => write!(f, "Only({})", list.len()),
            Rule::Asked(_) => f.write_str("Asking(..)"),
        }
    }
}

/// A name and its password, up to 255 bytes of visible ASCII each.
#[derive(Clone)]
pub struct Credentials {
    name: String,
    password: String,
}

impl Credentials {
    /// This name with this password.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: password.into(),
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl PartialEq for Credentials {
    /// In a time that tells nothing about where a password differs.
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.password.as_bytes(), other.password.as_bytes());
        let differ = ours.iter().zip(theirs).fold(0, |differ, (a, b)| differ | (a ^ b));
        (differ == 0) & (ours.len() == theirs.len()) & (self.name == other.name)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The public half of a pair of CURVE keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From the 40 characters of Z85 that ZeroMQ writes it in.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when it is not 40 characters of Z85.
    pub fn from_z85(text: &str) -> Result<Self, Error> {
        let key = omq_tokio::CurvePublicKey::from_z85(text).map_err(|error| bad_key("public", &error))?;
        Ok(Self(*key.as_bytes()))
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// In the 40 characters of Z85.
    #[must_use]
    pub fn to_z85(&self) -> String {
        self.omq().to_z85()
    }

    pub(crate) fn omq(&self) -> omq_tokio::CurvePublicKey {
        omq_tokio::CurvePublicKey::from_bytes(self.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.to_z85())
    }
}

/// A pair of CURVE keys.
#[derive(Clone)]
pub struct Keypair(pub(crate) omq_tokio::CurveKeypair);

impl Keypair {
    /// A new pair from the randomness of the system.
    #[must_use]
    pub fn generate() -> Self {
        Self(omq_tokio::CurveKeypair::generate())
    }

    /// From the secret half, in Z85. The public half follows from it.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when it is not 40 characters of Z85.
    pub fn from_secret_z85(text: &str) -> Result<Self, Error> {
        let secret = omq_tokio::CurveSecretKey::from_z85(text).map_err(|error| bad_key("secret", &error))?;
        let public = secret.derive_public();
        Ok(Self(omq_tokio::CurveKeypair { public, secret }))
    }

    /// The half that others may know.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.public.as_bytes())
    }

    /// The half that nobody else may know, in Z85, to be kept.
    #[must_use]
    pub fn secret_z85(&self) -> String {
        self.0.secret.to_z85()
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keypair")
            .field("public", &self.public())
            .finish_non_exhaustive()
    }
}

fn bad_key(half: &str, error: &omq_tokio::Error) -> Error {
    Error::Option(format!(
        "a {half} CURVE key is 40 characters of Z85, as zmq.curve_keypair() gives: {error}"
    ))
}
