//! A page of memory of its own for 32 secret bytes.
//!
//! On the heap or the stack the bytes would be copied whenever their owner is moved. Here they stay
//! where they are, in no core dump (`MADV_DONTDUMP`), in no swap where the limit of locked memory
//! allows it (mlock(2)), and are wiped before the page is given back. A child of `fork` gets a copy,
//! since it may go on with the keys.

#![allow(unsafe_code, reason = "the page is mapped by hand")]

use std::{io, ptr::NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use zeroize::Zeroize as _;

/// Bytes of the secret.
const LEN: usize = 32;
/// What is mapped: the kernel rounds it up to whole pages, and takes no less.
const MAPPED: usize = 4096;

/// The page.
pub(crate) struct Page(NonNull<[u8; LEN]>);

// SAFETY: the page is plain memory that one `Page` owns, and is written through `&mut` alone.
unsafe impl Send for Page {}
// SAFETY: as above; `&` reads only.
unsafe impl Sync for Page {}

impl Page {
    /// A page of zeros.
    ///
    /// # Errors
    /// When the system has no memory left.
    pub(crate) fn zeroed() -> io::Result<Self> {
        let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: the kernel chooses the place, so that nothing which is there is mapped over.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), MAPPED, prot, flags) }?;
        // SAFETY: the mapping is ours and whole. Neither call changes what is in it; both may be
        // refused, and then the secret is no worse off than in any other memory.
        unsafe {
            let _ = madvise(start, MAPPED, Advice::LinuxDontDump);
            let _ = mlock(start, MAPPED);
        }
        // The kernel maps nothing at address 0.
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self(start))
    }

    /// The secret.
    pub(crate) const fn bytes(&self) -> &[u8; LEN] {
        // SAFETY: the mapping is longer, starts on a page, holds integers, and lives as long as we.
        unsafe { self.0.as_ref() }
    }

    /// The secret, to be written.
    pub(crate) const fn bytes_mut(&mut self) -> &mut [u8; LEN] {
        // SAFETY: as above, and `&mut self` is the only way to it.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        // SAFETY: nobody has a reference any more. An error would leave a page of zeros mapped.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), MAPPED) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What `/proc/self/smaps` says of the mapping at `address`.
    fn flags_of(address: usize) -> String {
        let smaps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut here = false;
        for line in smaps.lines() {
            let range = line.split(' ').next().unwrap();
            if let Some((start, end)) = range.split_once('-') {
                let address_of = |text| usize::from_str_radix(text, 16);
                if let (Ok(start), Ok(end)) = (address_of(start), address_of(end)) {
                    here = (start..end).contains(&address);
                }
            }
            if here && let Some(flags) = line.strip_prefix("VmFlags:") {
                return flags.to_owned();
            }
        }
        panic!("no mapping holds {address:#x}");
    }

    #[test]
    fn the_page_is_in_no_core_dump_and_no_swap() {
        let page = Page::zeroed().unwrap();
        let flags = flags_of(page.bytes().as_ptr().addr());
        let has = |flag| flags.split_whitespace().any(|set| set == flag);
        assert!(has("dd"), "not dumped: {flags}");
        assert!(has("lo"), "locked: {flags}");
    }

    #[test]
    fn what_is_written_is_read() {
        let mut page = Page::zeroed().unwrap();
        assert_eq!(*page.bytes(), [0; LEN]);
        page.bytes_mut().fill(7);
        let moved = Box::new(page);
        assert_eq!(*moved.bytes(), [7; LEN]);
    }
}
