//! Values to bytes and back: postcard, with errors that name what and which type. A panic of a user's own implementation is
//! such an error, so that neither end of a connection dies of it.

use std::any::type_name;
use std::cell::RefCell;
use std::fmt::Display;

use concurry_core::call::NotSent;
use concurry_core::panics::catch;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// So many are kept a thread, and none that is larger than this.
const SPARES: usize = 4;
const MOST_SPARE: usize = 4 << 20;
/// Most values fit into it.
const FIRST: usize = 256;

/// An empty buffer: one that this thread has put aside, if there is one. A buffer of some size costs more to be made, page by
/// page, than to be filled.
pub(super) fn spare() -> Vec<u8> {
    let spare = SPARE.try_with(|spares| spares.borrow_mut().pop()).ok().flatten();
    spare.unwrap_or_else(|| Vec::with_capacity(FIRST))
}

/// Puts a buffer aside that is not needed any more.
pub(crate) fn put_aside(mut buffer: Vec<u8>) {
    if !(FIRST..=MOST_SPARE).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    // A thread that is being torn down needs none.
    let kept = SPARE.try_with(|spares| {
        let mut spares = spares.borrow_mut();
        if spares.len() < SPARES {
            spares.push(buffer);
        }
    });
    kept.unwrap_or_default();
}

/// So many bytes are copied here.
const FEW: usize = 16;

/// Bytes one after the other, at the price of a store each: most values are pushed byte by byte.
struct Buffer(Vec<u8>);

impl Flavor for Buffer {
    type Output = Vec<u8>;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() > FEW {
            self.0.extend_from_slice(bytes);
        } else {
            // Most are a number each, for which a call to copy them costs more than they do.
            self.0.reserve(FEW);
            for byte in bytes {
                self.0.push(*byte);
            }
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
}

pub(crate) fn encode<T: Serialize + ?Sized>(what: impl Display, value: &T) -> Result<Vec<u8>, NotSent> {
    let fail = |reason: String| NotSent::new(what.to_string(), type_name::<T>(), reason);
    match catch(|| postcard::serialize_with_flavor(value, Buffer(spare()))) {
        Ok(encoded) => encoded.map_err(|error| fail(error.to_string())),
        Err(panic) => Err(fail(panic.to_string())),
    }
}

/// All of `bytes` must be used: what is left over was meant for another type.
pub(crate) fn decode<T: DeserializeOwned>(what: impl Display, bytes: &[u8]) -> Result<T, NotSent> {
    let fail = |reason: String| NotSent::new(what.to_string(), type_name::<T>(), reason);
    let decoded = catch(|| match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(fail(format!("{} bytes are left over", rest.len()))),
        Err(error) => Err(fail(error.to_string())),
    });
    decoded.unwrap_or_else(|panic| Err(fail(panic.to_string())))
}
