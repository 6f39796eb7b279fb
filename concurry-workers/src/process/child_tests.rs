//! What a child says of what it cannot do.

use concurry_core::call::NotSent;

use super::*;

#[test]
#[cfg(target_pointer_width = "64")]
fn a_result_that_is_too_long_for_a_frame_is_an_error_of_its_call() {
    let result = Finished { tag: AnswerKind::Returned as u32, body: super::super::frame::tests::too_long() };
    let frame = to_send(7, result);
    assert_eq!((frame.id, frame.tag), (7, AnswerKind::NotSent as u32));
    let error: NotSent = codec::decode("an error", &frame.body).unwrap();
    assert!(error.to_string().contains("more than 4 GiB"), "{error}");
    assert!(frame.sendable().is_ok());
}
