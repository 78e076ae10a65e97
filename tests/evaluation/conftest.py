from tests.training.conftest import one_thread  # noqa: F401 - a fixture of these tests too
