//! What tells a build of this program from another one.
//!
//! A child is the own executable, started again. Where it is found by its path, the file may be that of another build by then,
//! whose methods have other numbers and whose types other fields; what such a child answers would be wrong in silence.
//!
//! The fingerprint of a worker says which file this process was started from, as seen before `main`, and is made of the worker's name,
//! our version, the sizes of its types, and how far apart things lie that are compiled for it: functions, a text, and what it is
//! registered by. Each run of one build has the same distances, wherever it is loaded to; most changes of code change some. They
//! are those of one worker because what is of different crates may be loaded apart.

use std::any::type_name;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use concurry_core::call::{CallError, NotSent};

use super::answers::{Answer, Answered, Encoded, Finished};
use super::child::{self, Session};
use super::launch::own_path;
use crate::attempt::Ran;
use crate::error::BoxError;
use crate::worker::Worker;

/// What tells a file from another one at its path: device, number and size. Not its time, which may be set.
type Identity = (u64, u64, u64);

static OWN: OnceLock<Option<Identity>> = OnceLock::new();

/// The file that this process was started from, as far as that is known; to be called once as the process starts.
pub(super) fn own_file() -> Option<Identity> {
    *OWN.get_or_init(|| own_path().and_then(|path| identity(&path)).ok())
}

fn identity(path: &Path) -> io::Result<Identity> {
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino(), file.size()))
}

type Decoded<W> = Result<(<W as Worker>::Message, Box<dyn Answer>), NotSent>;

/// The fingerprint of `W` in this build, which is `registered` at this address.
pub(super) fn fingerprint<W: Worker>(registered: usize) -> u64 {
    let places = [
        child::serve::<W> as fn(Session) -> i32 as usize,
        W::construct as fn(W::Args) -> Result<W, BoxError> as usize,
        W::run as fn(&mut W, W::Message) -> Ran as usize,
        W::encode as fn(&W::Message) -> Option<Encoded> as usize,
        W::decode as fn(u16, &[u8]) -> Decoded<W> as usize,
        W::serve as fn(&mut W, u16, &[u8]) -> Option<(Finished, Ran)> as usize,
        W::complete as fn(W::Message, &Answered<'_>) -> Ran as usize,
        W::refuse as fn(W::Message, CallError) as usize,
        type_name::<W>().as_ptr() as usize,
        registered,
    ];
    let names = [type_name::<W>(), type_name::<W::Args>(), env!("CARGO_PKG_VERSION")];
    of(names, [size_of::<W>(), size_of::<W::Args>(), size_of::<W::Message>()], &places)
}

/// Of all of that and this process's file, wherever the first of the places is.
fn of(names: [&str; 3], sizes: [usize; 3], places: &[usize]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (own_file(), names, sizes).hash(&mut hasher);
    for place in places {
        place.wrapping_sub(places[0]).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::TaskWorker;

    const NAMES: [&str; 3] = ["worker", "arguments", "1.0.0"];
    const SIZES: [usize; 3] = [1, 2, 3];
    const PLACES: [usize; 4] = [5_000, 5_800, 4_000, 6_000];

    #[test]
    fn it_is_the_same_wherever_a_build_is_loaded_to() {
        let here = of(NAMES, SIZES, &PLACES);
        for base in [0, 1 << 30, usize::MAX - 5_500] {
            assert_eq!(of(NAMES, SIZES, &PLACES.map(|place| base.wrapping_add(place))), here);
        }
        assert_eq!(fingerprint::<TaskWorker>(1), fingerprint::<TaskWorker>(1));
    }

    #[test]
    fn a_file_that_takes_the_place_of_another_is_another_one() {
        let path =
            |which| std::env::temp_dir().join(format!("concurry-build-{which}-{}", std::process::id()));
        let (old, new) = (path("old"), path("new"));
        for path in [&old, &new] {
            std::fs::write(path, "of one size").unwrap();
        }
        let before = identity(&old).unwrap();
        assert_eq!(identity(&old).unwrap(), before);
        std::fs::rename(&new, &old).unwrap();
        assert_ne!(identity(&old).unwrap(), before);
        std::fs::remove_file(&old).unwrap();
        assert!(identity(&old).is_err());
        assert!(own_file().is_some());
    }

    #[test]
    fn each_part_of_it_counts() {
        let here = of(NAMES, SIZES, &PLACES);
        for at in 0..NAMES.len() {
            let (mut names, mut sizes) = (NAMES, SIZES);
            names[at] = "another";
            sizes[at] += 1;
            assert_ne!(of(names, SIZES, &PLACES), here);
            assert_ne!(of(NAMES, sizes, &PLACES), here);
        }
        for at in 0..PLACES.len() {
            let mut places = PLACES;
            places[at] += 16;
            assert_ne!(of(NAMES, SIZES, &places), here);
        }
    }
}
