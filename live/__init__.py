"""On stage: the commands `live`, `soundcheck`, `devices` and `doctor`.

command         the options of `ponticello live`, and a show made of them
sound/          a sound card, a file or OSC as a source of blocks of samples
osc/            messages in and out
display/        the window, its keys and the head-up display
soundcheck/     measures an instrument and a hall; also a command
show/           the running show: engine, pictures, learning, recordings
hall            the file of a room: devices and technical controls

The way of a block of sound: sound/ → show/engine → shared/pipeline → show/picture_thread → show/performance → display/.
Of an OSC message: osc/udp → osc/port → show/performance → show/controller → show/engine → shared/pipeline.
Of a key: display/desktop_window → display/keys → show/performance → show/controller → show/engine → shared/pipeline.
"""
