//! The scenarios, and the list of them.

mod dialing;

use crate::adapters::Adapter;

/// A scenario: its name, and the function.
pub(crate) type Scenario<A> = (&'static str, fn(&A));

/// The scenarios of some modules.
macro_rules! list {
    ($($group:ident: $($name:ident)+;)+) => {
        vec![$($((concat!(stringify!($group), "::", stringify!($name)), $group::$name::<A> as fn(&A)),)+)+]
    };
}

pub(crate) fn all<A: Adapter>() -> Vec<Scenario<A>> {
    list! {
        dialing:
            it_goes_online_and_says_so
            a_port_that_nobody_listens_on_is_tried_until_somebody_does
            a_name_that_does_not_exist_is_tried_again
            a_server_that_says_nothing_is_given_up_in_time
            a_handshake_byte_by_byte_is_waited_for
            a_handshake_that_never_ends_is_given_up_in_time
            an_end_in_the_handshake_is_tried_again
            a_reset_in_the_handshake_is_tried_again
            garbage_for_an_answer_is_fatal_the_third_time
            a_wrong_key_in_the_answer_is_no_link
            an_answer_without_end_is_no_link
            tls_to_a_server_without_is_tried_again
            a_certificate_that_nobody_vouches_for_ends_it
            a_certificate_that_is_trusted_carries_messages
            a_server_with_another_name_in_its_certificate_ends_it
            headers_and_the_credential_are_shown
            the_next_endpoint_is_dialed_at_once
            other_endpoints_move_the_link
            what_is_queued_comes_back_when_the_destination_changes
            two_dials_are_never_closer_than_the_floor
            connect_now_cuts_the_wait_short
            a_dialer_of_ones_own_is_called_for_each_attempt
            a_dialer_that_cannot_go_on_ends_it
            a_pipe_in_memory_is_a_link
            it_gives_up_after_so_many_attempts
            failing_fast_is_for_the_first_attempt_alone;
    }
}
