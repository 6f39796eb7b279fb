//! Arguments may be patterns, have raw names, and names that the emitted code uses itself.
#![deny(warnings)]

use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Patterns {
    r#type: u64,
}

pub struct Pair {
    pub a: u64,
    pub b: u64,
}

pub trait Texts<'a, T> {
    fn of(&self, text: &'a str) -> T;
}

impl<'a> Texts<'a, &'a str> for () {
    fn of(&self, text: &'a str) -> &'a str {
        text
    }
}

#[worker]
impl Patterns {
    pub fn mutable(&self, mut text: String) -> String {
        text.push('!');
        text
    }

    pub fn ignored(&self, _: u64, _: String, _named: u64) -> u64 {
        self.r#type
    }

    pub async fn taken_apart(
        &mut self,
        (a, mut b): (u64, u64),
        Pair { a: c, b: d }: Pair,
        [e, _]: [u64; 2],
    ) -> u64 {
        b += 1;
        a + b + c + d + e
    }

    pub fn r#match(&mut self, r#type: u64) -> u64 {
        self.r#type = r#type;
        self.r#type
    }

    pub async fn r#loop(&self, r#fn: u64) -> Result<u64, String> {
        Ok(r#fn)
    }

    #[allow(clippy::too_many_arguments)]
    pub fn emitted(
        &self,
        message: u64,
        promise: u64,
        args: u64,
        run: u64,
        other: u64,
        worker: u64,
        call: u64,
        pool: u64,
        argument_1: u64,
        error: u64,
        bytes: u64,
        answer: u64,
        (method, limits): (u64, u64),
    ) -> u64 {
        message
            + promise
            + args
            + run
            + other
            + worker
            + call
            + pool
            + argument_1
            + error
            + bytes
            + answer
            + method
            + limits
    }

    pub async fn emitted_async(
        &mut self,
        worker: u64,
        args: u64,
        promise: u64,
        _: u64,
        argument_4: u64,
    ) -> u64 {
        worker + args + promise + argument_4
    }

    pub fn by_receiver_type(self: &Self, by: u64) -> u64 {
        self.r#type + by
    }

    pub fn by_mutable_receiver_type(self: &mut Self, by: u64) -> u64 {
        self.r#type += by;
        self.r#type
    }

    pub fn unsized_behind_a_box(
        &self,
        calls: Box<dyn Fn(&str) -> usize + Send>,
        text: &'static str,
    ) -> usize {
        calls(text)
    }

    pub fn binds_its_lifetime(
        &self,
        shorten: Box<dyn for<'a> Fn(&'a str) -> &'a str + Send>,
        texts: Box<dyn for<'a> Texts<'a, &'a str> + Send>,
    ) -> usize {
        shorten(texts.of("seven")).len()
    }

    pub fn static_text(&self, text: &'static str) -> Option<&'static str> {
        Some(text)
    }

    pub async fn static_error(&self, text: &'static str) -> Result<&'static [u8], &'static str> {
        Err(text)
    }
}

pub(crate) fn main() {
    let patterns = Patterns::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(patterns.mutable("a".into()).result().unwrap(), "a!");
    assert_eq!(patterns.ignored(1, "b".into(), 2).result().unwrap(), 0);
    assert_eq!(patterns.taken_apart((1, 2), Pair { a: 3, b: 4 }, [5, 6]).result().unwrap(), 16);
    assert_eq!(patterns.r#match(7).result().unwrap(), 7);
    assert_eq!(patterns.r#loop(8).result().unwrap(), 8);
    assert_eq!(patterns.emitted(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, (1, 1)).result().unwrap(), 14);
    assert_eq!(patterns.emitted_async(1, 1, 1, 1, 1).result().unwrap(), 4);
    assert_eq!(patterns.by_receiver_type(1).result().unwrap(), 8);
    assert_eq!(patterns.by_mutable_receiver_type(1).result().unwrap(), 8);
    assert_eq!(patterns.unsized_behind_a_box(Box::new(|text| text.len()), "four").result().unwrap(), 4);
    assert_eq!(patterns.binds_its_lifetime(Box::new(|text| &text[1..]), Box::new(())).result().unwrap(), 4);
    assert_eq!(patterns.static_text("five").result().unwrap(), Some("five"));
    assert!(matches!(patterns.static_error("six").result(), Err(CallError::Failed("six"))));
}
