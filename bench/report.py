"""Results as a Markdown table and an SVG plot."""

from __future__ import annotations

from pathlib import Path

SHIM_LIMIT = 0.8


def write_table(results: dict, path: Path) -> str:
    lines = [f"Measured on {results['machine']}; medians of interleaved runs, wall time.", "",
             "| work | firkin | peer | ratio | at most | |", "|---|---|---|---|---|---|"]  # fmt: skip
    for work in results["works"].values():
        ours = work["medians"].get("firkin")
        for peer, theirs in work["medians"].items():
            if peer == "firkin" or ours is None:
                continue
            ratio, limit = ours / theirs, work["limits"].get(peer)
            verdict = "" if limit is None else ("met" if ratio <= limit else "**missed**")
            lines.append(
                f"| {work['title']} | {1000 * ours:.1f} ms | {peer} {1000 * theirs:.1f} ms | {ratio:.2f}x | {limit or ''} | {verdict} |"
            )
    for peer, kb in results.get("memory_kb", {}).items():
        ours = results["memory_kb"].get("firkin", 0)
        if peer == "docker" and kb:
            verdict = "met" if ours / kb <= SHIM_LIMIT else "**missed**"
            lines.append(
                f"| private memory a running container costs | {ours / 1000:.2f} MB | docker's shim {kb / 1000:.2f} MB | {ours / kb:.2f}x | {SHIM_LIMIT} | {verdict} |"
            )
        elif peer == "podman":
            lines.append(
                f"| private memory a running container costs | {ours / 1000:.2f} MB | podman's conmon {kb / 1000:.2f} MB | | | |"
            )
    text = "\n".join(lines) + "\n"
    path.write_text(text)
    return text


def write_plot(results: dict, path: Path) -> None:
    """Bars of each peer's median over docker's (or the slowest peer's), one group a work."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    works = list(results["works"].values())
    if not works:
        return
    peers = sorted(
        {peer for work in works for peer in work["medians"]},
        key=lambda p: ["firkin", "docker", "podman", "runc", "bwrap"].index(p),
    )
    figure, axes = pyplot.subplots(figsize=(9, 0.7 * len(works) + 1.5))
    height = 0.8 / len(peers)
    for index, peer in enumerate(peers):
        spots = [
            (row - index * height, 1000 * work["medians"][peer])
            for row, work in enumerate(works)
            if peer in work["medians"]
        ]
        axes.barh([y for y, _ in spots], [x for _, x in spots], height=height * 0.9, label=peer)
    axes.set_yticks([row - 0.4 + height / 2 for row in range(len(works))], [work["title"] for work in works])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds, median (log scale; less is better)")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
