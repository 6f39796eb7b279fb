//! What limits promise: a file a feature, a sentence a test. Time is moved by hand.

mod algorithms;
mod asked;
mod cancelling;
mod common;
mod configuration;
mod conformance;
mod control;
mod extremes;
mod fairness;
mod feedback;
mod formats;
mod headers;
mod keyed;
mod lanes;
mod panicking;
mod pools;
mod prepared;
mod promises;
mod rates;
mod remote;
mod requests;
mod steps;
mod usage;
mod waiting;
mod warnings;
mod ways;
