//! Types, functions and traits of the user's may have any names: the emitted code names what it uses by absolute paths.
#![deny(warnings)]
#![allow(dead_code, unused_macros)]

use concurry::prelude::{ExecutionMode, worker};

#[derive(Clone, Debug, PartialEq)]
pub struct Message(pub u8);
#[derive(Clone)]
pub struct Call;
#[derive(Clone)]
pub struct Worker;
#[derive(Clone)]
pub struct Option(pub u8);
#[derive(Clone)]
pub struct Vec;
#[derive(Clone)]
pub struct Box;
#[derive(Clone)]
pub struct Sent;
#[derive(Clone)]
pub struct Made;
#[derive(Clone)]
pub struct Infallible;
#[derive(Debug)]
pub struct MyError;
pub type Result<T> = std::result::Result<T, MyError>;
pub trait Default {}
pub trait Clone2 {}
pub trait From {}
pub trait Into {}
pub trait Deref {}
pub trait Send {}
pub trait Sync {}
pub trait Iterator {}
pub trait IntoIterator {}
pub const fn drop() {}
pub const fn sent() {}
pub const fn kept() {}
pub const fn is_worker() {}
pub enum Never {}
#[allow(non_upper_case_globals)]
pub const constructing: u8 = 1;
macro_rules! format {
    () => {};
}
macro_rules! unreachable {
    () => {};
}
pub mod core {}
pub mod std2 {}

impl std::fmt::Display for MyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("mine")
    }
}

impl std::error::Error for MyError {}

#[worker]
pub struct Hygienic {
    message: Message,
}

#[worker]
impl Hygienic {
    pub fn new(message: Message, _: Option, _: Vec, _: Call, _: Worker) -> Result<Self> {
        Ok(Self { message })
    }

    pub fn message(&self, _: Option, _: Vec, _: Box, _: Infallible) -> Message {
        self.message.clone()
    }

    pub fn fallible(&self, fail: bool) -> Result<Message> {
        if fail { Err(MyError) } else { Ok(self.message.clone()) }
    }

    pub async fn fallible_async(&mut self, fail: bool) -> crate::user_names::Result<Message> {
        if fail { Err(MyError) } else { Ok(self.message.clone()) }
    }

    pub fn io(&self) -> std::io::Result<u8> {
        Ok(self.message.0)
    }

    pub fn others(&self, _: Sent, _: Made, _: Worker) -> Call {
        Call
    }
}

pub(crate) fn main() {
    let hygienic = Hygienic::options(ExecutionMode::Thread, (), 1)
        .init(Message(1), Option(2), Vec, Call, Worker)
        .unwrap();
    assert_eq!(hygienic.message(Option(1), Vec, Box, Infallible).result().unwrap(), Message(1));
    assert_eq!(hygienic.fallible(false).result().unwrap(), Message(1));
    assert!(matches!(hygienic.fallible(true).result(), Err(concurry::CallError::Failed(MyError))));
    assert!(matches!(hygienic.fallible_async(true).result(), Err(concurry::CallError::Failed(MyError))));
    assert_eq!(hygienic.io().result().unwrap(), 1);
    let Call = hygienic.others(Sent, Made, Worker).result().unwrap();
}
