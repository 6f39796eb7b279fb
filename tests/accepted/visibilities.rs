//! A method is as visible on the handle as on the worker; a private one is not on the handle.
#![deny(warnings)]

use concurry::prelude::*;

mod outer {
    pub mod inner {
        use concurry::prelude::*;

        #[worker]
        #[derive(Default)]
        pub struct Worker {
            count: u8,
        }

        #[worker]
        impl Worker {
            pub fn everywhere(&self) -> u8 {
                self.secret()
            }

            pub(crate) fn in_the_crate(&self) -> u8 {
                self.secret()
            }

            pub(super) fn outside(&mut self) -> u8 {
                self.count += 1;
                self.secret()
            }

            pub(in crate::visibilities::outer) async fn in_outer(&mut self) -> u8 {
                self.count += 1;
                self.secret()
            }

            fn secret(&self) -> u8 {
                self.count
            }
        }
    }

    pub fn called(worker: &inner::WorkerHandle) -> u8 {
        worker.outside().result().unwrap() + worker.in_outer().result().unwrap()
    }
}

pub(crate) fn main() {
    let worker = outer::inner::Worker::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(outer::called(&worker), 3);
    assert_eq!(worker.in_the_crate().result().unwrap(), 2);
    assert_eq!(worker.everywhere().result().unwrap(), 2);
}
