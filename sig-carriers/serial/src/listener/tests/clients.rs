//! Who is a client, from when to when.

use std::future::Future;

use bytes::BytesMut;
use sig_core::Carrier as _;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use super::*;
use crate::framing::{Reader, Settings};
use crate::link::{Drive, Event, Pace};

struct World {
    told: Arc<Told>,
    tasks: Tasks,
    listener: Arc<Listener>,
    cable: Cable,
}

impl World {
    /// Plays a scene with somebody at the other end of a line.
    async fn play<F: Future<Output = ()>>(scene: impl FnOnce(Arc<Self>, SimLine) -> F) {
        let port = Port::new(Place::Device("/dev/none".into()), Options::new()).unwrap();
        let (cable, near, far) = Cable::new(115_200, 1);
        let world = Arc::new(Self {
            told: Arc::default(),
            tasks: Tasks::new().unwrap(),
            listener: Arc::new(Listener::new(port)),
            cable,
        });
        let uplink = Uplink::new(Arc::new(Heard(Arc::clone(&world.told))), world.tasks.clone());
        let life = Life::new(uplink.clone(), LinkReport::new("serial", "", LinkState::Live));
        let name = SenderName::new("none").unwrap();
        let links = Arc::clone(&world.listener.links).run(uplink.clone());
        let talking = world.listener.talk_over(near, life, name, &uplink);
        let acting = async {
            scene(Arc::clone(&world), far).await;
            world.tasks.stop();
        };
        let (ended, (), ()) = tokio::join!(links, talking, acting);
        ended.unwrap();
    }

    /// Waits until so many clients have come, and all but the last have left.
    async fn clients(&self, count: usize) -> ClientId {
        loop {
            let (clients, left) = (self.told.clients.lock().unwrap().clone(), self.left());
            if clients.len() == count && left.len() + 1 >= count {
                return clients[count - 1];
            }
            self.told.changed.notified().await;
        }
    }

    /// Waits until so many clients have left.
    async fn have_left(&self, count: usize) -> Vec<Reason> {
        while self.left().len() < count {
            self.told.changed.notified().await;
        }
        self.left()
    }

    fn left(&self) -> Vec<Reason> {
        self.told.left.lock().unwrap().clone()
    }
}

fn board(line: SimLine) -> Board {
    Board {
        line,
        writer: Writer::new(LINES),
    }
}

#[tokio::test(start_paused = true)]
async fn promise_3_a_board_is_a_client_until_the_cable_is_cut() {
    World::play(|world, line| async move {
        let mut board = board(line);
        board.say(HELLO).await;
        world.clients(1).await;
        world.cable.cut();
        assert_eq!(world.have_left(1).await, [Reason::LinkLost]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_thrown_out_comes_back_a_second_later_if_it_goes_on() {
    World::play(|world, line| async move {
        let mut board = board(line);
        board.say(HELLO).await;
        let first = world.clients(1).await;
        world
            .listener
            .close_client(first, &Disconnect::new(Reason::Kicked, "enough"));
        assert_eq!(world.have_left(1).await, [Reason::Kicked]);
        let mut batch = Batch::of_values([]);
        let gone = world.listener.handle_tx(first, &mut batch).await;
        assert!(
            matches!(gone, Err(CarrierError::UnknownClient(id)) if id == first),
            "{gone:?}"
        );
        let began = Instant::now();
        while world.told.clients.lock().unwrap().len() < 2 {
            board.say(r#"{"temp":1}"#).await;
            sleep(STEP).await;
        }
        assert!(
            (900..1200).contains(&began.elapsed().as_millis()),
            "{:?}",
            began.elapsed()
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_let_in_who_comes_after_the_door_was_shut_and_who_is_in_stays() {
    World::play(|world, line| async move {
        let mut board = board(line);
        board.say(HELLO).await;
        world.clients(1).await;
        world.listener.stop_accepting().await;
        board.say(r#"{"temp":1}"#).await;
        sleep(STEP).await;
        assert_eq!(world.left(), []);
        let first = world.clients(1).await;
        world
            .listener
            .close_client(first, &Disconnect::new(Reason::Kicked, "enough"));
        for _ in 0..30 {
            board.say(r#"{"temp":1}"#).await;
            sleep(STEP).await;
        }
        assert_eq!(world.told.clients.lock().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_router_may_dial_where_a_board_was() {
    World::play(|world, line| async move {
        let mut board = board(line);
        board.say(HELLO).await;
        world.clients(1).await;

        // Another program has the other end now: a router.
        let pace = Pace::from(&Options::new());
        let mut drive = Drive::dial(board.line, Reader::new(Settings::default()), pace);
        let mut stream = loop {
            if let Event::Opened(stream) = drive.next().await {
                break stream;
            }
        };
        assert_eq!(world.have_left(1).await, [Reason::LinkLost]);
        // The line and whoever uses the link are on tasks of their own, as in a router.
        let mut driving = JoinSet::new();
        driving.spawn(async move {
            loop {
                drive.next().await;
            }
        });
        stream.write_all(b"\x93SIG\r\n\x1a\n\x01\x01\0\0").await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[8..], [1, 1, 0, 0]);
        world.clients(2).await;
        stream.shutdown().await.unwrap();
        assert_eq!(world.have_left(2).await.len(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_board_with_frames_is_answered_in_frames() {
    World::play(|world, line| async move {
        let mut board = board(line);
        board.writer = Writer::new(Dialect::Frames);
        board.say(r#"{"temp":1}"#).await;
        let mut heard = BytesMut::new();
        // First the greeting, in a line; then it is asked for its name.
        while heard.iter().filter(|byte| **byte == 0).count() < 2 {
            board.line.read_buf(&mut heard).await.unwrap();
        }
        let mut wanted = BytesMut::from(&b"\n{\"hello\":\"sig\"}\n"[..]);
        Writer::new(Dialect::Frames).document(b"{\"hello\":\"sig\"}", &mut wanted);
        assert_eq!(heard, wanted);
        world.clients(1).await;
    })
    .await;
}
