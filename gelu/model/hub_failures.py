"""What a user is told, in one line, when the hub or the way to it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gelu.errors import UserError
from gelu.model.deadlines import TooSlowError
from gelu.model.download import PASSING, NotAHubError, WrongBytesError, asked_pause
from gelu.model.hub_settings import SettingError, client, settings_of_the_way

LOG_IN = "log in with `hf auth login` or set HF_TOKEN"
SHOWN = 160


class HubError(UserError):
    """A model's files could not be had from the hub; the cache may still have others."""


@contextmanager
def told_in_one_line(hub_id: str, advice: str) -> Iterator[None]:
    """Turn what the hub client and the HTTP library raise into a `HubError` that names the model.

    advice: what works without the hub.
    """
    library = client()
    import httpx2

    # The hub client's errors are OSErrors as well, but those of the disk are none of its own.
    failures = (
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpx2.StreamError,
        library.errors.OfflineModeIsEnabled,
        library.errors.OIDCError,
        NotAHubError,
        TooSlowError,
        WrongBytesError,
    )
    try:
        yield
    except library.errors.HFValidationError:
        raise UserError(f"`model_type` {hub_id}: no such folder, and not a hub id") from None
    except SettingError as error:
        raise HubError(str(error)) from None
    except failures as error:
        reason = _reason(error, hub_id, advice)
        raise HubError(f"`model_type` {hub_id}: {reason}") from None


def _reason(error: Exception, hub_id: str, advice: str) -> str:
    import httpx2

    errors, endpoint = client().errors, client().constants.ENDPOINT
    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(error, hub_id, endpoint)
    tried = f"tried the hub and the local cache for model '{hub_id}'"
    again = "run the command again, a download goes on where it stopped"
    first_line = (str(error).strip().splitlines() or ["no reason given"])[0][:SHOWN]
    reasons = {
        NotAHubError: f"{endpoint} does not answer as the hub does ({first_line}); it may be the "
        f"log-in page of a network, a proxy or a wrong HF_ENDPOINT; {advice}",
        WrongBytesError: f"{first_line}: wrong bytes came and were removed; run the command again",
        errors.OfflineModeIsEnabled: f"{tried}: HF_HUB_OFFLINE is set and not all that is needed "
        f"is in the cache; {advice}",
        httpx2.ReadTimeout: f"{endpoint} was silent for {_limit()} s, the limit that "
        f"HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT set; {again}; {advice}",
        TooSlowError: f"{endpoint} is too slow ({first_line}); {again}; for a slow network set "
        f"HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT above {_limit()}; {advice}",
        httpx2.RemoteProtocolError: f"the connection to {endpoint} broke; {again}",
        httpx2.ReadError: f"the connection to {endpoint} broke; {again}",
        Exception: f"{tried}: {endpoint} cannot be reached ({type(error).__name__}: {first_line}); "
        f"check the connection and {' and '.join(settings_of_the_way(first_line))}; {advice}",
    }
    return next(reason for kind, reason in reasons.items() if isinstance(error, kind))


def _refusal(error: Any, hub_id: str, endpoint: str) -> str:
    """Return the reason for an answer that is no success."""
    errors, status = client().errors, error.response.status_code
    page = f"{endpoint}/{hub_id}"
    seconds = asked_pause(error.response)
    later = f"run the command again {f'in {seconds:,.0f} seconds' if seconds else 'later'}"
    token = error.response.headers.get("X-Error-Message", "").startswith("Invalid credentials")
    unknown = isinstance(error, errors.RepositoryNotFoundError) or status in (401, 404)
    reasons = (
        (
            isinstance(error, errors.GatedRepoError),
            f"access is granted on request: accept the licence at {page}, {LOG_IN}, run again",
        ),
        (
            isinstance(error, errors.DisabledRepoError),
            f"the hub has disabled this model; its page {page} may say why",
        ),
        (
            isinstance(error, errors.RevisionNotFoundError),
            "the hub has no main branch of it, or no longer the version that is in the cache; "
            f"{removal(hub_id)}",
        ),
        (
            token,
            "the hub does not accept the token: `hf auth login --force`, or mend HF_TOKEN",
        ),
        (
            unknown,
            f"{endpoint} has no model of this name, or it is private: check the name, or {LOG_IN}",
        ),
        (
            status == 403,
            f"the hub refuses access (403): the token lacks the right to read it, see {page}",
        ),
        (status == 429, f"{endpoint} has had too many requests from here (429); {later}"),
        (status in PASSING, f"{endpoint} has trouble of its own ({status}); {later}"),
        (True, f"{endpoint} answered {status}; {page} shows whether the model is there"),
    )
    return next(reason for applies, reason in reasons if applies)


def removal(hub_id: str) -> str:
    """Return how a user removes a model from the cache."""
    return f"`hf cache rm model/{hub_id}` removes it from the cache, then run again"


def _limit() -> str:
    constants = client().constants
    limits = sorted({constants.HF_HUB_ETAG_TIMEOUT, constants.HF_HUB_DOWNLOAD_TIMEOUT})
    return " or ".join(map(str, limits))
