"""A JACK client that records: `jack_recorder.py NAME SECONDS FILE.npy`. PortAudio sees an output device of that name.

It prints `ready`, waits for a connection, records its two inputs from then on, writes them as float32 (frames, 2), and says
`xruns N`.
"""

import sys
import threading

import jack
import numpy as np


def main(name: str, seconds: float, file: str) -> None:
    client = jack.Client(name)
    ports = [client.inports.register(f"in_{i}") for i in (1, 2)]
    heard = np.zeros((round(seconds * client.samplerate), 2), np.float32)
    position = xruns = 0
    done = threading.Event()

    @client.set_xrun_callback
    def count(_: float) -> None:
        nonlocal xruns
        xruns += 1

    @client.set_process_callback
    def listen(frames: int) -> None:
        nonlocal position
        if not any(port.number_of_connections for port in ports):
            return
        wanted = min(frames, len(heard) - position)
        for column, port in enumerate(ports):
            heard[position : position + wanted, column] = port.get_array()[:wanted]
        position += wanted
        if wanted < frames:
            done.set()

    with client:
        print("ready", flush=True)
        done.wait()
    np.save(file, heard)
    print(f"xruns {xruns}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
