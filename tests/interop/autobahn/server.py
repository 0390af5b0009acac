"""Autobahn's fuzzing server with all of its cases: the other side of tests/conformance/src/scenarios/autobahn.rs.

It is for Python 2, as Autobahn is. Its first line is its port; it ends when its input does.

    python2 server.py HOST PORT
"""

import os
import socket
import sys
import threading

from autobahntestsuite.fuzzing import FuzzingServerFactory
from twisted.internet import reactor


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main():
    told, sys.stdout = sys.stdout, open(os.devnull, "w")  # it says a lot
    host, port = sys.argv[1], int(sys.argv[2])
    listener = socket.socket()
    listener.bind((host, port))
    listener.listen(50)
    listener.setblocking(False)
    port = listener.getsockname()[1]
    factory = FuzzingServerFactory({"url": "ws://%s:%d" % (host, port), "cases": ["*"], "exclude-cases": [], "exclude-agent-cases": {}})
    reactor.adoptStreamPort(listener.fileno(), socket.AF_INET, factory)
    told.write("%d\n" % port)
    told.flush()
    thread = threading.Thread(target=end_with_input)
    thread.daemon = True
    thread.start()
    reactor.run()


main()
