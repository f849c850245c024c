import pytest
import torch

from tests.image import reference


@pytest.fixture(scope="session")
def cases():
    return {name: reference.load(name) for name in reference.CASES}


@pytest.fixture(autouse=True)
def _without_gradient():
    with torch.no_grad():
        yield
