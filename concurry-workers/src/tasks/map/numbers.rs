//! Numbers that follow each other: a range of them is split without looking at one.
//!
//! Any other iterator has to be run to its end by one thread. Which one is a range is asked of its type, so that
//! [`map`](super::map) needs no bound for it.

use std::any::{Any, TypeId};
use std::ops::{Range, RangeInclusive};

/// `count` numbers from `first` on.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    first: T,
    count: usize,
}

macro_rules! numbers {
    ($($number:ty)*) => {
        /// Whether `I` is a range of numbers.
        fn is_range<I>() -> bool {
            let kinds = [$(TypeId::of::<Range<$number>>(), TypeId::of::<RangeInclusive<$number>>()),*];
            kinds.contains(&typeid::of::<I>())
        }

        /// The number so many steps after `first`; none where it is no number.
        #[inline]
        #[expect(
            clippy::allow_attributes,
            reason = "what is done to some of the types is nothing"
        )]
        fn after<T: 'static>(first: &T, steps: usize) -> Option<T> {
            $(
                if let Some(first) = (first as &dyn Any).downcast_ref::<$number>() {
                    // A range has no more steps than its type has numbers; of a signed one it may be half of them too many, and comes
                    // around.
                    #[allow(
                        clippy::cast_possible_truncation,
                        clippy::cast_possible_wrap,
                        reason = "see above"
                    )]
                    return same(first.wrapping_add(steps as $number));
                }
            )*
            None
        }
    };
}

numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

/// The value, which is of the other type as well; decided when it is compiled.
#[inline]
fn same<N: 'static, T: 'static>(number: N) -> Option<T> {
    let mut number = Some(number);
    (&mut number as &mut dyn Any).downcast_mut::<Option<T>>()?.take()
}

impl<T: 'static> Numbers<T> {
    /// What `items` has, if that is a range of numbers, of which there are some and not more than can be counted.
    pub(super) fn of<I: Iterator<Item = T>>(items: &mut I) -> Option<Self> {
        if !is_range::<I>() {
            return None;
        }
        let (count, most) = items.size_hint();
        if most != Some(count) {
            return None;
        }
        items.next().map(|first| Self { first, count })
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Takes so many off the beginning, as many as there are at most.
    pub(super) fn split(&mut self, count: usize) -> Self {
        let count = count.min(self.count);
        let mut front = Self { first: at(&self.first, count), count };
        std::mem::swap(&mut self.first, &mut front.first);
        self.count -= count;
        front
    }

    /// All of them.
    pub(super) fn into_iter(self) -> impl Iterator<Item = T> {
        (0..self.count).map(move |steps| at(&self.first, steps))
    }
}

/// As [`after`], for what is a number.
#[inline]
fn at<T: 'static>(first: &T, steps: usize) -> T {
    let Some(number) = after(first, steps) else { unreachable!("it is a number") };
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<I: IntoIterator>(items: I) -> Option<Vec<I::Item>>
    where
        I::Item: 'static,
    {
        Numbers::of(&mut items.into_iter()).map(|numbers| numbers.into_iter().collect())
    }

    #[test]
    fn ranges_of_all_kinds_of_numbers_are_known_to_their_ends() {
        assert_eq!(all(0..5u64).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(all(250..=u8::MAX).unwrap(), [250, 251, 252, 253, 254, 255]);
        assert!(all(i8::MIN..=i8::MAX).unwrap().into_iter().eq(i8::MIN..=i8::MAX));
        assert!(all(-70_000..70_000i32).unwrap().into_iter().eq(-70_000..70_000));
        assert!(all(i64::MAX - 3..=i64::MAX).unwrap().into_iter().eq(i64::MAX - 3..=i64::MAX));
        // In the middle of it, too.
        let mut begun = 0..=9usize;
        assert_eq!((begun.next(), begun.next_back()), (Some(0), Some(9)));
        assert!(all(begun).unwrap().into_iter().eq(1..=8));
    }

    #[test]
    fn what_is_no_range_of_numbers_or_empty_is_not_taken_from() {
        assert!(all((0..5u64).rev()).is_none() && all(vec![0u64, 1]).is_none() && all('a'..'e').is_none());
        assert!(all(5..5u64).is_none() && all(0..u128::MAX).is_none());
        let mut others = [3u64, 4].into_iter();
        assert!(Numbers::of(&mut others).is_none());
        assert!(others.eq([3, 4]));
    }

    #[test]
    fn what_is_split_is_what_there_was() {
        let mut rest = Numbers::of(&mut (-3..=6i32)).unwrap();
        let (front, none, middle) = (rest.split(4), rest.split(0), rest.split(3));
        let back = rest.split(99);
        assert_eq!((front.len(), none.len(), middle.len(), back.len(), rest.len()), (4, 0, 3, 3, 0));
        assert!(
            front
                .into_iter()
                .chain(none.into_iter())
                .chain(middle.into_iter())
                .chain(back.into_iter())
                .eq(-3..=6)
        );
    }
}
