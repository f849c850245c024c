"""Every command of the window, a row each: menus, shortcuts, tooltips and the handbook read this table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command of the window."""

    name: str
    menu: str
    text: str
    """As a menu shows it."""
    help: str
    """One sentence, as a tooltip shows it."""
    key: str = ""
    """As Qt writes it; Ctrl is Command on a Mac."""
    checkable: bool = False
    separated: bool = False
    """Whether a separator precedes it in the menu."""


# A row a line.
# fmt: off
COMMANDS: tuple[Command, ...] = (
    Command("new", "File", "New…", "Make a preset around a generator.", "Ctrl+N"),
    Command("open", "File", "Open…", "Open a preset's folder.", "Ctrl+O"),
    Command("open_shipped", "File", "Open shipped", "Open one of the presets that come with Ponticello."),
    Command("add_sounds", "File", "Add sounds…", "Put sound files on the map.", "Ctrl+Shift+A", separated=True),
    Command("candidates", "File", "Make candidates…", "Make images to choose from.", "Ctrl+Shift+M"),
    Command("render", "File", "Render region…", "Render the region, or the whole sound, to a video.", "Ctrl+R", separated=True),
    Command("live", "File", "Play live", "Start `ponticello live` with this preset.", "Ctrl+L"),
    Command("export", "File", "Export…", "Save the map as a picture or as a table.", "Ctrl+E"),
    Command("quit", "File", "Quit", "Close the window; everything is saved already.", "Ctrl+Q", separated=True),

    Command("undo", "Edit", "Undo", "Undo the last change.", "Ctrl+Z"),
    Command("redo", "Edit", "Redo", "Redo the last undone change.", "Ctrl+Shift+Z"),
    Command("remove", "Edit", "Remove image", "Take the selected image off the map.", "Delete", separated=True),
    Command("pair_here", "Edit", "Pair with the playhead", "Pair the candidate that is selected in the tray with the current moment.", "Return"),
    Command("star", "Edit", "Choose image", "Star the candidate under the pointer, or remove its star.", "C"),
    Command("similar", "Edit", "More like this", "Show the candidates that look most like the selected image.", "M"),
    Command("far_apart", "Edit", "17 far apart", "Choose 17 candidates that look as different as possible.", separated=True),
    Command("auto_kmeans", "Edit", "Pair by k-means", "Replace all pairs: the centres of 17 clusters of sound, images in their order."),
    Command("auto_assignment", "Edit", "Pair by assignment", "Replace all pairs: clusters of sound and images, matched by their places."),
    Command("auto_pca", "Edit", "Pair by components", "Replace all pairs: the extremes of sound and of images."),

    Command("play", "Sound", "Play", "Play from the playhead, or stop.", "Space", checkable=True),
    Command("stop", "Sound", "Stop at once", "Stop the sound at once, and put the message away.", "Escape"),
    Command("loop", "Sound", "Loop", "Repeat the region, or the whole sound.", "L", checkable=True),
    Command("slower", "Sound", "Slower", "Half the speed, down to 1/8.", "["),
    Command("faster", "Sound", "Faster", "Twice the speed, up to 1.", "]"),
    Command("start", "Sound", "To the start", "Go to the start of the region, or of the sound.", "Home", separated=True),
    Command("back", "Sound", "Back 1 s", "Go back 1 s.", "Left"),
    Command("forward", "Sound", "Forward 1 s", "Go forward 1 s.", "Right"),
    Command("next_image", "Sound", "Next image", "Go to the moment that the next image is paired with.", "Ctrl+Right"),
    Command("previous_image", "Sound", "Previous image", "Go to the moment that the previous image is paired with.", "Ctrl+Left"),
    Command("next_sound", "Sound", "Next sound", "Show the next sound below the map.", "PgDown"),
    Command("previous_sound", "Sound", "Previous sound", "Show the previous sound below the map.", "PgUp"),
    Command("remove_sound", "Sound", "Remove sound", "Remove the sound below the map from the preset, and map the others again."),
    Command("region_start", "Sound", "Region starts here", "Begin the region at the playhead.", "I", separated=True),
    Command("region_end", "Sound", "Region ends here", "End the region at the playhead.", "O"),
    Command("no_region", "Sound", "No region", "Clear the region.", "X"),
    Command("microphone", "Sound", "Microphone on the map", "Show where a live input lies on the map.", "Ctrl+M", checkable=True, separated=True),

    Command("fit", "Map", "Show all", "Show the whole map.", "F"),
    Command("closer", "Map", "Closer", "Zoom in at the pointer.", "+"),
    Command("farther", "Map", "Farther", "Zoom out at the pointer.", "-"),
    Command("to_playhead", "Map", "Go to the playhead", "Put the moment that sounds in the middle of the map.", "P"),
    Command("images", "Map", "Images", "Show or hide the images on the map.", "H", checkable=True, separated=True),
    Command("gaps", "Map", "Gaps", "Shade the sounds that are far from every image.", "G", checkable=True),
    Command("play_gap", "Map", "Play the farthest sound", "Go to the sound that is farthest from every image, and play it.", "Shift+G"),
    Command("colour_image", "Map", "Colour by image", "Colour each sound by its nearest image.", "1", separated=True),
    Command("colour_time", "Map", "Colour by time", "Colour each sound from early to late.", "2"),
    Command("colour_loudness", "Map", "Colour by loudness", "Colour each sound by its loudness.", "3"),
    Command("colour_pitch", "Map", "Colour by pitch", "Colour each sound by its pitch.", "4"),
    Command("colour_sound", "Map", "Colour by sound file", "Colour each sound file differently.", "5"),

    Command("mockup", "Film", "Mock-up", "Show the placed image nearest to the sound.", "Ctrl+1", checkable=True),
    Command("generator", "Film", "Generator", "Show what the trained mapping makes of the sound.", "Ctrl+2", checkable=True),
    Command("both", "Film", "Side by side", "Show the mock-up and the generator side by side.", "Ctrl+3", checkable=True),
    Command("shape_square", "Film", "Square", "Draw the film in the network's own shape.", "Ctrl+4", checkable=True, separated=True),
    Command("shape_wide", "Film", "16:9", "Draw the film in 16:9: the square, continued to both sides.", "Ctrl+5", checkable=True),
    Command("shape_tall", "Film", "9:16", "Draw the film upright, in 9:16.", "Ctrl+6", checkable=True),
    Command("shape_wall", "Film", "4:1", "Draw the film in 4:1, as for a wall of LEDs.", "Ctrl+7", checkable=True),
    Command("shape_window", "Film", "Shape of the pane", "Draw the film in the shape of its pane, window or screen.", "Ctrl+8", checkable=True),
    Command("detach", "Film", "Own window", "Show the film in a window of its own, for another monitor.", "D", checkable=True, separated=True),
    Command("fullscreen", "Film", "Full screen", "Show the film on a whole screen; Escape ends it.", "F11", checkable=True),
    Command("motion", "Film", "Motion", "Show the mapping's regressor, the smoothing and the followers.", "R", checkable=True, separated=True),
    Command("settings", "Film", "Sliders", "Show the sliders of the preset.", "S", checkable=True),

    Command("keys", "Help", "Keys", "Show all keys.", "F1"),
    Command("hints", "Help", "First steps", "Show the five hints again."),
)
# fmt: on
MENUS = tuple(dict.fromkeys(command.menu for command in COMMANDS))


def shown(key: str) -> str:
    """A key as a tooltip and the handbook write it."""
    signs = {"Escape": "Esc", "PgDown": "Page Down", "PgUp": "Page Up"}
    return "+".join(signs.get(part, part) for part in key.split("+")) if key != "+" else "+"


def table() -> str:
    """The table of keys in Markdown, for the handbook."""
    lines = ["| key | what it does |", "|---|---|"]
    lines += [f"| `{shown(row.key)}` | {row.help} |" for row in COMMANDS if row.key]
    return "\n".join(lines)
