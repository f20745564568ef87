"""``firkin doctor``."""

from __future__ import annotations

from firkin.cli.command import Call, Command


def run(call: Call) -> int:
    from firkin import config
    from firkin.app.doctor import MISSING, examine
    from firkin.cli.output import out, to_json
    from firkin.errors import InvalidArgument

    if call["format"] not in ("", "json"):
        raise InvalidArgument(f"invalid format: {call['format']}", hint="use json, or leave --format out")
    findings = examine(config.locate(call.session.root, call.session.run_root))
    if call["format"] == "json":
        out("".join(f"{to_json(finding)}\n" for finding in findings))
    else:
        for finding in findings:
            out(f"{finding.status:<8} {finding.name}: {finding.detail}\n")
            if finding.cost:
                out(f"         without it: {finding.cost}\n")
            if finding.fix:
                out(f"         to get it: {finding.fix}\n")
    return int(any(finding.status == MISSING for finding in findings))


COMMAND = Command(
    name="doctor",
    usage="[OPTIONS]",
    short="Check what this machine has, what it lacks, what that costs and how to get it",
    run=run,
    flags=(("format", "", "string", None, "'json' for one object a line"),),
)
