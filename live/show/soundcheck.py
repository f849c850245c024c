"""A sound-check in a running show (`/ponticello/soundcheck 1`): beside the pictures, which go on."""

from collections.abc import Callable

from live.osc.port import OscPort
from live.show.engine import Engine
from live.show.notices import Notices
from live.sound.sound_card import SoundCard
from live.sound.source import Source
from live.soundcheck.findings import Findings
from live.soundcheck.listening import Phase, Progress, SoundCheck
from shared.background import Background, Then
from shared.errors import SettingError, one_line
from shared.preset import Preset

Refuse = Callable[[str], None]


class SoundCheckOnStage:
    """One sound-check at a time; the main thread calls. Every second of it goes out by OSC, its steps as notices too.

    use: has the show play by what was found. prompt: what the player is to do now, for the head-up display.
    """

    def __init__(
        self,
        source: Source,
        engine: Engine,
        background: Background,
        port: OscPort,
        notices: Notices,
        use: Callable[[Findings], None],
    ) -> None:
        self._source, self._engine, self._background = source, engine, background
        self._port, self._notices, self._use = port, notices, use
        self._check: SoundCheck | None = None
        self._preset: Callable[[], Preset]
        self._refuse: Refuse
        self.phase: Phase = "off"
        self.prompt = ""

    def begin(self, preset: Callable[[], Preset], refuse: Refuse) -> None:
        """Listen from the next sound on. preset: gives the one that plays when all is heard; refuse: told what was wrong."""
        if self._check is not None:
            raise SettingError("a sound-check is going on already; 0 breaks it off")
        self._check, self._preset, self._refuse = (
            SoundCheck(self._source, isinstance(self._source, SoundCard)),
            preset,
            refuse,
        )
        self._engine.listener = self._check.take

    def break_off(self) -> None:
        """Nothing has changed."""
        if self._check is None:
            raise SettingError("no sound-check is going on; 1 begins one")
        self._end(Progress("off", 0, "sound-check broken off; nothing has changed"))

    def step(self) -> None:
        """Look how far it is, and tell; again and again."""
        check = self._check
        if check is None or self.phase == "analysis":
            return
        try:
            progress = check.progress()
        except Exception as error:  # whatever it is: the show goes on
            self._fail(check, one_line(error))
            return
        if progress is None:
            return
        self._tell(progress)
        if progress.phase == "analysis":  # not `check.complete`, which the engine's thread may have made true since
            self._engine.listener = None
            preset = self._preset()
            self._background.do(lambda: self._judged(check, preset), lambda why: self._fail(check, why))

    def _judged(self, check: SoundCheck, preset: Preset) -> Then:
        findings = check.find(preset)

        def use() -> None:
            if check is self._check:  # else it was broken off meanwhile
                self._use(findings)
                self._end(Progress("done", 0, f"sound-check: {'; '.join(findings.lines)}"))

        return use

    def _fail(self, check: SoundCheck, why: str) -> None:
        if check is self._check:
            self._end(Progress("refused", 0, why))
            self._refuse(f"{why}; nothing has changed")

    def _end(self, how: Progress) -> None:
        self._check = self._engine.listener = None
        self._tell(how)
        self.phase, self.prompt = "off", ""

    def _tell(self, progress: Progress) -> None:
        self._port.send("soundcheck", progress.phase, progress.seconds, progress.line)
        if progress.phase not in (self.phase, "refused"):
            self._notices.tell(progress.line, wrong=False)
        self.phase, self.prompt = progress.phase, progress.line
