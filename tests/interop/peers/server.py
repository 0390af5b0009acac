"""A server on the library `websockets`: the other side of tests/conformance/src/scenarios/foreign.rs.

It says back what it hears. A text that begins with `!` is an order to it (`Link.obey`); some paths are answered
otherwise (`greet`). Its first line is its port; it ends when its input does.

    python3 server.py HOST [PORT]
"""

import asyncio
import json
import os
import sys
import threading

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

LARGEST = 16 << 20
goodbyes: asyncio.Queue = asyncio.Queue()
orders: list = []


def greet(connection, request):
    """What stands in the way of a link."""
    if request.path == "/forbidden":
        return connection.respond(403, "not you\n")
    if request.path == "/busy":
        answer = connection.respond(503, "later\n")
        answer.headers["Retry-After"] = "1"
        return answer
    if request.path == "/impatient":
        connection.ping_interval = connection.ping_timeout = 0.2
    return None


async def live(link) -> None:
    hear = take_order if link.request.path == "/orders" else echo
    try:
        async for message in link:
            await hear(link, message)
    except ConnectionClosed:
        pass
    finally:
        goodbyes.put_nowait(str(link.close_code))


async def echo(link, message) -> None:
    if isinstance(message, str) and message.startswith("!"):
        await obey(link, *message[1:].split(" ", 2))
    else:
        await link.send(message)


async def obey(link, order: str, *words: str) -> None:
    if order == "close":
        await link.close(int(words[0]), words[1])
    elif order == "abort":
        link.transport.abort()
    elif order == "ping":
        await (await link.ping(words[0]))
        await link.send("pong")
    elif order == "pieces":
        await link.send(iter(words))
    elif order == "later":
        await asyncio.sleep(int(words[0]) / 1000)
        await link.send(words[1])
    elif order == "flood":
        for _ in range(int(words[0])):
            await link.send("x" * 65_536)
    elif order == "extensions":
        await link.send(link.response.headers.get("Sec-WebSocket-Extensions", "none"))
    elif order == "goodbye":
        await link.send(await goodbyes.get())


async def take_order(link, message: str) -> None:
    """The protocol `json` of docs/json.md, with acknowledgements: each order counts, and is counted."""
    packet = json.loads(message)
    if packet["type"] == "order":
        orders.append(packet["data"])
        await link.send(json.dumps({"type": "ack", "id": packet["id"]}))
    elif packet["type"] == "tally":
        await link.send(json.dumps({"type": "orders", "reply_to": packet["id"], "data": sorted(set(orders))}))


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


async def main() -> None:
    threading.Thread(target=end_with_input, daemon=True).start()
    host, port = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    async with serve(live, host, port, max_size=LARGEST, process_request=greet) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
