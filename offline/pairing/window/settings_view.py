"""The sliders: settings of the preset that act on the film at once."""

from typing import Any

from offline.pairing.setting_rows import Row, Sections, control_row
from offline.pairing.studio import Studio
from offline.pairing.window.setting_lines import SettingsPanel

FILM = ("truncation", "range")


class SettingsView(SettingsPanel):
    """Truncation and range, and a weight for each descriptor."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio, "settings")

    def sections(self) -> Sections:
        project = self.studio.project
        assert project is not None
        rows = {name: control_row(name, project.control(name)) for name in project.settings if _is_shown(name)}
        weights = [row for name, row in rows.items() if name not in FILM]
        return ("Film", [rows[name] for name in FILM]), ("Weights of the descriptors", weights)

    def values(self) -> dict[str, object]:
        project = self.studio.project
        return {} if project is None else dict(project.settings)

    def change(self, row: Row, value: Any) -> None:
        if self.studio.project is not None:
            self.studio.project.set(row.name, value)


def _is_shown(name: str) -> bool:
    return name in FILM or name.startswith("weight/")
