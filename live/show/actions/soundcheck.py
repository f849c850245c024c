"""A sound-check in a running show (`/ponticello/soundcheck 1`); the pictures go on meanwhile."""

from collections.abc import Callable

from live.show.actions.context import ShowContext
from live.sound.sound_card import SoundCard
from live.soundcheck.findings import Findings
from live.soundcheck.listening import Phase, Progress, SoundCheck
from shared.background import Then
from shared.errors import SettingError, one_line
from shared.preset import Preset

Refuse = Callable[[str], None]


class SoundCheckOnStage:
    """Runs one sound-check at a time; only the main thread calls it. Reports every second by OSC, and each phase as a notice.

    use: applies the findings to the show. prompt: the current instruction, for the head-up display.
    """

    def __init__(self, context: ShowContext, use: Callable[[Findings], None]) -> None:
        self._context, self._use = context, use
        self._check: SoundCheck | None = None
        self._preset: Callable[[], Preset]
        self._refuse: Refuse
        self.phase: Phase = "off"
        self.prompt = ""

    def begin(self, preset: Callable[[], Preset], refuse: Refuse) -> None:
        """Start with the next sound. preset: gives the preset that plays at the end. refuse: called with the reason of a failure."""
        if self._check is not None:
            raise SettingError("a sound-check is running already; 0 cancels it")
        source = self._context.source
        self._check = SoundCheck(source, isinstance(source, SoundCard))
        self._preset, self._refuse = preset, refuse
        self._context.engine.listener = self._check.take

    def cancel(self) -> None:
        """Stop without changing anything."""
        if self._check is None:
            raise SettingError("no sound-check is running; 1 starts one")
        self._end(Progress("off", 0, "sound-check cancelled; nothing has changed"))

    def step(self) -> None:
        """Report progress; call it again and again."""
        check = self._check
        if check is None or self.phase == "analysis":
            return
        try:
            progress = check.progress()
        except Exception as error:  # any error: the show goes on
            self._fail(check, one_line(error))
            return
        if progress is None:
            return
        self._tell(progress)
        if progress.phase == "analysis":  # not `check.complete`, which the engine's thread may have set since
            self._context.engine.listener = None
            preset = self._preset()
            self._context.lanes.writing.do(
                lambda: self._judged(check, preset), lambda reason: self._fail(check, reason)
            )

    def _judged(self, check: SoundCheck, preset: Preset) -> Then:
        findings = check.judge(preset)

        def use() -> None:
            if check is self._check:  # not cancelled meanwhile
                self._use(findings)
                self._end(Progress("done", 0, f"sound-check: {'; '.join(findings.lines)}"))

        return use

    def _fail(self, check: SoundCheck, reason: str) -> None:
        if check is self._check:
            self._end(Progress("refused", 0, reason))
            self._refuse(f"{reason}; nothing has changed")

    def _end(self, progress: Progress) -> None:
        self._check = self._context.engine.listener = None
        self._tell(progress)
        self.phase, self.prompt = "off", ""

    def _tell(self, progress: Progress) -> None:
        self._context.port.send("soundcheck", progress.phase, progress.seconds, progress.line)
        if progress.phase not in (self.phase, "refused"):
            self._context.notices.tell(progress.line, wrong=False)
        self.phase, self.prompt = progress.phase, progress.line
