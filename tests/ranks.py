"""What torchrun tells the processes that it starts, for tests that start them themselves: faster.

`tests/generation/test_shared_runs.py` and the commands of docs/ show the same of torchrun itself.
"""

import socket


def environments(n: int) -> list[dict[str, str]]:
    """Return the variables of each of n processes of one machine."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shared = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": str(n)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(n)]
