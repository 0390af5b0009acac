// A server on the library `ws`: the other side of tests/conformance/src/scenarios/foreign.rs.
//
// It says back what it hears. A text that begins with `!` is an order to it; some paths are refused. Its first line is
// its port; it ends when its input does.
//
//     node server.js HOST [PORT]
"use strict";

const { WebSocketServer } = require("ws");

const [host, port = "0"] = process.argv.slice(2);
const goodbyes = [];
const waiting = [];

const refusals = {
    "/forbidden": [403, "not you\n", {}],
    "/busy": [503, "later\n", { "Retry-After": "1" }],
};

const orders = {
    close: (link, code, why) => link.close(Number(code), why),
    abort: (link) => link.terminate(),
    ping: (link, data) => link.once("pong", () => link.send("pong")) && link.ping(data),
    pieces: (link, ...pieces) => {
        link.send(pieces[0], { fin: false });
        link.send(pieces[1], { fin: true });
    },
    later: (link, after, word) => setTimeout(() => link.send(word), Number(after)),
    extensions: (link) => link.send(link.extensions || "none"),
    goodbye: (link) => {
        waiting.push((code) => link.send(code));
        tell();
    },
};

// A goodbye for each who waits for one.
function tell() {
    while (goodbyes.length > 0 && waiting.length > 0) waiting.shift()(goodbyes.shift());
}

function hear(link, data, isBinary) {
    const text = isBinary ? "" : data.toString();
    if (!text.startsWith("!")) return link.send(data, { binary: isBinary });
    const [order, first, ...rest] = text.slice(1).split(" ");
    return orders[order](link, first, rest.join(" "));
}

const server = new WebSocketServer({
    host,
    port: Number(port),
    maxPayload: 16 << 20,
    perMessageDeflate: true,
    verifyClient: ({ req }, accept) => (refusals[req.url] ? accept(false, ...refusals[req.url]) : accept(true)),
});
server.on("listening", () => console.log(server.address().port));
server.on("connection", (link) => {
    link.on("message", (data, isBinary) => hear(link, data, isBinary));
    link.on("error", () => {});
    link.on("close", (code) => {
        goodbyes.push(String(code));
        tell();
    });
});
process.stdin.resume().on("end", () => process.exit());
