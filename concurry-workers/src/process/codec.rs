//! Values to bytes and back: postcard, with errors that name what and which type. A panic of a user's own implementation is
//! such an error, so that neither end of a connection dies of it.

use std::any::type_name;

use concurry_core::call::NotSent;
use concurry_core::panics::catch;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) fn encode<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Vec<u8>, NotSent> {
    let fail = |reason: String| NotSent::new(what, type_name::<T>(), reason);
    match catch(|| postcard::to_allocvec(value)) {
        Ok(encoded) => encoded.map_err(|error| fail(error.to_string())),
        Err(panic) => Err(fail(panic.to_string())),
    }
}

/// All of `bytes` must be used: what is left over was meant for another type.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, NotSent> {
    let fail = |reason: String| NotSent::new(what, type_name::<T>(), reason);
    let decoded = catch(|| match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(fail(format!("{} bytes are left over", rest.len()))),
        Err(error) => Err(fail(error.to_string())),
    });
    decoded.unwrap_or_else(|panic| Err(fail(panic.to_string())))
}
