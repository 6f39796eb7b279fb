//! Whatever a child writes is a frame, an error, or nothing yet: never a panic, never without end, and never more memory than it
//! has sent. The first byte chooses where the others are: on the socket, in the ring, in the positions of the ring, or in the body
//! of a frame.

#![no_main]

use concurry_workers::fuzzing;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((place, bytes)) = input.split_first() else { return };
    match place % 4 {
        0 => fuzzing::socket(bytes),
        1 => fuzzing::ring(bytes),
        2 => fuzzing::room(bytes),
        _ => fuzzing::limits(bytes),
    }
});
