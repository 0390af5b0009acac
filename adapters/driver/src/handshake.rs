//! May we speak WebSocket? The client's side of the opening handshake (RFC 6455 section 4.1), over any stream.
//!
//! It is our own because a session needs what others throw away: the status, the headers and a piece of the
//! body of a refusal, and the first frames that came in one piece with the answer.

mod answer;
mod date;

use std::{future::poll_fn, io};

use steadfast::{Attempt, Cause, Handshake, Timestamp};
use tungstenite::handshake::client::generate_key;

use crate::{Address, Io, Upgrade, Ws, told::cause_of};
pub(crate) use answer::Answer;
use answer::CHUNK;

impl Upgrade {
    /// Does the handshake over an open stream. `now` is asked only if the server names a time to come back.
    ///
    /// # Errors
    ///
    /// [`Cause::Http`] if the server answered with another status than 101, [`Cause::Handshake`] if it answered
    /// 101 but not as it must, and [`Cause::Ended`] or [`Cause::Broken`] if there was no answer. [`Cause::Impossible`] if
    /// the endpoint or the credential of the attempt cannot be part of a request.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the stream. It has no deadline of its own.
    pub async fn over<S: Io>(
        &self,
        io: S,
        attempt: &Attempt,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(Ws<S>, Handshake), Cause> {
        self.over_to(&*self.address_for(attempt)?, io, attempt, now).await
    }

    /// The same, for a stream that leads to this address.
    pub(crate) async fn over_to<S: Io>(
        &self,
        address: &Address,
        mut io: S,
        attempt: &Attempt,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(Ws<S>, Handshake), Cause> {
        let (answer, handshake) = self.ask(address, &mut io, &generate_key(), attempt, now).await?;
        Ok((Ws::new(io, answer.rest, attempt.max_message), handshake))
    }

    async fn ask<S: Io>(
        &self,
        address: &Address,
        io: &mut S,
        key: &str,
        attempt: &Attempt,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(Answer, Handshake), Cause> {
        let answer = exchange(io, &self.request(address, key, attempt)?, CHUNK).await?;
        if answer.status != 101 {
            return Err(Cause::Http(Box::new(answer.into_refusal(io, now).await)));
        }
        let handshake = answer.accept(key, &attempt.subprotocols, &self.wanted)?;
        Ok((answer, handshake))
    }

    fn request(&self, address: &Address, key: &str, attempt: &Attempt) -> Result<String, Cause> {
        let credential = self.credential_for(attempt)?;
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n",
            address.target(),
            address.authority(),
        );
        let mut line = |name: &str, value: &str| request.extend([name, ": ", value, "\r\n"]);
        if !attempt.subprotocols.is_empty() {
            line("Sec-WebSocket-Protocol", &attempt.subprotocols.join(", "));
        }
        self.headers.iter().for_each(|(name, value)| line(name, value));
        let names = self.headers.iter().map(|(name, _)| name.as_str());
        let mut names = names.chain(credential.as_ref().map(|(name, _)| *name));
        let is_authorized = names.any(|name| name.eq_ignore_ascii_case("authorization"));
        if let Some(login) = address.login().filter(|_| !is_authorized) {
            line("Authorization", &login.basic());
        }
        if let Some((name, value)) = credential {
            line(name, &value);
        }
        request.push_str("\r\n");
        Ok(request)
    }
}

/// Sends a request and reads the head of its answer, so many bytes at once.
pub(crate) async fn exchange<S: Io>(io: &mut S, request: &str, piece: usize) -> Result<Answer, Cause> {
    let sent = write_all(io, request.as_bytes()).await;
    // A server that is too busy may answer without reading, and then a failed write is not the news.
    match (Answer::read(io, piece).await, sent) {
        (Ok(answer), _) => Ok(answer),
        // Nor is it if TLS says why: our certificate is judged when our side of its handshake is done.
        (Err(cause @ Cause::Tls { .. }), _) | (Err(cause), Ok(())) => Err(cause),
        (Err(_), Err(error)) => Err(cause_of(&error)),
    }
}

pub(crate) async fn write_all<S: Io>(io: &mut S, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match poll_fn(|cx| io.poll_write(cx, bytes)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
    }
    poll_fn(|cx| io.poll_flush(cx)).await
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Poll, time::Duration};

    use steadfast::{HttpAnswer, LinkId, Text};

    use super::*;
    use crate::{
        wire::{Wire, idle},
        ws::broken,
    };

    /// The example of RFC 6455 section 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const YES: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn upgrade() -> Upgrade {
        Upgrade::to("ws://server.example:8080/chat?room=1".parse().expect("a good address"))
    }

