"""What the stage and the studio have in common: sound analysis, mapping, images, presets and the pipeline that joins them."""

import os

# Before torch is imported anywhere: OpenMP's idle threads otherwise spin, and as soon as a third thread is busy
# (sound card, display, video) everything becomes 10 to 40 times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
