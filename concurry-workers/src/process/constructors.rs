//! The constructor function that the loader runs before `main`, and those that it would have run after it.
//!
//! The loader runs an executable's constructors in the order in which they were linked. Ours never returns in a child, so
//! what stands behind it would never run there: registrations of limit kinds, and whatever else a user's crates do before
//! `main`. So a child runs the rest of the list itself first. The list is found as the loader finds it, through the program
//! headers, and our own place in it by the address of our own entry.
//!
//! The ctor crate would register our function, but does not tell its place in the list.

#![allow(unsafe_code, reason = "see each block")]

use std::ffi::c_int;

/// What a constructor is called with on the C libraries that pass arguments; others ignore them.
type Constructor = unsafe extern "C" fn(c_int, *const *const u8, *const *const u8);

/// Our entry in the loader's list.
#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static ENTRY: extern "C" fn() = before_main;

/// It looks at no arguments, and so can be called with any.
extern "C" fn before_main() {
    super::hook::before_main();
}

/// Runs the constructors that the loader would run after ours. They are called as it would call them, before `main`, on the
/// first thread, once; this process never returns to the loader.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(super) fn run_the_rest() {
    let ours = &raw const ENTRY as usize;
    let mut list = list::Found { ours, end: 0 };
    // SAFETY: `visit` takes what `dl_iterate_phdr` promises to give, and `list` lives as long as the call.
    unsafe { libc::dl_iterate_phdr(Some(list::visit), (&raw mut list).cast()) };
    let size = size_of::<Constructor>();
    let mut entry = ours + size;
    while entry < list.end {
        // SAFETY: the loader's list is an array of constructors from before our entry up to `end`, relocated by now.
        let constructor = unsafe { *(entry as *const Option<Constructor>) };
        if let Some(constructor) = constructor {
            // SAFETY: it is a constructor and has not run: the loader runs the list in order and waits in ours.
            unsafe { constructor(0, std::ptr::null(), std::ptr::null()) };
        }
        entry += size;
    }
}

/// Elsewhere the order of linking must do: crates that use concurry are linked before it.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(super) fn run_the_rest() {}

/// Finding the loader's list of the object that we are in.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod list {
    use std::ffi::{c_int, c_void};

    /// Where our entry is, and where the list with it ends; zero until found.
    pub(super) struct Found {
        pub(super) ours: usize,
        pub(super) end: usize,
    }

    /// An entry of the dynamic section (ELF-64 Object File Format, "Dynamic Section").
    #[repr(C)]
    struct Dynamic {
        tag: u64,
        value: usize,
    }

    const END: u64 = 0;
    const INIT_ARRAY: u64 = 25;
    const INIT_ARRAY_SIZE: u64 = 27;

    /// Is called for each loaded object; returns 1 to end the walk.
    pub(super) unsafe extern "C" fn visit(
        info: *mut libc::dl_phdr_info,
        _: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: `dl_iterate_phdr` passes a valid description, and `data` is the `Found` that it was given.
        let (info, found) = unsafe { (&*info, &mut *data.cast::<Found>()) };
        // SAFETY: the description's own count says how many headers there are.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let base = usize::try_from(info.dlpi_addr).unwrap_or_default();
        for header in headers.iter().filter(|header| header.p_type == libc::PT_DYNAMIC) {
            let mut at = (base + usize::try_from(header.p_vaddr).unwrap_or_default()) as *const Dynamic;
            let (mut start, mut size) = (0, 0);
            // SAFETY: a dynamic section is an array of entries that ends with one of tag zero, and is mapped.
            while let entry = unsafe { &*at }
                && entry.tag != END
            {
                match entry.tag {
                    INIT_ARRAY => start = base + entry.value,
                    INIT_ARRAY_SIZE => size = entry.value,
                    _ => {}
                }
                // SAFETY: the entry at `at` was not the last.
                at = unsafe { at.add(1) };
            }
            if (start..start + size).contains(&found.ours) {
                found.end = start + size;
                return 1;
            }
        }
        0
    }
}
