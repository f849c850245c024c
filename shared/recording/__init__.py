"""A recorded show: a folder that a render plays again, picture for picture (docs/recording.md).

log.jsonl           lines of JSON: the show's settings, then every change with its sample, and the end
state.safetensors   the pipeline at the first sample
sound-001.wav ...   the sound as it entered the analysis, 44.1 kHz mono float32, ten minutes a file
frames-001.wav ...  instead of sound, for descriptors from another program: 23 columns of float64, a row for 512 samples
presets/, learned/  the presets that played and the mappings that were trained, without generators
"""
