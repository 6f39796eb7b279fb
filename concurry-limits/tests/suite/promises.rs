//! Promises about types.

use concurry_limits::{
    Acquire, KeyedLimits, Limit, LimitError, LimitPool, LimitSet, LimitSetAcquisition, LimitSetBuilder,
    LimitSetStats, LimitState,
};

fn send<T: Send>() {}
fn sync<T: Sync>() {}
fn owned<T: 'static>() {}

#[test]
fn what_crosses_threads_may() {
    send::<LimitSet>();
    sync::<LimitSet>();
    send::<KeyedLimits<String>>();
    sync::<KeyedLimits<String>>();
    send::<LimitPool>();
    sync::<LimitPool>();
    send::<LimitSetAcquisition>();
    sync::<LimitSetAcquisition>();
    owned::<LimitSetAcquisition>();
    send::<Acquire>();
    owned::<Acquire>();
    send::<LimitSetBuilder>();
    send::<LimitError>();
    sync::<LimitError>();
    send::<LimitSetStats>();
    send::<Box<dyn Limit>>();
    sync::<Box<dyn Limit>>();
    send::<Box<dyn LimitState>>();
}
