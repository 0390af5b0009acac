"""A restaurant's back end, as people write it with FastAPI: the other side of the interop test.

It knows nothing of the client but docs/json.md. One line is printed when it listens: its port. Everything it hears and
says is appended to the log, one JSON object a line, before it acts on it; the log outlives the process, which is killed
in the middle of the test and started again.

    python3 server.py LOG [PORT]
"""

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

KEYS = {"key-of-table-4"}
CHANNELS = ("kitchen_display", "counter")
LOGIN_WITHIN = 5.0

app = FastAPI()
log = open(sys.argv[1], "a", buffering=1, encoding="utf-8")
run = os.getpid()
connections = itertools.count(1)
guests: dict[int, "Guest"] = {}
orders: dict[str, str] = {}
seen: set[str] = set()


class Guest:
    """One connection that has logged in."""

    def __init__(self, number: int, link: WebSocket):
        self.number = number
        self.link = link
        self.channels: set[str] = set()

    async def say(self, packet: dict) -> None:
        note(self.number, "said", packet)
        await self.link.send_text(json.dumps(packet))

    async def answer(self, packet: dict, kind: str, **more) -> None:
        await self.say({"type": kind, "reply_to": packet.get("id"), **more})

    async def refuse(self, packet: dict, code: str, message: str) -> None:
        await self.answer(packet, "error", data={"code": code, "message": message})


def note(connection: int, what: str, packet) -> None:
    log.write(json.dumps({"run": run, "connection": connection, what: packet}) + "\n")


@app.websocket("/live")
async def live(link: WebSocket) -> None:
    await link.accept()
    guest = Guest(next(connections), link)
    note(guest.number, "event", "open")
    await guest.say({"type": "connection_established", "data": {"client_id": f"c-{run}-{guest.number}"}})
    try:
        if await logged_in(guest):
            guests[guest.number] = guest
            while True:
                await hear(guest, json.loads(await link.receive_text()))
    except WebSocketDisconnect as end:
        note(guest.number, "event", f"closed {end.code}")
    finally:
        guests.pop(guest.number, None)


async def logged_in(guest: Guest) -> bool:
    """The login has two steps: we greet with a client id, the guest answers with its key."""
    try:
        async with asyncio.timeout(LOGIN_WITHIN):
            packet = json.loads(await guest.link.receive_text())
    except TimeoutError:
        await guest.link.close(4408, "no login")
        return False
    key = packet.get("data", {}).get("api_key")
    note(guest.number, "heard", {"type": packet.get("type"), "key_is_known": key in KEYS})
    if packet.get("type") != "connect" or key not in KEYS:
        await guest.say({"type": "error", "data": {"code": "authentication_failed", "message": "this key is not known"}})
        await guest.link.close(4401, "unknown key")
        return False
    await guest.say({"type": "connected", "data": {"client_id": packet.get("client_id")}})
    return True


async def hear(guest: Guest, packet: dict) -> None:
    note(guest.number, "heard", packet)
    kind = packet.get("type")
    if kind == "ping":
        await guest.say({"type": "pong", "reply_to": packet.get("id")})
    elif kind == "subscribe":
        await subscribe(guest, packet)
    elif kind == "unsubscribe":
        guest.channels.discard(packet["channel"])
        await guest.answer(packet, "unsubscribed", channel=packet["channel"])
    elif kind == "request_orders":
        await guest.answer(packet, "orders", channel=packet.get("channel"), data=orders)
    elif kind == "request_metrics":
        await guest.answer(packet, "metrics", data={"guests": len(guests), "orders": len(orders)})
    elif kind == "request_never":
        pass  # some requests are never answered
    elif kind == "order":
        await order(guest, packet)
    else:
        await guest.refuse(packet, "unknown_type", f"what is {kind}?")


async def subscribe(guest: Guest, packet: dict) -> None:
    channel = packet.get("channel")
    if channel not in CHANNELS:
        return await guest.refuse(packet, "no_such_channel", f"there is no {channel}")
    if channel in guest.channels:
        note(guest.number, "event", f"subscribed twice to {channel}")
    guest.channels.add(channel)
    await guest.answer(packet, "subscribed", channel=channel)


async def order(guest: Guest, packet: dict) -> None:
    """Takes an order once, whatever number of times it comes; acknowledges it, and tells everybody."""
    if packet["id"] in seen:
        note(guest.number, "event", f"again {packet['id']}")
        return await guest.say({"type": "ack", "id": packet["id"]})
    seen.add(packet["id"])
    table = str(packet["data"]["table"])
    orders[table] = "cooking"
    await guest.say({"type": "ack", "id": packet["id"]})
    await broadcast("kitchen_display", "order_status_change", {"table": table, "status": "cooking"})
    await broadcast("counter", "order_count", {"orders": len(orders)})


async def broadcast(channel: str, kind: str, data: dict) -> None:
    for guest in list(guests.values()):
        if channel in guest.channels:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await guest.say({"type": kind, "channel": channel, "data": data})


def main() -> None:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    print(listener.getsockname()[1], flush=True)
    asyncio.run(server.serve(sockets=[listener]))


main()
