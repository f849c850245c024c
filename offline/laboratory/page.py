"""Reports as single HTML files: text, tables, pictures, plots and films are inside, so that they open without a network."""

import base64
import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from offline.laboratory.table import Cell, Column, Table, written
from shared.atomic import written_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JPEG_QUALITY = 88
LARGEST_FILM = 23_000_000  # bytes of a film inside a page; base64 adds a third, and Firefox opens data URLs up to 32 MB
FILM_TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}
SOUND_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".m4a": "audio/mp4",
}
STYLE = """
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 1600px; background: #151515; color: #ddd;
       font: 15px/1.5 system-ui, sans-serif; }
h1, h2 { font-weight: 500; } h2 { margin-top: 2.5rem; }
p { max-width: 46rem; } a { color: #9cf; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #333; text-align: right; vertical-align: middle; }
th { font-weight: 500; color: #aaa; } td.text, th.text { text-align: left; }
td.best { color: #fc6; font-weight: 600; }
figure { margin: 1rem 0; } figcaption { color: #aaa; } img, video { max-width: 100%; height: auto; }
td img { max-width: none; display: block; }
div.timed { position: relative; cursor: crosshair; width: fit-content; }
div.timed i { position: absolute; top: 0; bottom: 0; width: 2px; background: #fff; }
dl { max-width: 60rem; } dt { color: #fff; } dd { margin: 0 0 .4rem 1.5rem; }
"""


MAGNIFIER = """<div><canvas id="NAME-large" width="0" height="0" style="max-width:100%"></canvas></div>
<script>
(() => {
  const film = document.getElementById("NAME"), large = document.getElementById("NAME-large"), cells = CELLS;
  const shown = [], zoom = 2.5;
  film.addEventListener("click", event => {
    const scale = film.videoWidth / film.clientWidth, x = event.offsetX * scale, y = event.offsetY * scale;
    const cell = cells.find(c => x >= c[0] && x < c[0] + c[2] && y >= c[1] && y < c[1] + c[3]);
    if (!cell) return;
    event.preventDefault();
    shown.push(cell);
    if (shown.length > 2) shown.shift();
    draw();
  });
  const draw = () => {
    if (!shown.length) return;
    const [width, height] = [shown[0][2] * zoom, shown[0][3] * zoom];
    if (large.width != width * shown.length) { large.width = width * shown.length; large.height = height; }
    shown.forEach((c, i) => large.getContext("2d").drawImage(film, ...c, i * width, 0, width, height));
  };
  const loop = () => { draw(); requestAnimationFrame(loop); };
  loop();
})();
</script>"""


CURSOR = """<script>
(() => {
  const film = document.getElementById("NAME"), plot = document.getElementById("NAME-plot"), [left, right, length] = SPAN;
  const line = plot.querySelector("i");
  plot.addEventListener("click", event => {
    const share = (event.clientX - plot.getBoundingClientRect().left) / plot.clientWidth;
    film.currentTime = Math.min(Math.max((share - left) / (right - left), 0), 1) * length;
  });
  const loop = () => {
    line.style.left = 100 * (left + (right - left) * film.currentTime / length) + "%";
    requestAnimationFrame(loop);
  };
  loop();
})();
</script>"""


