"""Another program at work while the one under test is."""

import threading


def meanwhile(monkeypatch, owner, name, work):
    """Do something in another thread while the next call of a function computes."""
    function = getattr(owner, name)

    def computing(*arguments):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        return function(*arguments)

    monkeypatch.setattr(owner, name, computing)
