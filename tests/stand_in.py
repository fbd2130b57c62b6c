"""A python that lets a server of tests/forks.py be it, and so need import nothing.

python -IS tests/stand_in.py ADDRESS SCRIPT ARGUMENTS...
"""

import json
import os
import socket
import sys
from pathlib import Path

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    order = {"argv": sys.argv[2:], "environment": dict(os.environ), "folder": str(Path.cwd())}
    socket.send_fds(server, [b"\0"], [0, 1, 2])
    server.sendall(json.dumps(order).encode())
    server.shutdown(socket.SHUT_WR)
    ended = server.recv(1)
sys.exit(ended[0] if ended else 1)
