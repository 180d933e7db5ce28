//! Names, passwords and keys from files. Errors name the file and the line, and never quote what stands there.

use std::fs;

use sig_core::{CarrierError, CarrierUrl};

use crate::{Admission, Credentials, Keypair, PublicKey, Security};

/// Characters of a key in Z85.
const Z85: usize = 40;

/// What a listener's options say of security, if anything.
pub(super) fn of_listener(url: &CarrierUrl) -> Result<Option<Security>, CarrierError> {
    url.expect_options(&["plain", "curve", "clients"])?;
    match (url.option("plain"), url.option("curve"), url.option("clients")) {
        (None, None, None) => Ok(None),
        (Some(_), Some(_), _) => Err(url.error("plain and curve exclude each other; give one of them")),
        (_, None, Some(_)) => Err(url.error("clients needs curve=FILE with the keys of the listener")),
        (Some(file), None, None) => {
            let list = read(url, "plain", file, credentials)?;
            Ok(Some(Security::PlainServer(Admission::only(list))))
        }
        (None, Some(file), clients) => Ok(Some(Security::CurveServer {
            keys: own_keys(url, file)?,
            admission: match clients {
                Some(file) => Admission::only(read(url, "clients", file, public_keys)?),
                None => Admission::anybody(),
            },
        })),
    }
}

/// What a dialler's options say of security, if anything.
pub(super) fn of_dialer(url: &CarrierUrl) -> Result<Option<Security>, CarrierError> {
    url.expect_options(&["plain", "curve", "server"])?;
    match (url.option("plain"), url.option("curve"), url.option("server")) {
        (None, None, None) => Ok(None),
        (Some(_), None, None) => {
            let file = url.option("plain").unwrap_or_default();
            let mut list = read(url, "plain", file, credentials)?;
            match (list.pop(), list.is_empty()) {
                (Some(one), true) => Ok(Some(Security::PlainClient(one))),
                _ => Err(url.error(format!(
                    "plain={file}: to connect it takes a file with one line, name:password"
                ))),
            }
        }
        (Some(_), ..) => Err(url.error("plain excludes curve and server; give one or the others")),
        (None, Some(_), None) => Err(url.error("curve needs server=FILE with the public key of the listener")),
        (None, keys, Some(server)) => {
            let mut list = read(url, "server", server, public_keys)?;
            let (Some(server), true) = (list.pop(), list.is_empty()) else {
                return Err(url.error(format!("server={server}: it takes a file with one public key")));
            };
            let keys = match keys {
                Some(file) => own_keys(url, file)?,
                None => Keypair::generate(),
            };
            Ok(Some(Security::CurveClient { keys, server }))
        }
    }
}

fn read<T>(
    url: &CarrierUrl,
    option: &str,
    file: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, CarrierError> {
    let text =
        fs::read_to_string(file).map_err(|error| url.error(format!("{option}={file}: cannot read it: {error}")))?;
    parse(&text).map_err(|why| url.error(format!("{option}={file}: {why}")))
}

fn own_keys(url: &CarrierUrl, file: &str) -> Result<Keypair, CarrierError> {
    read(url, "curve", file, |text| {
        let secret = value_of(text, "secret-key").ok_or_else(|| {
            "there is no line secret-key = \"..\"; name the file that ends with .key_secret".to_owned()
        })?;
        Keypair::from_secret_z85(secret).map_err(|_| format!("the secret key is not {Z85} characters of Z85"))
    })
}

/// One `name:password` in each line. Empty lines and those that begin with `#` do not count.
fn credentials(text: &str) -> Result<Vec<Credentials>, String> {
    let mut list = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(':') {
            Some((name, password)) if !name.is_empty() => list.push(Credentials::new(name, password)),
            _ => return Err(format!("line {number} is not of the form name:password")),
        }
    }
    if list.is_empty() {
        return Err("it holds no line name:password".to_owned());
    }
    Ok(list)
}