class Page:
    """An HTML page, built from top to bottom."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def text(self, *paragraphs: str) -> None:
        """Add paragraphs of plain text."""
        self._parts += [f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs]

    def table(self, table: Table) -> None:
        """Add a table; the best number of a column is marked, and the columns that have a help are explained below."""
        best = [table.best_row(i) for i in range(len(table.columns))]
        is_text = [any(isinstance(row[i], str) for row in table.rows) for i in range(len(table.columns))]
        head = "".join(_heading(*entry) for entry in zip(table.columns, is_text, strict=True))
        rows = [
            "".join(_cell(cell, table.columns[j], best[j] == i, is_text[j]) for j, cell in enumerate(row))
            for i, row in enumerate(table.rows)
        ]
        body = "\n".join(f"<tr>{row}</tr>" for row in rows)
        self._parts.append(f'<div class="wide"><table>\n<tr>{head}</tr>\n{body}\n</table></div>')
        if helps := [column for column in table.columns if column.help]:
            terms = "\n".join(f"<dt>{escape(c.title)}</dt><dd>{escape(c.help)}</dd>" for c in helps)
            self._parts.append(f"<dl>{terms}</dl>")

    def picture(self, image: UInt8[np.ndarray, "h w 3"], caption: str = "") -> None:
        """Add a picture."""
        self._figure(_img(image), caption)

    def plot(
        self, figure: "Figure", caption: str = "", cursor: tuple[float, float, float] | None = None, film: str = "film"
    ) -> None:
        """Add a plot of matplotlib.

        cursor: left and right edge of its time axis, as shares of its width, and the length of the film in seconds: a line
        then shows where the film of this name is, and a click goes there.
        """
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=130, metadata={"Software": None})
        image = f'<img alt="" src="{_uri("image/png", content.getvalue())}">'
        if cursor is not None:
            image = f'<div class="timed" id="{film}-plot">{image}<i></i></div>'
        self._figure(image, caption)
        if cursor is not None:
            self._parts.append(CURSOR.replace("NAME", film).replace("SPAN", json.dumps(cursor)))

    def film(
        self, path: Path, caption: str = "", cells: Sequence[tuple[int, int, int, int]] = (), name: str = "film"
    ) -> None:
        """Add a film (.mp4 or .webm) with controls: the whole file, or if it is too large, the file beside the page.

        cells: places in it (left, upper edge, width, height) that are shown large below the film when they are clicked on,
        the newest two side by side. name: tells films of a page apart.
        """
        if path.stat().st_size > LARGEST_FILM:
            source = quote(path.name)
            caption = f"{caption} The film is {path.name}: keep it beside this page.".strip()
        else:
            source = _uri(FILM_TYPES[path.suffix], path.read_bytes())
        self._figure(f'<video id="{name}" controls loop preload="metadata" src="{source}"></video>', caption)
        if cells:
            script = MAGNIFIER.replace("NAME", name).replace("CELLS", json.dumps([list(cell) for cell in cells]))
            self._parts.append(script)

    def sound(self, path: Path, caption: str = "") -> None:
        """Add a sound file with controls: the whole file, so it should be short."""
        source = _uri(SOUND_TYPES[path.suffix.lower()], path.read_bytes())
        self._figure(f'<audio controls preload="metadata" src="{source}"></audio>', caption)

    def write(self, path: Path) -> None:
        """Write the page. Raises UserError or Failure if that is impossible."""
        head = f'<meta charset="utf-8"><title>{escape(self._title)}</title><style>{STYLE}</style>'
        body = "\n".join(self._parts)
        with written_atomically(path) as temporary:
            temporary.write_text(
                f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n', "utf-8"
            )

    def _figure(self, content: str, caption: str) -> None:
        text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        self._parts.append(f"<figure>{content}{text}</figure>")


def strip(images: list[UInt8[np.ndarray, "side side 3"]], gap: int = 2) -> UInt8[np.ndarray, "side width 3"]:
    """Pictures of one size side by side, `gap` pixels apart."""
    space = np.zeros((images[0].shape[0], gap, 3), np.uint8)
    parts = [part for image in images for part in (image, space)]
    return np.concatenate(parts[:-1], axis=1)


def _heading(column: Column, is_text: bool) -> str:
    return f'<th class="text">{escape(column.title)}</th>' if is_text else f"<th>{escape(column.title)}</th>"


def _cell(cell: Cell, column: Column, is_best: bool, is_text: bool) -> str:
    content = _img(cell) if isinstance(cell, np.ndarray) else escape(written(cell, column))
    kind = "best" if is_best else "text" if is_text else ""
    return f'<td class="{kind}">{content}</td>' if kind else f"<td>{content}</td>"


def _img(image: UInt8[np.ndarray, "h w 3"]) -> str:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    height, width = image.shape[:2]
    return f'<img alt="" width="{width}" height="{height}" src="{_uri("image/jpeg", content.getvalue())}">'


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
