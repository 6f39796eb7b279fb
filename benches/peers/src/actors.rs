//! The same actor in each of the actor crates, asked by a task of a tokio runtime with two threads: as many calls as are to be
//! measured, a thousand in flight, answers awaited in order.

use std::collections::VecDeque;
use std::future::Future;
use std::hint::black_box;

use tokio::runtime::Runtime;

/// How many calls are in flight at most.
pub const IN_FLIGHT: usize = 1_000;

/// A message: a number to be added.
pub struct Add(pub u64);

/// Keeps [`IN_FLIGHT`] calls going until `count` are answered: `send` gives what awaits the answer.
pub async fn window<F, S, R>(count: u32, mut send: F)
where
    F: FnMut(u64) -> S,
    S: Future<Output = R>,
    R: Future<Output = u64>,
{
    let mut flying = VecDeque::with_capacity(IN_FLIGHT);
    for n in 0..u64::from(count) {
        flying.push_back(send(n).await);
        if flying.len() == IN_FLIGHT {
            black_box(flying.pop_front().expect("it is full").await);
        }
    }
    for answer in flying {
        black_box(answer.await);
    }
}

/// Runs the client as a task of `runtime`, as its actors are.
pub fn on<T: Send + 'static>(runtime: &Runtime, client: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(async { tokio::spawn(client).await.expect("it does not panic") })
}

/// Two threads, as there are cores on the machine that the figures were asked of.
pub fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("the system has threads")
}

/// The kameo actor.
pub mod kameo_actor {
    use kameo::actor::{ActorRef, Spawn};
    use kameo::mailbox;
    use kameo::message::{Context, Message};

    use super::Add;

    /// Its state.
    pub struct Adder(u64);

    impl kameo::Actor for Adder {
        type Args = Self;
        type Error = std::convert::Infallible;

        async fn on_start(adder: Self, _: ActorRef<Self>) -> Result<Self, Self::Error> {
            Ok(adder)
        }
    }

    impl Message<Add> for Adder {
        type Reply = u64;

        async fn handle(&mut self, message: Add, _: &mut Context<Self, u64>) -> u64 {
            self.0 = self.0.wrapping_add(message.0);
            self.0
        }
    }

    /// Calls it so often.
    pub async fn call(count: u32) {
        let actor = Adder::spawn_with_mailbox(Adder(0), mailbox::unbounded());
        super::window(count, |n| {
            let ask = actor.ask(Add(n)).enqueue();
            async move {
                let answer = ask.await.expect("it lives");
                async move { answer.await.expect("it answers") }
            }
        })
        .await;
    }
}

/// The ractor actor.
pub mod ractor_actor {
    use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

    /// It has no state of its own: that is ractor's way.
    pub struct Adder;

    /// Its message.
    pub struct Add(u64, RpcReplyPort<u64>);

    impl Actor for Adder {
        type Msg = Add;
        type State = u64;
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<Add>, (): ()) -> Result<u64, ActorProcessingErr> {
            Ok(0)
        }

        async fn handle(
            &self,
            _: ActorRef<Add>,
            message: Add,
            sum: &mut u64,
        ) -> Result<(), ActorProcessingErr> {
            *sum = sum.wrapping_add(message.0);
            drop(message.1.send(*sum));
            Ok(())
        }
    }

    /// Calls it so often.
    pub async fn call(count: u32) {
        let (actor, _) = Adder::spawn(None, Adder, ()).await.expect("it starts");
        super::window(count, |n| {
            let (sender, answer) = ractor::concurrency::oneshot();
            actor.cast(Add(n, sender.into())).expect("it lives");
            async move { async move { answer.await.expect("it answers") } }
        })
        .await;
        actor.stop(None);
    }
}

/// The xtra actor.
pub mod xtra_actor {
    use xtra::prelude::*;

    use super::Add;

    /// Its state.
    pub struct Adder(u64);

    impl Actor for Adder {
        type Stop = ();

        async fn stopped(self) {}
    }

    impl Handler<Add> for Adder {
        type Return = u64;

        async fn handle(&mut self, message: Add, _: &mut Context<Self>) -> u64 {
            self.0 = self.0.wrapping_add(message.0);
            self.0
        }
    }

    /// Calls it so often.
    pub async fn call(count: u32) {
        let actor = xtra::spawn_tokio(Adder(0), Mailbox::unbounded());
        super::window(count, |n| {
            let ask = actor.send(Add(n)).detach();
            async move {
                let answer = ask.await.expect("it lives");
                async move { answer.await.expect("it answers") }
            }
        })
        .await;
    }
}

/// The actix actor, on the one thread that actix runs actors and their callers on by default.
pub mod actix_actor {
    use actix::prelude::*;

    /// Its state.
    pub struct Adder(u64);

    impl Actor for Adder {
        type Context = Context<Self>;

        fn started(&mut self, context: &mut Self::Context) {
            context.set_mailbox_capacity(2_000_000);
        }
    }

    impl Message for super::Add {
        type Result = u64;
    }

    impl Handler<super::Add> for Adder {
        type Result = u64;

        fn handle(&mut self, message: super::Add, _: &mut Context<Self>) -> u64 {
            self.0 = self.0.wrapping_add(message.0);
            self.0
        }
    }

    /// Calls it so often.
    pub fn call(count: u32) {
        System::new().block_on(async move {
            let actor = Adder(0).start();
            super::window(count, |n| {
                let answer = actor.send(super::Add(n));
                async move { async move { answer.await.expect("it answers") } }
            })
            .await;
        });
    }
}

/// What one writes by hand on tokio: a channel, and a oneshot a call.
pub mod by_hand {
    use tokio::sync::{mpsc, oneshot};

    /// Calls it so often.
    pub async fn call(count: u32) {
        let (calls, mut inbox) = mpsc::unbounded_channel::<(u64, oneshot::Sender<u64>)>();
        tokio::spawn(async move {
            let mut sum = 0u64;
            while let Some((n, answer)) = inbox.recv().await {
                sum = sum.wrapping_add(n);
                answer.send(sum).unwrap_or_default();
            }
        });
        super::window(count, |n| {
            let (sender, answer) = oneshot::channel();
            calls.send((n, sender)).expect("it lives");
            async move { async move { answer.await.expect("it answers") } }
        })
        .await;
    }
}
