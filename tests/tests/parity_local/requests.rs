//! Requests: P33 to P36.

use sig_router::{HandlerError, RequestError, Router};

#[tokio::test]
async fn p33_a_request_returns_what_the_handler_does() {
    let router = Router::new();
    let _calculator = router
        .add_sender("calculator")
        .request("add", |request| {
            Ok(request.params::<(i64, i64)>().map(|(a, b)| a + b)?)
        })
        .request_async("slow_add", |request| async move {
            let (a, b) = request.params::<(i64, i64)>()?;
            tokio::task::yield_now().await;
            Ok(a + b)
        })
        .request("nothing", |_| Ok(()))
        .connect()
        .unwrap();
    for method in ["add", "slow_add"] {
        let sum = router.request("calculator", method, &(20, 22)).await.unwrap();
        assert_eq!(sum.parse::<i64>().unwrap(), 42, "{method}");
    }
    assert!(router.request("calculator", "nothing", &()).await.unwrap().is_null());
}

#[tokio::test]
async fn p34_the_default_handler_gets_what_no_other_handles() {
    let router = Router::new();
    let _sender = router
        .add_sender("S")
        .request("own", |_| Ok("own handler"))
        .default_request(|request| {
            Ok(format!(
                "{}({}) of {}",
                request.method(),
                request.raw_params(),
                request.sender()
            ))
        })
        .connect()
        .unwrap();
    let ask = async |method| {
        router
            .request("S", method, &[1, 2])
            .await
            .unwrap()
            .parse::<String>()
            .unwrap()
    };
    assert_eq!(ask("own").await, "own handler");
    assert_eq!(ask("other").await, "other([1,2]) of S");

    let _asynchronous = router
        .add_sender("T")
        .default_request_async(|request| async move { Ok(request.method().len()) })
        .connect()
        .unwrap();
    assert_eq!(router.request("T", "four", &()).await.unwrap().text(), "4");
}

#[tokio::test]
async fn p35_each_failure_has_its_type_and_pysigs_words() {
    let router = Router::new();
    let _mute = router.add_sender("mute").event("e").connect().unwrap();
    let _sender = router
        .add_sender("S")
        .request("fails", |_| {
            Err::<(), _>(HandlerError::new("out of paper").with_code("paper"))
        })
        .request("numbers", |request| Ok(request.params::<Vec<u8>>()?.len()))
        .connect()
        .unwrap();

    let error = router.request("mute", "m", &()).await.unwrap_err();
    assert!(matches!(&error, RequestError::NotSupported { sender } if sender == "mute"));
    assert_eq!(error.to_string(), "requests not supported");

    let error = router.request("S", "M", &()).await.unwrap_err();
    assert!(matches!(&error, RequestError::NoSuchMethod { sender, method } if (&**sender, &**method) == ("S", "M")));
    assert_eq!(error.to_string(), "method M not found");

    let error = router.request("S", "fails", &()).await.unwrap_err();
    let (code, text) = (Some("paper".to_owned()), "out of paper".to_owned());
    assert_eq!(error, RequestError::HandlerFailed { code, text });

    // Parameters of the wrong shape are the handler's to judge, and the asker is told.
    let error = router.request("S", "numbers", &"text").await.unwrap_err();
    assert!(
        matches!(&error, RequestError::HandlerFailed { text, .. } if text.contains("expected a sequence")),
        "{error}"
    );
}

#[tokio::test]
async fn p36_a_sender_that_is_unknown_or_not_connected_is_the_same_error() {
    let router = Router::new();
    let _waiting = router.listen("gone/e").unwrap();
    drop(router.add_sender("gone").request("m", |_| Ok(1)).connect().unwrap());
    assert!(
        router
            .senders()
            .iter()
            .any(|sender| sender.name.as_str() == "gone" && !sender.connected)
    );
    for name in ["gone", "never seen"] {
        let error = router.request(name, "m", &()).await.unwrap_err();
        assert!(matches!(&error, RequestError::NoSuchSender { sender } if sender == name));
        assert_eq!(error.to_string(), format!("Sender {name} is not connected"));
    }
}
