"""``firkin exec``."""

from __future__ import annotations

from firkin.cli.command import Call, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firkin.specgen.options import ExecOptions


def run(call: Call) -> int:
    from firkin.engine.exec import execute

    engine, reference = call.session.engine, call.words[0]
    options = _options(call)
    if options.detach:
        execute(engine, reference, options)
        return 0
    from firkin.cli.converse import Conversation

    streams = ("stdin", "stdout", "stderr") if options.interactive else ("stdout", "stderr")
    # docker exec has no --sig-proxy: a signal ends the command line, and the process inside goes on.
    with Conversation(streams=streams, tty=options.tty, keys=options.detach_keys, sig_proxy=False) as talk:
        code: int = talk.relay(execute(engine, reference, options)).exit_code
    return code


def _options(call: Call) -> ExecOptions:
    from firkin.specgen.options import ExecOptions

    env: tuple[str, ...] = ()
    if call.given("env") or call.given("env-file"):
        from firkin.cli.create_options import environment

        env = environment(call["env-file"], call["env"])
    return ExecOptions(
        command=tuple(call.words[1:]),
        env=env,
        user=call["user"],
        workdir=call["workdir"],
        tty=call["tty"],
        interactive=call["interactive"],
        detach=call["detach"],
        detach_keys=call["detach-keys"],
        privileged=call["privileged"],
    )


COMMAND = Command(
    name="exec",
    usage="[OPTIONS] CONTAINER COMMAND [ARG...]",
    short="Execute a command in a running container",
    run=run,
    aliases=("container exec", "exec"),
    flags=(
        ("detach", "d", "bool", None, "Run the command in the background"),
        ("detach-keys", "", "string", None, "Keys that detach from the command"),
        ("env", "e", "list", None, "Set an environment variable (NAME=VALUE, or NAME to pass it on)"),
        ("env-file", "", "list", None, "Read environment variables from a file"),
        ("interactive", "i", "bool", None, "Keep STDIN open even if not attached"),
        ("privileged", "", "bool", None, "Give the command all that the caller has"),
        ("tty", "t", "bool", None, "Give the command a terminal"),
        ("user", "u", "string", None, "User and group of the command (<name|uid>[:<group|gid>])"),
        ("workdir", "w", "string", None, "Working directory of the command"),
    ),
    readers={"env": "cli.create_options:env", "user": "specgen.parse_modes:parse_user"},
    arguments=(2, None),
    interspersed=False,
    stands_in=True,
    dynamic="container",
)
