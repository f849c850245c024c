import pytest
import torch

from tests.image import reference


@pytest.fixture(scope="session")
def cases():
    return {name: reference.load(name) for name in reference.CASES}


@pytest.fixture(params=[True, False], ids=["plain", "as-made"])
def plain(request):
    """Runs a test on the plain path, and on the path that a generator chooses on this machine."""
    return request.param


@pytest.fixture(autouse=True)
def _without_gradient():
    with torch.no_grad():
        yield
