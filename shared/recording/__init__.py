"""A recorded performance: a folder that a render plays again, picture for picture (docs/recording.md).

log.jsonl           a line each: what the show was, then every change with its sample, at last how it ended
state.safetensors   the pipeline at the first sample
sound-001.wav ...   the sound as it entered the analysis, 44.1 kHz mono float32, ten minutes a file
frames-001.wav ...  instead of it, where the descriptors came from outside: 23 columns of float64, a row for 512 samples
presets/, learned/  the presets that played and the mappings that were trained, without generators
"""