    fn now() -> Timestamp {
        // 6 November 1994, 08:49:37.
        Timestamp::from_millis(784_111_777_000)
    }

    /// Asks until there is an answer; the wire wakes nobody, so it is polled again and again.
    fn ask(upgrade: &Upgrade, wire: &mut Wire, subprotocols: &[&'static str]) -> Result<(Answer, Handshake), Cause> {
        let mut attempt = Attempt::new(LinkId(1));
        attempt.subprotocols = subprotocols.to_vec();
        ask_for(&attempt, upgrade, wire)
    }

    fn ask_for(attempt: &Attempt, upgrade: &Upgrade, wire: &mut Wire) -> Result<(Answer, Handshake), Cause> {
        let address = upgrade.address_for(attempt)?;
        let mut asking = pin!(upgrade.ask(&address, wire, KEY, attempt, now));
        for _ in 0..10_000 {
            if let Poll::Ready(answer) = asking.as_mut().poll(&mut idle()) {
                return answer;
            }
        }
        panic!("the handshake hangs")
    }

    fn answered(head: &str) -> Wire {
        let mut wire = Wire::new();
        wire.arrive(head);
        wire
    }

    fn wrong(head: &str, subprotocols: &[&'static str]) -> Text {
        match ask(&upgrade(), &mut answered(head), subprotocols) {
            Err(Cause::Handshake(why)) => why,
            other => panic!("{other:?} for {head}"),
        }
    }

    fn refused(wire: &mut Wire) -> HttpAnswer {
        match ask(&upgrade(), wire, &[]) {
            Err(Cause::Http(answer)) => *answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_request_is_that_of_rfc_6455() {
        let upgrade = upgrade().header("Authorization", "Bearer x").expect("a good header");
        let mut wire = answered(&format!("{YES}\r\n"));
        ask(&upgrade, &mut wire, &["v2", "v1"]).expect("yes");
        let expected = "GET /chat?room=1 HTTP/1.1\r\nHost: server.example:8080\r\nUpgrade: websocket\r\n\
                        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: v2, v1\r\n\
                        Authorization: Bearer x\r\n\r\n";
        assert_eq!(String::from_utf8(wire.written).expect("text"), expected);
    }

    #[test]
    fn an_attempt_brings_its_endpoint_and_its_credential() {
        let upgrade = upgrade().credential_header("Authorization", "Bearer ").expect("a good header");
        let mut attempt = Attempt::new(LinkId(1));
        attempt.endpoint = Some("ws://other.example/quotes".into());
        attempt.credential = Some("hunter2".into());
        let mut wire = answered(&format!("{YES}\r\n"));
        ask_for(&attempt, &upgrade, &mut wire).expect("yes");
        let request = String::from_utf8(wire.written).expect("text");
        assert!(request.starts_with("GET /quotes HTTP/1.1\r\nHost: other.example\r\n"), "{request}");
        assert!(request.ends_with("\r\nAuthorization: Bearer hunter2\r\n\r\n"), "{request}");
    }

    #[test]
    fn a_user_in_the_url_logs_in_unless_a_header_does() {
        let asked = |upgrade: &Upgrade, attempt: &Attempt| {
            let mut wire = answered(&format!("{YES}\r\n"));
            ask_for(attempt, upgrade, &mut wire).expect("yes");
            let request = String::from_utf8(wire.written).expect("text");
            let lines = request.lines().filter_map(|line| line.split_once(": "));
            let values: Vec<_> = lines.filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).collect();
            values.iter().map(|(_, value)| (*value).to_owned()).collect::<Vec<_>>()
        };
        let upgrade = Upgrade::to("ws://user:word@server.example/".parse().expect("a good address"));
        let mut attempt = Attempt::new(LinkId(1));
        assert_eq!(asked(&upgrade, &attempt), ["Basic dXNlcjp3b3Jk"]);
        let explicit = upgrade.clone().header("authorization", "Bearer x").expect("a good header");
        assert_eq!(asked(&explicit, &attempt), ["Bearer x"]);
        let fresh = upgrade.credential_header("Authorization", "Bearer ").expect("a good header");
        assert_eq!(asked(&fresh, &attempt), ["Basic dXNlcjp3b3Jk"], "there is no credential");
        attempt.credential = Some("hunter2".into());
        assert_eq!(asked(&fresh, &attempt), ["Bearer hunter2"]);
        (attempt.credential, attempt.endpoint) = (None, Some("ws://foobar@other.example".into()));
        assert_eq!(asked(&fresh, &attempt), ["Basic Zm9vYmFyOg=="]);
    }

    #[test]
    fn what_cannot_be_asked_is_not_asked() {
        let mut attempt = Attempt::new(LinkId(1));
        attempt.endpoint = Some("nowhere".into());
        let mut wire = answered(&format!("{YES}\r\n"));
        assert!(matches!(ask_for(&attempt, &upgrade(), &mut wire), Err(Cause::Impossible(_))));
        assert!(wire.written.is_empty());
    }

    #[test]
    fn a_request_that_leaves_in_pieces_is_whole() {
        let mut wire = answered(&format!("{YES}\r\n"));
        wire.piece = 10;
        ask(&upgrade(), &mut wire, &[]).expect("yes");
        assert!(wire.writes > 10 && wire.written.ends_with(b"Version: 13\r\n\r\n"));
    }

    #[test]
    fn an_answer_may_come_byte_by_byte() {
        let mut wire = Wire::new();
        wire.trickle(format!("{YES}X-Region: eu\r\nSec-WebSocket-Protocol: v1\r\n\r\n").as_bytes());
        let (answer, handshake) = ask(&upgrade().want("X-REGION").want("x-absent"), &mut wire, &["v1"]).expect("yes");
        assert_eq!(handshake.subprotocol, Some("v1".into()));
        assert_eq!(handshake.headers, [("x-region".into(), "eu".into())]);
        assert!(answer.rest.is_empty() && handshake.pings);
    }

    #[test]
    fn what_comes_behind_the_head_belongs_to_the_first_frame() {
        let (answer, _) = ask(&upgrade(), &mut answered(&format!("{YES}\r\n\u{1}\u{2}rest")), &[]).expect("yes");
        assert_eq!(answer.rest, b"\x01\x02rest");
    }

    #[test]
    fn interim_answers_are_passed_over() {
        let head = format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{YES}\r\nrest");
        let (answer, _) = ask(&upgrade(), &mut answered(&head), &[]).expect("yes");
        assert_eq!(answer.rest, b"rest");
    }

    #[test]
    fn interim_answers_without_end_are_not_read_for_ever() {
        assert!(wrong(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000), &[]).as_str().contains("too long"));
    }

    #[test]
    fn headers_may_be_lists_in_any_case_and_over_several_lines() {
        let head = YES
            .replace("websocket", "WebSocket")
            .replace("Connection: Upgrade", "connection: keep-alive\r\nCONNECTION: x, uPGRADE");
        assert!(ask(&upgrade(), &mut answered(&format!("{head}\r\n")), &[]).is_ok());
    }

    #[test]
    fn a_101_that_is_not_as_it_must_be_is_refused() {
        let cases = [
            (YES.replace("HTTP/1.1", "HTTP/1.0"), "HTTP/1.0"),
            (YES.replace("Upgrade: websocket\r\n", ""), "header Upgrade"),
            (YES.replace("websocket", "h2c"), "header Upgrade"),
            (YES.replace("Connection: Upgrade\r\n", ""), "header Connection"),
            (YES.replace("Connection: Upgrade", "Connection: close"), "header Connection"),
            (YES.replace("s3pP", "S3pP"), "Sec-WebSocket-Accept"),
            (YES.replace("Sec-WebSocket-Accept", "X-Accept"), "Sec-WebSocket-Accept"),
            (format!("{YES}Sec-WebSocket-Extensions: permessage-deflate\r\n"), "extension"),
            (format!("{YES}Sec-WebSocket-Protocol: v3\r\n"), "subprotocol"),
        ];
        for (head, why) in cases {
            let said = wrong(&format!("{head}\r\n"), &["v2", "v1"]);
            assert!(said.as_str().contains(why), "{said} for {head}");
        }
    }

    #[test]
    fn a_subprotocol_is_refused_if_none_was_offered_and_may_be_left_out_if_some_were() {
        assert!(wrong(&format!("{YES}Sec-WebSocket-Protocol: v1\r\n\r\n"), &[]).as_str().contains("subprotocol"));
        let (_, handshake) = ask(&upgrade(), &mut answered(&format!("{YES}\r\n")), &["v1"]).expect("yes");
        assert_eq!(handshake.subprotocol, None);
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for bytes in ["\u{88}\u{2}", "SSH-2.0-OpenSSH\r\n", "HTTP/9 what\r\n\r\n"] {
            assert!(wrong(bytes, &[]).as_str().contains("not HTTP"), "{bytes:?}");
        }
    }

    #[test]
    fn a_head_without_end_is_refused() {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\nX: {}", "x".repeat(20_000));
        assert!(wrong(&head, &[]).as_str().contains("too long"));
        let head = format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n", "X: y\r\n".repeat(200));
        assert!(wrong(&head, &[]).as_str().contains("not HTTP"));
    }

    #[test]
    fn a_stream_that_ends_or_breaks_before_the_answer_says_so() {
        for head in ["", "HTTP/1.1 101 Swi"] {
            let mut wire = answered(head);
            wire.end();
            assert_eq!(ask(&upgrade(), &mut wire, &[]).err(), Some(Cause::Ended));
        }
        let mut wire = Wire::new();
        wire.fail_read(io::ErrorKind::ConnectionReset);
        assert_eq!(ask(&upgrade(), &mut wire, &[]).err(), Some(broken(&io::ErrorKind::ConnectionReset.into())));
    }

    #[test]
    fn a_refusal_that_came_before_the_request_was_read_is_the_news() {
        let mut wire = answered("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n");
        wire.write_error = Some(io::ErrorKind::ConnectionReset);
        assert_eq!(refused(&mut wire).retry_after, Some(Duration::from_secs(7)));
        let mut wire = answered("HTTP/1.1 50");
        wire.write_error = Some(io::ErrorKind::BrokenPipe);
        wire.end();
        assert_eq!(ask(&upgrade(), &mut wire, &[]).err(), Some(broken(&io::ErrorKind::BrokenPipe.into())));
    }

    #[test]
    fn a_refusal_brings_status_headers_and_body() {
        let mut wire =
            answered("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 7\r\n\r\ndenied!NEXT");
        let answer = refused(&mut wire);
        assert_eq!((answer.status, answer.retry_after), (401, None));
        assert_eq!(answer.headers[0], ("www-authenticate".into(), "Bearer".into()));
        assert_eq!(answer.body, "denied!");
    }

    #[test]
    fn a_body_that_is_there_is_read_and_one_that_is_late_is_not_waited_for() {
        let mut wire = answered("HTTP/1.1 429 Slow down\r\nContent-Length: 4\r\n\r\nw");
        wire.arrive("ai");
        assert_eq!(refused(&mut wire).body, "wai");
        let mut wire = answered("HTTP/1.1 429 Slow down\r\n\r\n");
        wire.arrive("wait");
        wire.fail_read(io::ErrorKind::ConnectionReset);
        assert_eq!(refused(&mut wire).body, "wait");
    }

    #[test]
    fn a_long_body_is_cut() {
        let mut wire = answered("HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\n");
        wire.arrive(vec![b'x'; 100_000]);
        assert_eq!(refused(&mut wire).body.len(), 4_096);
    }

    #[test]
    fn a_chunked_body_is_joined_as_far_as_it_came() {
        let head = "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (chunks, body) in [
            ("4\r\nwait\r\n2;x=y\r\n!!\r\n0\r\n\r\n", "wait!!"),
            ("ff\r\nthe beginning", "the beginning"),
            ("4\r\nwait", "wait"),
            ("nonsense\r\n", ""),
        ] {
            assert_eq!(refused(&mut answered(&format!("{head}{chunks}"))).body, body);
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let cases = [
            ("Retry-After: 60", Some(60)),
            ("Retry-After: 99999999999999999999", Some(u64::MAX)),
            ("Retry-After: Sun, 06 Nov 1994 08:50:00 GMT", Some(23)),
            ("Retry-After: 0", Some(0)),
            ("Retry-After: Sun, 06 Nov 1994 08:00:00 GMT", None),
            ("Date: Sun, 06 Nov 1994 10:00:00 GMT\r\nRetry-After: Sun, 06 Nov 1994 10:01:00 GMT", Some(60)),
            ("Retry-After: soon", None),
            ("Retry-After: -1", None),
            ("Retry-After: 1.5", None),
            ("Retry-After:", None),
        ];
        for (headers, seconds) in cases {
            let answer = refused(&mut answered(&format!("HTTP/1.1 503 Busy\r\n{headers}\r\n\r\n")));
            assert_eq!(answer.retry_after, seconds.map(Duration::from_secs), "{headers}");
        }
    }
}
