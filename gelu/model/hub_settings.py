"""What the user's environment says of the hub and the way to it, or one line on what is wrong.

library = client()      # the module `huggingface_hub`, which reads its settings on import
pool = session()        # its connections: through which proxy, trusting which certificates
headers()               # with the user's token
"""

import os
import re
from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from gelu.errors import UserError

LONGEST_LIMIT = 86_400  # seconds; from some 2 million on the system's own calls overflow
OF_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # the first that is set is used
PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
NO_SECONDS = (
    "HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT: whole numbers of seconds are needed, "
    f"{LONGEST_LIMIT:,} at most"
)


class SettingError(UserError):
    """The hub cannot be asked with the user's settings; the cache may do without."""


@cache
def client() -> Any:
    """Return the module `huggingface_hub`, quiet; `UserError` for settings it cannot read."""
    # Else it asks the hub, before all else, for a list of programs that might be calling it.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
        from huggingface_hub import constants, file_download, utils
    except ValueError:
        _refuse_endpoint()
        raise UserError(NO_SECONDS) from None
    limits = (constants.HF_HUB_ETAG_TIMEOUT, constants.HF_HUB_DOWNLOAD_TIMEOUT)
    if min(limits) < 1 or max(limits) > LONGEST_LIMIT:
        raise UserError(NO_SECONDS)
    assert file_download  # imported to be reached through the package
    utils.logging.set_verbosity_error()
    return huggingface_hub


def session() -> Any:
    """Return the hub client's `httpx2.Client`; `SettingError` where the settings allow none."""
    _refuse_endpoint()
    for variable, address in _proxies().items():
        _refuse_proxy(variable, address)
    try:
        return client().utils.get_session()
    except OSError as error:
        place = next((name for name in OF_CERTIFICATES if os.environ.get(name)), None)
        if error.filename is not None or place is None:  # such as SSLKEYLOGFILE's
            raise
        raise SettingError(
            f"{place}: no certificates can be read from there ({error.strerror or error}); "
            "name a file of certificates in PEM format, or unset it"
        ) from None


def _refuse_endpoint() -> None:
    endpoint = os.environ.get("HF_ENDPOINT", "")
    if fault := fault_of_address(endpoint):
        raise SettingError(f"HF_ENDPOINT {endpoint}: not an address ({fault}); mend or unset it")


def fault_of_address(address: str) -> str | None:
    """Return why an address leads nowhere, None where one can at least try."""
    try:
        parts = urlsplit(address)
        assert parts.port is None or parts.port >= 0  # read for the error that it may raise
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        return str(error)
    return None


def _proxies() -> dict[str, str]:
    """Return the addresses of proxies that are in use, by the variable that names each."""
    found = getproxies()
    if "*" in (host.strip() for host in found.get("no", "").split(",")):
        return {}
    variables = {scheme: f"{scheme}_proxy" for scheme in ("http", "https", "all")}
    return {
        variable if os.environ.get(variable) else variable.upper(): found[scheme]
        for scheme, variable in variables.items()
        if found.get(scheme)
    }


def _refuse_proxy(variable: str, address: str) -> None:
    """Refuse an address of a proxy, without showing it: it may hold a password."""
    address = address if "://" in address else f"http://{address}"
    scheme = address.split("://")[0].lower()
    if scheme not in PROXY_SCHEMES:
        fault = f"not an address of a proxy ({', '.join(PROXY_SCHEMES)}); mend or unset it"
    elif fault_of_address(address):
        fault = "not an address (host or port); mend or unset it"
    elif scheme.startswith("socks") and find_spec("socksio") is None:
        fault = (
            "a SOCKS proxy needs the package socksio: `pip install socksio`, or unset it, or "
            "name an HTTP proxy"
        )
    else:
        return
    raise SettingError(f"{variable}: {fault}")


def settings_of_the_way(reason: str) -> list[str]:
    """Return the variables that may be why the hub is not reached, for which a reason was given."""
    trusted = OF_CERTIFICATES if "CERTIFICATE" in reason else ()
    return ["HF_ENDPOINT", *_proxies(), *(name for name in trusted if os.environ.get(name))]


def headers() -> dict[str, str]:
    """Return the headers of a request, with the user's token where there is one."""
    library = client()
    try:
        request_headers: dict[str, str] = library.utils.build_hf_headers(
            library_name="gelu-activations"
        )
    except UnicodeDecodeError:
        raise UserError(
            f"{library.constants.HF_TOKEN_PATH}: not a text file, a token is; `hf auth login` "
            "writes it anew, or mend HF_TOKEN_PATH"
        ) from None
    # Said here: the HTTP library's own complaint would repeat the token.
    if re.fullmatch(r"[\x20-\x7e]*", request_headers.get("authorization", "")) is None:
        raise UserError("HF_TOKEN: holds characters that no token has; copy it anew")
    return request_headers