/// Public keys: one in each line, or a file as pyzmq writes it.
fn public_keys(text: &str) -> Result<Vec<PublicKey>, String> {
    let bad = |_| format!("a public key is not {Z85} characters of Z85");
    if let Some(key) = value_of(text, "public-key") {
        return Ok(vec![PublicKey::from_z85(key).map_err(bad)?]);
    }
    let mut list = Vec::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        // A key may begin with the sign of a comment.
        match PublicKey::from_z85(line) {
            Ok(key) => list.push(key),
            Err(_) if line.is_empty() || line.starts_with('#') => {}
            Err(_) => return Err(format!("line {number} is not {Z85} characters of Z85")),
        }
    }
    if list.is_empty() {
        return Err("it holds no public key".to_owned());
    }
    Ok(list)
}

/// The value of a line `name = "value"`.
fn value_of<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(directory: &Path, name: &str, text: &str) -> String {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn url(options: &str) -> CarrierUrl {
        format!("zmq:tcp://127.0.0.1:5555?{options}").parse().unwrap()
    }

    #[test]
    fn keys_are_read_as_pyzmq_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        let (server, client) = (Keypair::generate(), Keypair::generate());
        let pair = |keys: &Keypair| {
            format!(
                "#   ZeroMQ CURVE Certificate\n\nmetadata\ncurve\n    public-key = \"{}\"\n    secret-key = \"{}\"\n",
                keys.public().to_z85(),
                keys.secret_z85()
            )
        };
        let own = file(directory.path(), "a.key_secret", &pair(&server));
        let public = format!("curve\n    public-key = \"{}\"\n", server.public().to_z85());
        let public = file(directory.path(), "a.key", &public);
        let clients = file(
            directory.path(),
            "clients",
            &format!("# us\n{}\n", client.public().to_z85()),
        );

        let security = of_listener(&url(&format!("curve={own}&clients={clients}"))).unwrap();
        let Some(Security::CurveServer { keys, admission }) = security else {
            panic!()
        };
        assert_eq!(keys.public(), server.public());
        assert!(admission.admits(&client.public()) && !admission.admits(&server.public()));
        let security = of_dialer(&url(&format!("server={public}"))).unwrap();
        assert!(matches!(security, Some(Security::CurveClient { server: key, .. }) if key == server.public()));

        let wrong = of_listener(&url(&format!("curve={public}"))).unwrap_err().to_string();
        assert!(wrong.contains(".key_secret") && wrong.contains(&public), "{wrong}");
        let alone = of_dialer(&url(&format!("curve={own}"))).unwrap_err().to_string();
        assert!(alone.contains("server=FILE"), "{alone}");
        let nowhere = of_listener(&url("curve=/no/such/file")).unwrap_err().to_string();
        assert!(nowhere.contains("/no/such/file"), "{nowhere}");
    }

    #[test]
    fn errors_tell_the_line_and_not_the_secret() {
        let directory = tempfile::tempdir().unwrap();
        let users = file(directory.path(), "users", "# who\nada:s3cret\nbob:with:colon\n");
        let security = of_listener(&url(&format!("plain={users}"))).unwrap();
        let Some(Security::PlainServer(admission)) = security else {
            panic!()
        };
        assert!(admission.admits(&Credentials::new("bob", "with:colon")));
        assert!(!admission.admits(&Credentials::new("ada", "S3cret")));
        let many = of_dialer(&url(&format!("plain={users}"))).unwrap_err().to_string();
        assert!(many.contains("one line") && !many.contains("s3cret"), "{many}");

        let bad = file(directory.path(), "bad", "ada:s3cret\nhunter2\n");
        let error = of_listener(&url(&format!("plain={bad}"))).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
        let key = file(directory.path(), "short", "secret-key = \"hunter2\"");
        let error = of_listener(&url(&format!("curve={key}"))).unwrap_err().to_string();
        assert!(error.contains("Z85") && !error.contains("hunter2"), "{error}");
        let both = of_listener(&url(&format!("plain={users}&curve={key}")))
            .unwrap_err()
            .to_string();
        assert!(both.contains("exclude"), "{both}");
    }
}
