"""The figures as tables of text, and as a chart."""

import statistics
from dataclasses import dataclass
from html import escape

NAMES = {"yyjson": "libcurl + yyjson", "kustomer": "libkustomer", "cjson": "libcurl + cJSON", "floor": "TLS alone, in Rust"}
REFERENCE = "yyjson"


@dataclass
class Row:
    """One kind of work, done by all. Each has a sample a round; ratios are of the same round."""

    title: str
    unit: str
    samples: dict
    goal: float | None = None
    headline: str | None = None  # its name in the chart

    def ratios(self, name):
        return [ours / theirs for ours, theirs in zip(self.samples[name], self.samples[REFERENCE])]

    def ratio(self, name="kustomer"):
        return statistics.median(self.ratios(name))

    def met(self):
        return self.goal is None or self.ratio() <= self.goal

    def cell(self, name):
        if name not in self.samples:
            return ""
        median = statistics.median(self.samples[name])
        # The reference is 1.00 in every round: what it spreads is its own samples.
        ratios = [sample / median for sample in self.samples[name]] if name == REFERENCE else self.ratios(name)
        return f"{self.ratio(name):.2f}{spread(ratios)} · {amount(median, self.unit)}"

    def cells(self):
        goal = "" if self.goal is None else f"≤ {self.goal:.2f}: {verdict(self.met())}"
        return [self.title, *(self.cell(name) for name in NAMES), goal]


@dataclass
class Figure:
    """One of libkustomer's own figures."""

    title: str
    values: list
    unit: str
    goal: str = ""  # such as "≤ 1.5"

    def met(self):
        sign, _, limit = self.goal.partition(" ")
        value = statistics.median(self.values)
        return not self.goal or (value <= float(limit) if sign == "≤" else value >= float(limit))

    def cells(self):
        value = amount(statistics.median(self.values), self.unit)
        goal = f"{self.goal} {self.unit}: {verdict(self.met())}" if self.goal else ""
        return [self.title, f"{value}{spread(self.values)}", goal]


def verdict(met):
    return "met" if met else "**missed**"


def spread(values):
    """The middle half of the samples."""
    if len(values) < 4:
        return ""
    low, _, high = statistics.quantiles(values, n=4)
    return f" ({low:.2f}–{high:.2f})"


def amount(value, unit):
    if unit == "ns":
        return f"{value / 1e3:.0f} µs" if value < 1e6 else f"{value / 1e6:.1f} ms"
    if unit == "KiB":
        return f"{value * 1024 / 1e6:.1f} MB"
    if unit == "bytes":
        return f"{value / 1e6:.2f} MB"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def table(header, rows):
    lines = [header, ["---"] * len(header), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def text(rows, figures, facts):
    """All of it, as Markdown."""
    compared = table(["work", *NAMES.values(), "goal"], rows)
    own = table(["libkustomer alone", "value", "goal"], figures)
    facts = "\n".join(f"- {fact}" for fact in facts)
    return f"{compared}\n\n{own}\n\n{facts}\n"


def headline(rows):
    """The rows of the chart, for the README."""
    lines = [["work", NAMES[REFERENCE], NAMES["kustomer"]], ["---"] * 3]
    for row in rows:
        if row.headline:
            of = {name: amount(statistics.median(row.samples[name]), row.unit) for name in (REFERENCE, "kustomer")}
            lines.append([row.headline, f"1.00 · {of[REFERENCE]}", f"{row.ratio():.2f} · {of['kustomer']}"])
    lines = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"![libkustomer beside {NAMES[REFERENCE]}](benches/results.svg)\n\n{lines}\n"


def chart(rows, caption):
    """libkustomer's share of what libcurl + yyjson takes, a bar a row."""
    rows = [row for row in rows if row.headline]
    left, scale, step, top = 250, 360, 34, 62
    width, height = left + scale + 90, top + step * len(rows) + 44
    line = left + scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#24292f">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="15" font-weight="600">libkustomer beside {escape(NAMES[REFERENCE])} (1.0), less is better</text>',
    ]
    for number, row in enumerate(rows):
        y, ratio = top + number * step, row.ratio()
        bar = min(ratio, 1.2) * scale
        parts += [
            f'<text x="{left - 12}" y="{y + 15}" text-anchor="end">{escape(row.headline)}</text>',
            f'<rect x="{left}" y="{y}" width="{bar:.1f}" height="20" rx="2" fill="{"#1f6feb" if row.met() else "#bf8700"}"/>',
            f'<text x="{left + bar - 6:.1f}" y="{y + 15}" text-anchor="end" font-weight="600" fill="#ffffff">{ratio:.2f}</text>',
        ]
        if row.goal is not None:
            goal = left + row.goal * scale
            parts.append(f'<path d="M{goal:.1f} {y - 4}v28" stroke="#24292f" stroke-width="1.5" stroke-dasharray="3 2"/>')
    bottom = top + step * len(rows)
    parts += [
        f'<path d="M{line} {top - 10}V{bottom}" stroke="#57606a"/>',
        f'<text x="{line}" y="{top - 16}" text-anchor="middle" font-size="11" fill="#57606a">1.0</text>',
        f'<text x="16" y="{bottom + 26}" font-size="11" fill="#57606a">Dashed: the goal. {escape(caption)}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
