//! Requests end: promise 4 and W11.

use std::panic;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt as _;
use sig_router::{RequestError, Router};

#[tokio::test]
async fn promise_4_a_request_ends_at_its_deadline_and_takes_its_handler_along() {
    let router = Router::new();
    let (owned, slot) = (Arc::new(()), Arc::new(OnceLock::new()));
    let (given, filled) = (Arc::clone(&owned), Arc::clone(&slot));
    let _sender = router
        .add_sender("S")
        .request_async("never", move |request| {
            let owned = Arc::clone(&given);
            let _ = filled.set(request.deadline());
            async move {
                std::future::pending::<()>().await;
                Ok(Arc::strong_count(&owned))
            }
        })
        .connect()
        .unwrap();
    let after = Duration::from_millis(1);
    let error = router.request("S", "never", &()).timeout(after).await.unwrap_err();
    assert_eq!(error, RequestError::TimedOut { after });
    assert!(slot.get().is_some_and(|deadline| *deadline < std::time::Instant::now()));
    // Its future is gone, and with it what it owned: what is left is ours and the handler's.
    assert_eq!(Arc::strong_count(&owned), 2);
    assert_eq!(sig_router::DEFAULT_TIMEOUT, Duration::from_secs(10));
}

#[tokio::test]
async fn promise_4_a_deadline_may_be_as_far_as_it_likes() {
    let router = Router::new();
    let _sender = router.add_sender("S").request("m", |_| Ok(1)).connect().unwrap();
    assert_eq!(
        router
            .request("S", "m", &())
            .timeout(Duration::MAX)
            .await
            .unwrap()
            .text(),
        "1"
    );
}

#[test]
fn promise_4_without_a_runtime_a_request_says_what_is_missing() {
    let router = Router::new();
    let error = router
        .request("S", "m", &())
        .into_future()
        .now_or_never()
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(&error, RequestError::Refused(text) if text.contains("tokio runtime")),
        "{error}"
    );
}

#[tokio::test]
async fn w11_a_panicking_handler_is_an_answer() {
    let router = Router::new();
    let _sender = router
        .add_sender("S")
        .request("sync", |_| {
            if true {
                panic::resume_unwind(Box::new("sync boom"))
            } else {
                Ok(())
            }
        })
        .request_async("async", |_| async {
            if true {
                panic::resume_unwind(Box::new("async boom".to_owned()))
            } else {
                Ok(())
            }
        })
        .connect()
        .unwrap();
    for method in ["sync", "async"] {
        for _ in 0..2 {
            let error = router.request("S", method, &()).await.unwrap_err();
            let (code, text) = (Some("panic".to_owned()), format!("handler panicked: {method} boom"));
            assert_eq!(error, RequestError::HandlerFailed { code, text });
        }
    }
}

#[tokio::test]
async fn promise_7_handlers_that_ask_each_other_in_a_circle_end_in_an_error() {
    let router = Router::new();
    let asks = |other: &'static str| {
        let router = router.clone();
        move |_| {
            let router = router.clone();
            async move { Ok(router.request(other, "ask", &()).await?) }
        }
    };
    let _a = router
        .add_sender("a")
        .request_async("ask", asks("b"))
        .connect()
        .unwrap();
    let _b = router
        .add_sender("b")
        .request_async("ask", asks("a"))
        .connect()
        .unwrap();
    let error = router.request("a", "ask", &()).await.unwrap_err().to_string();
    assert!(error.contains("nested 128 deep"), "{error}");
}
