"""A JACK client that plays a mono sound file: `jack_player.py FILE LEAD_SECONDS NAME`. A part of `tests/rig.py`.

It prints `ready`, waits for the first connection, plays LEAD_SECONDS of silence, then the file, then a second of silence,
and says `xruns N`.
"""

import sys
import threading

import jack
import soundfile


def main(file: str, lead: float, name: str) -> None:
    sound, rate = soundfile.read(file, dtype="float32")
    if sound.ndim > 1:
        sys.exit(f"{file} has {sound.shape[1]} channels; 1 is wanted")
    client = jack.Client(name)
    if rate != client.samplerate:
        sys.exit(f"{file} has {rate} Hz, the server {client.samplerate} Hz")
    port = client.outports.register("out_1")
    position = -round(lead * rate)
    connected = False
    done = threading.Event()
    xruns = 0

    @client.set_xrun_callback
    def count(_: float) -> None:
        nonlocal xruns
        xruns += 1

    @client.set_process_callback
    def play(samples: int) -> None:
        nonlocal position, connected
        block = port.get_array()
        block[:] = 0
        connected = connected or port.number_of_connections > 0
        if not connected:
            return
        begin, end = max(0, position), min(len(sound), position + samples)
        if end > begin:
            block[begin - position : end - position] = sound[begin:end]
        position += samples
        if position >= len(sound) + rate:
            done.set()

    with client:
        print("ready", flush=True)
        done.wait()
    print(f"xruns {xruns}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
