"""What a command prints on a terminal, with its colours, as an SVG: `script -qec COMMAND /dev/null | python3 docs/picture.py > X.svg`."""

import html
import re
import sys

COLUMNS_MAX = 200
LINE, CHARACTER, MARGIN = 18, 7.83, 14
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "1;31": "#ff7b72", "1;32": "#7ee787", "2": "#8b949e"}


def spans(line: str) -> str:
    out, colour = "", None
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b["):
            colour = COLOURS.get(part[2:-1])
        elif part:
            # Blanks that viewers do not fold.
            text = html.escape(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", part)).replace(" ", "\u00a0")
            out += f'<tspan fill="{colour}">{text}</tspan>' if colour else text
    return out


lines = [line.rstrip("\r") for line in sys.stdin.read().rstrip().split("\n")]
plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in lines]
width = round(min(COLUMNS_MAX, max(map(len, plain))) * CHARACTER) + 2 * MARGIN
height = len(lines) * LINE + 2 * MARGIN
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">')
print('<rect width="100%" height="100%" rx="6" fill="#0d1117"/>')
print('<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13" fill="#e6edf3">')
for number, line in enumerate(lines):
    print(f'<text x="{MARGIN}" y="{MARGIN + 13 + number * LINE}">{spans(line)}</text>')
print("</g>\n</svg>")
