//! Having memory fetched that is soon to be written, while something else is done.
//!
//! What two threads hand to each other stands in the cache of the one that wrote it last, and to fetch it from there takes as long
//! as a short call runs. Who knows what comes next has that begin early. It is a hint of x86-64, given by its instruction; elsewhere
//! nothing is done.

/// Has the processor fetch what stands at `address`, if that is memory of this program; if not, nothing happens.
#[inline]
pub fn for_writing(address: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the instruction reads and writes nothing that the program can see, and faults at no address. Of the processors that do
    // not have it all but the very first of this kind take it for none.
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::for_writing;

    #[test]
    fn any_address_will_do_and_nothing_is_changed() {
        let number = Box::new(7u64);
        for address in [0, 1, std::ptr::from_ref(&*number).addr(), usize::MAX / 2, usize::MAX] {
            for_writing(address);
        }
        assert_eq!(*number, 7);
    }
}
