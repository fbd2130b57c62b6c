"""One thread where sums are rounded: the bytes of a result do not depend on their number."""

from contextlib import AbstractContextManager


def one_thread() -> AbstractContextManager[object]:
    """Let BLAS and OpenMP use one thread inside the block.

    OpenMP's threads add up in the order in which they end, and BLAS shares a sum out by their
    number: the last digits would differ. Products of whole numbers that float32 holds are exact and
    need none of this. One thread takes 14 s for the principal components of 10,000 samples of
    36,864 neurons on a busy machine of two cores; two take 35 s, as they mostly wait.
    """
    # What is limited are the libraries that are loaded: scikit-learn brings an OpenMP of its own.
    # Not at the top, as not every script needs it.
    import sklearn.utils  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
