"""Actions on pairs and mapping: pair, unpair, train, save."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from live.rate_limit import RateLimits
from live.show import recovery
from live.show.actions.context import ActionCall, ShowContext
from live.show.actions.presets import CHANGE_EVERY_S, MAX_FADING
from live.show.learning import Learning
from live.show.preset_library import PresetLibrary
from live.show.recovery import Recovery
from shared.background import Then
from shared.controls import Value
from shared.errors import PresetError, SettingError, one_line, pasted
from shared.mapping.regression import REGRESSORS, RegressorName
from shared.pipeline.exchanges import UseMapping
from shared.preset import Preset
from shared.preset.learned import LearnedMapping

PAIRS_PER_S = 20
SAVE_EVERY_S = 1.0
TRAINING_SHARE = 3  # from one training to the next, in durations of a training: pictures need the processor, too
LONGEST_SAVE_S = 0.25
RECOVERY_EVERY_S = 2.0


class LearningActions:
    """Makes, trains and saves the pairs of the preset that plays. The main thread calls it.

    learning: the pairs of that preset. Every change is kept in a recovery file until it is saved.
    """

    def __init__(self, context: ShowContext, library: PresetLibrary, restore: bool) -> None:
        self._context, self._library, self._restore = context, library, restore
        self._limits = RateLimits(PAIRS_PER_S)
        self._closed = self._training = False
        self._training_s = 0.0  # duration of the last training
        self._requested: Learning | None = None  # for which training was requested last
        self._played: dict[str, tuple[Learning, Recovery]] = {}  # in this show, by preset
        self.learning: Learning
        self._files: Recovery
        self._used: LearnedMapping  # the mapping that plays, or fades in

    def follow(self, preset: Preset) -> None:
        """A preset plays from now on. Pairs of it that were not saved are restored, or reported to the player.

        Raises PresetError if those of the first preset of a show are damaged or do not fit; later on that is a notice.
        """
        tell = partial(self._context.notices.tell, wrong=False)
        key = f"{preset.name} {preset.generator_sha256}"
        before, files = self._played.get(key, (None, Recovery(preset)))
        try:
            restored = self._unsaved(preset, before, files)
        except PresetError as error:
            if not self._played:
                raise
            self._context.notices.tell(one_line(error))
            restored, files = None, Recovery(preset)
            files.earlier = None  # it stays: what it holds was not restored
        saved = before.saved if before is not None and restored is not None else None
        self.learning, self._files = Learning(preset, restored, saved), files
        self._used = self.learning.learned.mapping
        self._played[key] = self.learning, files
        if restored is not None:
            self._context.engine.exchange(restored, time.monotonic())
            tell(f"{preset.name}: unsaved changes restored, {_count(restored)}; S or /ponticello/save saves them")
            if self._used.pairs_digest != restored.pairs.digest:
                tell(f"{preset.name}: the mapping was not trained on all of them; T or /ponticello/train trains it")
            self._keep()
        elif files.earlier is not None:
            tell(f"{preset.name}: unsaved pairs of an earlier show are in {files.earlier}; --restore brings them back")
        elif (other := recovery.unsaved_of_generator(preset)) is not None:
            tell(
                f"{preset.name}: unsaved pairs of an earlier show, with its generator, are in {other}; to have them back: "
                f"ponticello train {pasted(preset.folder)} --no-direct, then play with --restore"
            )
        if restored is None and not preset.is_trained:
            tell(preset.training_advice)

    def _unsaved(self, preset: Preset, before: Learning | None, files: Recovery) -> UseMapping | None:
        """What was not saved earlier in this show, or in one before it; None if there is nothing to restore."""
        if before is None:
            return recovery.restored(preset) if self._restore else None
        if not before.unsaved:
            return None
        mapping = before.learned.mapping if before.has_new_mapping else preset.mapping
        return recovery.fitted(UseMapping(mapping, before.pairs), preset, files.folder)

    def wait_for_save(self, call: ActionCall) -> None:
        """Wait for a save of the same sender, so that a preset loaded again has what was saved; never for a training."""
        end = time.monotonic() + LONGEST_SAVE_S
        lane = self._context.lanes.learning
        while lane.has_job_of(call.sender) and not self._training and time.monotonic() < end:
            time.sleep(0.005)

    def close(self) -> None:
        """The show ends: stop training."""
        self._closed = True

    def finish(self) -> None:
        """Everything in the background is done: keep what was not saved, and tell the player where."""
        for learning, files in self._played.values():
            if learning.unsaved:
                self._write(learning, files)
                self._context.notices.tell(
                    f"{learning.preset.name}: unsaved pairs and training are kept in {files.folder}; "
                    "the next ponticello live --restore brings them back",
                    wrong=False,
                )

    @property
    def regressor(self) -> str:
        """The regressor that learns the pairs from now on; `direct` if a decoder draws the pictures."""
        return "direct" if self.learning.preset.is_direct else self.learning.regressor

    def pair(self, call: ActionCall) -> None:
        """Pair the newest tick. Raises SettingError if that is impossible."""
        self._check_generator()
        newest = self._context.engine.newest
        if newest is None:
            raise SettingError("no sound yet; pair when there is a picture")
        if not self._limits.allow(call.sender):
            raise SettingError(f"more than {PAIRS_PER_S} pairs a second; pair more slowly")
        name = self.learning.pair(None if call.argument is None else str(call.argument), newest.tick)
        self._context.notices.tell(f"paired: {name}; T or /ponticello/train trains it", wrong=False)
        self._keep()

    def unpair(self, _: ActionCall) -> None:
        """Remove the last pair of this show."""
        self._check_generator()
        self._context.notices.tell(f"removed: {self.learning.unpair()}", wrong=False)
        self._keep()

    def train(self, call: ActionCall) -> None:
        """Train in the background and use the mapping. A waiting request is replaced, one for an earlier preset stopped."""
        self._check_generator()
        self._context.notices.tell(f"training {self.learning.preset.name}", wrong=False)
        self._learn(call, "train", None)

    def change_regressor(self, call: ActionCall) -> None:
        """Learn with another regressor in the background and cross-fade to it. Requests as in `train`."""
        self._check_generator()
        name = str(call.argument)
        if name not in REGRESSORS:
            raise SettingError(f"no regressor '{name}'; there are: {', '.join(REGRESSORS)}")
        self._learn(call, "regressor", name)

    def _check_generator(self) -> None:
        """Raise SettingError for a preset without a mapping to latents."""
        preset = self.learning.preset
        if preset.is_direct:
            raise SettingError(
                f"{preset.name} draws directly from the sound: pair in the studio, then ponticello train {preset.name} --direct"
            )

    def _learn(self, call: ActionCall, kind: str, regressor: RegressorName | None) -> None:
        learning = self._requested = self.learning

        def learn() -> Then:
            self._training = True
            start = time.monotonic()
            try:
                learned = learning.learn(lambda: self._closed or self._requested is not learning, regressor)
            finally:
                self._training = False
                self._training_s = time.monotonic() - start
            return partial(self._use, learning, replace(learned, crossfades=regressor is not None))

        every_s = max(CHANGE_EVERY_S, TRAINING_SHARE * self._training_s)
        self._context.run(self._context.lanes.learning, call, learn, kind, every_s)

    def save(self, call: ActionCall, values: Mapping[str, Value]) -> None:
        """Save controls, pairs and mapping as they are when the trainings requested before are done."""
        learning, preset, files = self.learning, self.learning.preset, self._files

        def save() -> Then:
            own = preset.save_controls(values)
            self._library.moved(preset, own)
            remarks = [] if preset.is_direct else learning.save(own)
            if not learning.unsaved:
                files.remove(self._restore)

            def then() -> None:
                for line in (f"saved: {own.folder}", *(f"{own.name}: {remark}" for remark in remarks)):
                    self._context.notices.tell(line, wrong=False)

            return then

        self._context.run(self._context.lanes.learning, call, save, f"save {preset.folder}", SAVE_EVERY_S)

    def _use(self, learning: Learning, learned: UseMapping) -> None:
        if learning is not self.learning:
            name = learning.preset.name
            self._context.notices.tell(f"{name} does not play any more: its new mapping is not used", wrong=False)
            return
        engine = self._context.engine
        if not (learned.crossfades and learned.mapping is self._used):  # else it plays already, or fades in
            crossfades = learned.crossfades and engine.layers < MAX_FADING
            engine.exchange(replace(learned, crossfades=crossfades), time.monotonic())
            self._used = learned.mapping
        name = learned.mapping.regressor.name
        line = f"regressor: {name}" if learned.crossfades else f"trained: {_count(learned)}"
        self._context.notices.tell(line, wrong=False)
        self._keep()

    def _keep(self) -> None:
        """Write the recovery files in the background."""
        learning, files = self.learning, self._files

        def keep() -> Then:
            self._write(learning, files)
            return lambda: None

        self._context.run(self._context.lanes.writing, ActionCall(), keep, f"recovery {files.folder}", RECOVERY_EVERY_S)

    def _write(self, learning: Learning, files: Recovery) -> None:
        if learning.unsaved and learning.version != files.version:
            files.write(learning.learned, learning.version, learning.has_new_mapping)
        if not learning.unsaved:  # saved meanwhile, or back to what the preset has
            files.remove(self._restore)


def _count(learned: UseMapping) -> str:
    count = len(learned.pairs)
    return f"{count} pair{'s' * (count != 1)}"
