//! The scenarios, and the list of them.

mod asking;
mod autobahn;
mod closing;
mod dialing;
mod dropping;
mod foreign;
mod hosting;
mod living;
mod many;
mod proxies;
mod reading;
mod refusing;
mod sending;

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
    [own(), foreign::all(), proxies::all()].concat()
}

fn own<A: Adapter>() -> Vec<Scenario<A>> {
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
            a_certificate_that_has_expired_ends_it
            a_server_that_wants_a_certificate_is_shown_ours
            an_answer_that_compresses_unasked_is_no_link
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
        refusing:
            http_200
            http_400
            http_401
            http_403
            http_404
            http_407
            http_408
            http_425
            http_429
            http_500
            http_501
            http_502
            http_503
            close_1000
            close_1001
            close_1002
            close_1003
            close_1007
            close_1008
            close_1009
            close_1011
            close_1012
            close_1013
            close_3000
            close_4000
            close_4401
            close_4403
            http_503_with_retry_after
            http_429_with_retry_after
            one_credential_refused_twice_is_fatal
            a_goodbye_of_a_stable_link_is_the_end
            a_close_without_a_code
            an_end_without_a_close
            half_an_end
            a_reset
            an_end_in_the_middle_of_a_frame
            garbage
            a_masked_frame
            an_end_of_what_never_began
            a_ping_that_is_too_long
            a_compressed_frame
            text_that_is_no_utf_8
            fragments_that_are_no_utf_8_together
            a_message_that_is_too_long
            fragments_that_are_too_long_together
            the_third_breach_in_a_row_is_waited_for
            close_1000_before_login
            close_1008_before_login
            close_1013_before_login
            close_4401_before_login
            close_4403_before_login
            an_end_before_login
            a_reset_before_login
            a_login_that_is_refused_twice_is_fatal
            a_login_that_is_not_answered_is_tried_again;
        sending:
            text_and_bytes_go_both_ways
            what_is_sent_before_the_link_arrives_in_order
            fragments_are_one_message
            at_most_once_ends_written
            at_most_once_is_in_doubt_when_its_link_dies_under_it
            at_least_once_needs_acknowledgements
            at_least_once_is_sent_again_until_it_is_acknowledged
            a_message_that_the_server_refuses_ends_failed
            what_the_server_sends_is_acknowledged_when_it_is_taken
            volatile_leaves_at_once_or_not_at_all
            the_latest_takes_the_place_of_the_one_before
            bypass_overtakes_all_but_needs_a_link
            what_lives_too_short_expires
            what_has_not_left_can_be_taken_back
            what_has_left_cannot_be_taken_back
            all_that_waits_can_be_taken_back
            a_full_queue_refuses_and_tells_when_there_is_room
            a_full_queue_drops_the_oldest_if_it_is_told_to
            a_sender_that_waits_for_room_gets_it
            the_same_key_is_sent_once
            messages_leave_together_if_they_are_told_to
            threads_send_without_a_runtime
            the_largest_message_goes_both_ways
            one_byte_more_is_not_sent
            one_byte_more_is_not_taken
            what_waits_survives_a_stop_if_it_shall
            a_server_that_reads_nothing_fills_the_queue_and_no_more;
        living:
            a_silent_server_is_asked_and_its_answer_is_enough
            a_message_that_comes_slowly_is_a_sign_of_life
            a_frozen_server_is_left
            a_frozen_server_is_left_though_the_application_keeps_sending
            a_frozen_server_is_left_though_writes_are_blocked
            a_ping_of_the_server_is_answered
            something_goes_out_however_much_comes_in
            the_protocols_own_ping_is_asked_and_answered
            a_server_that_is_to_ping_and_does_not_is_left
            a_server_that_restarts_is_come_back_to
            a_full_server_is_tried_until_there_is_room
            a_server_that_says_when_it_is_back_is_left_alone
            a_suspended_session_is_quiet_and_comes_back
            without_a_network_nothing_is_dialed
            a_lazy_session_dials_when_there_is_something_to_send
            a_session_without_a_link_is_degraded_and_recovers
            settings_can_be_changed_on_the_way;
        reading:
            what_lags_is_counted_and_the_newest_is_there
            what_pauses_loses_nothing
            a_server_feels_that_reading_is_paused
            commands_are_heard_in_a_flood_of_messages
            commands_are_heard_in_a_flood_of_pings
            an_application_that_keeps_up_misses_nothing_of_a_flood
            a_session_that_is_paused_can_be_closed
            nobody_reads_and_the_session_goes_on
            a_read_that_is_given_up_takes_nothing;
        asking:
            a_topic_is_confirmed_and_heard
            topics_are_restored_before_what_waits
            a_topic_that_is_refused_ends_alone
            the_last_of_several_subscribers_leaves_the_topic
            a_topic_that_is_lost_is_asked_for_again_and_one_that_ends_is_not
            a_snapshot_comes_before_what_followed_it
            a_slow_subscriber_lags_alone
            a_subscriber_that_pauses_loses_nothing
            whoever_watches_sees_the_latest
            a_topic_that_is_not_answered_costs_the_link
            a_request_is_answered
            a_request_is_refused
            a_request_that_is_not_answered_is_in_doubt
            a_request_that_never_left_expires
            a_request_whose_link_is_lost_is_in_doubt
            a_request_that_does_no_harm_is_asked_again
            an_answer_can_be_known_by_its_name
            a_stop_ends_requests_that_wait
            a_call_of_the_servers_is_answered
            a_call_of_another_link_is_not_answered;
        hosting:
            what_is_refused_is_fetched_anew
            a_host_that_has_no_credential_is_asked_again
            a_host_that_does_not_answer_is_waited_for_so_long
            a_new_credential_starts_what_had_given_up
            a_login_says_the_credential_and_nothing_leaves_before_it
            a_login_is_renewed_on_the_same_link
            a_host_can_overrule_the_table
            a_panic_of_a_verdict_is_no_verdict
            a_panic_of_the_host_when_it_is_asked_is_no_answer
            a_panic_of_the_host_while_it_answers_is_no_answer
            a_panic_of_an_answer_that_is_dropped_ends_nothing
            a_dialer_that_panics_ends_the_session
            an_attempt_that_panics_ends_the_session
            a_protocol_that_panics_at_a_frame_ends_the_session
            a_protocol_that_panics_at_a_message_ends_the_session
            whoever_watches_and_panics_ends_the_session;
        closing:
            the_last_words_leave_before_the_goodbye
            while_it_dials
            while_it_dials_with_something_to_send
            while_it_waits
            while_it_logs_in
            while_it_restores
            while_it_is_suspended
            when_it_has_given_up
            before_the_driver_runs
            what_is_not_acknowledged_is_waited_for
            without_time_what_waits_is_dropped
            a_server_that_does_not_answer_the_goodbye_is_left
            goodbyes_that_cross_are_one
            twice_at_once
            a_closed_session_does_not_start_again
            a_stopped_session_starts_again
            a_stop_while_it_dials
            the_last_handle_says_goodbye
            the_last_handle_without_a_link
            one_owner_spawns_nothing;
        dropping:
            the_driver_online
            the_driver_while_it_dials
            the_driver_while_it_logs_in
            the_driver_while_it_waits
            the_driver_before_it_runs
            the_driver_ends_all_that_waits_for_it
            the_driver_under_a_sender_and_a_closer
            the_events
            a_ticket
            a_ticket_that_somebody_waits_for
            a_request_before_it_leaves
            a_subscription
            a_sender_that_waits_for_room
            a_closer
            an_outcome_is_told_in_the_events_if_nobody_holds_the_ticket
            the_runtime_online
            the_runtime_while_it_dials;
        many:
            a_thousand_sessions_are_bounded_in_memory
            a_thousand_sessions_come_back_after_a_restart;
        autobahn:
            framing
            utf_8
            closing
            limits
            compression
            a_wrong_echo
            framing_while_the_driver_reads_on;
    }
}
