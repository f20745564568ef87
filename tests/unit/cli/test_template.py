"""Go templates: what docker's users write in --format. TOLD was taken from docker 28.2.2's own evaluator."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from firkin.cli.template.lex import BadTemplate
from firkin.cli.template.render import compiled, render_one

CONTEXT = {
    "Current": True,
    "Description": "Current DOCKER_HOST based configuration",
    "DockerEndpoint": "unix:///var/run/docker.sock",
    "Error": "",
    "Name": "default",
}
#: template -> what `docker context ls --format` prints
TOLD = {
    "{{if .Current}}yes{{else if .Name}}n{{else}}no{{end}}": "yes",
    "{{if not .Current}}yes{{else if .Name}}n{{else}}no{{end}}": "n",
    "{{if .Error}}yes{{else}}no{{end}}": "no",
    "{{json .Name}} {{json .Current}}": '"default" true',
    '{{printf "%-10s|%5d|%q|%v|%x" .Name 3 .Name true 255}}': 'default   |    3|"default"|true|ff',
    '{{len .Name}}{{/* c */}}{{- " x " -}}  y': "7 x y",
    "{{index .Name 0}}": "100",
    "{{slice .Name 1 3}}": "ef",
    '{{eq .Name "default" "x"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}': (
        "true true true true true false"
    ),
    '{{$x := .Name}}{{$x}}{{$x = "b"}}{{$x}}': "defaultb",
    "{{with .Name}}[{{.}}]{{else}}none{{end}}": "[default]",
    "{{with .Error}}[{{.}}]{{else}}none{{end}}": "none",
    '{{join (split .Name "a") ","}} {{upper .Name}} {{title .Name}} {{pad .Name 2 3}}| {{truncate .Name 3}}': (
        "def,ult DEFAULT Default   default   | def"
    ),
    '{{print 1 2 "a" "b" 3}} {{println "a" 1}}': "1 2ab3 a 1\n",
    '{{and 1 0}} {{or 0 "x"}} {{not 0}}': "0 x true",
    "{{.Name}} }}": "default }}",
    '{{range $i,$c := split .Name "a"}}{{$i}}={{$c}};{{end}}': "0=def;1=ult;",
    '{{range split .Name "a"}}{{.}}{{else}}none{{end}}': "defult",
    "{{range $i := 3}}{{$i}}{{end}}": "012",
    "{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}": "02",
    "{{range 3}}{{if eq . 1}}{{break}}{{end}}{{.}}{{end}}": "0",
    '{{html "<a>"}} {{urlquery "a b"}} {{js "a\'"}}': "&lt;a&gt; a+b a\\'",
    '{{printf "%d" "a"}}': "%!d(string=a)",
    '{{printf "%s"}}': "%!s(MISSING)",
    '{{printf "a" 1}}': "a%!(EXTRA int=1)",
    '{{printf "%05d|%+d|%X|%o|%c|%t|%6.2f|%T|%%" 7 7 255 8 97 true 1.5 .Name}}': (
        "00007|+7|FF|10|a|true|  1.50|string|%"
    ),
    "{{true}} {{1.50}} {{0x10}} {{1e3}} {{1000000.0}} {{100000000000000000000000.0}} {{'a'}}": (
        "true 1.5 16 1000 1e+06 1e+23 97"
    ),
    '{{define "x"}}d{{.}}{{end}}{{template "x" .Name}}': "ddefault",
    '{{block "b" .Name}}<{{.}}>{{end}}': "<default>",
    '{{.Name|printf "%s-%s" "a"}}': "a-default",
    '{{(index (split .Name "a") 1)}}': "ult",
    '{{`raw`}} {{"\\u00e9"}}': "raw é",
    "a\n{{- .Name -}}\n b": "adefaultb",
    "{{- /* c */ -}} x": "x",
    "{{(.Name)}}": "default",
}
#: template -> what docker says on standard error
REFUSED = {
    "{{.Name": "template: :1: unclosed action",
    "{{foo .Name}}": 'template: :1: function "foo" not defined',
    "{{.Name | bar}}": 'template: :1: function "bar" not defined',
    "{{if .Current}}yes": "template: :1: unexpected EOF",
    "{{end}}": "template: :1: unexpected {{end}}",
    "{{range .Name}}{{end}}": 'template: :1:8: executing "" at <.Name>: range can\'t iterate over default',
    "{{lt 1 2.0}}": 'template: :1:2: executing "" at <lt 1 2.0>: error calling lt: incompatible types for comparison',
    "{{$y}}": 'template: :1: undefined variable "$y"',
    "{{.Name.Foo}}": 'template: :1:7: executing "" at <.Name.Foo>: can\'t evaluate field Foo in type string',
    "{{nil}}": 'template: :1:2: executing "" at <nil>: nil is not a command',
    "{{1 2}}": 'template: :1:2: executing "" at <1>: can\'t give argument to non-function 1',
    "{{}}": "template: :1: missing value for command",
    "{{if}}x{{end}}": "template: :1: missing value for if",
    '{{"a}}': "template: :1: unterminated quoted string",
    "{{.Name .Foo}}": 'template: :1:2: executing "" at <.Name>: wrong number of args for Name: want 0 got 1',
    '{{split "a"}}': 'template: :1:2: executing "" at <split>: wrong number of args for split: want 2 got 1',
    '{{template "x"}}': 'template: :1:11: executing "" at <{{template "x"}}>: template "x" not defined',
    "{{break}}": "template: :1: {{break}} outside {{range}}",
    "{{lower 1}}": 'template: :1:8: executing "" at <1>: expected string; found 1',
    "{{ .Name}": "template: :1: bad character U+007D '}'",
    '{{index (split .Name "a") 7}}': (
        'template: :1:2: executing "" at <index (split .Name "a") 7>: error calling index: index out of range: 7'
    ),
    "{{len 3}}": 'template: :1:2: executing "" at <len 3>: error calling len: len of type int',
    '{{eq 1 "a"}}': 'template: :1:2: executing "" at <eq 1 "a">: error calling eq: incompatible types for comparison',
    "{{eq 1}}": 'template: :1:2: executing "" at <eq 1>: error calling eq: missing argument for comparison',
    "{{(.Name}}": "template: :1: unclosed left paren",
    "{{/* x}}": "template: :1: unclosed comment",
}


@pytest.mark.parametrize("form", TOLD)
def test_says_what_docker_says(form: str) -> None:
    assert compiled(form)(CONTEXT) == TOLD[form]


@pytest.mark.parametrize("form", REFUSED)
def test_refuses_as_docker_refuses(form: str) -> None:
    with pytest.raises(BadTemplate) as refused:
        compiled(form)(CONTEXT)
    assert str(refused.value) == f"template parsing error: {REFUSED[form]}"


def test_the_tables_are_what_docker_says_today() -> None:
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("the docker command line is not installed")
    # One process for all: docker prints one line a context, and there is one context.
    for form, told in list(TOLD.items())[::4]:
        ran = subprocess.run(
            [docker, "context", "ls", "--format", form],
            capture_output=True,
            text=True,
            env={"HOME": "/nonexistent"},
        )
        assert ran.stdout == f"{told}\n", form
    for form, told in list(REFUSED.items())[::6]:
        ran = subprocess.run(
            [docker, "context", "ls", "--format", form],
            capture_output=True,
            text=True,
            env={"HOME": "/nonexistent"},
        )
        assert ran.stderr.strip() == f"template parsing error: {told}", form


INSPECTED = {
    "Id": "abc",
    "State": {"Status": "exited", "ExitCode": 3, "OOMKilled": False},
    "Config": {"Labels": {"b": "2", "a": "1"}, "Env": ["A=1", "B=2"], "Cmd": None},
    "Mounts": [{"Type": "bind", "Source": "/a", "RW": True}],
    "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}},
}


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("{{.State.Status}} {{.State.ExitCode}}", "exited 3"),
        ("{{.Config.Labels}}", "map[a:1 b:2]"),
        ("{{.Config.Labels.a}} {{.Config.Labels.zz}}", "1 <no value>"),
        ('{{index .Config.Labels "zz"}}|', "|"),
        ("{{json .Config.Labels}}", '{"a":"1","b":"2"}'),
        ("{{json .State}}", '{"Status":"exited","ExitCode":3,"OOMKilled":false}'),
        ('{{.Config.Env}} {{join .Config.Env ","}}', "[A=1 B=2] A=1,B=2"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"),
        ("{{.Mounts}}", "[{bind /a true}]"),
        ("{{range .Mounts}}{{.Type}}:{{.Source}}{{end}}", "bind:/a"),
        ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"),
        (
            "{{range $p, $c := .NetworkSettings.Ports}}{{$p}} -> {{(index $c 0).HostPort}}{{end}}",
            "80/tcp -> 8080",
        ),
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"),
        ("{{.Config.Cmd}} {{json .Config.Cmd}}", "<no value> null"),
        ("{{$c := .Config}}{{len $c.Env}}{{range $c.Env}} {{$.Id}}:{{.}}{{end}}", "2 abc:A=1 abc:B=2"),
    ],
)
def test_walks_what_inspect_shows(form: str, told: str) -> None:
    assert compiled(form)(INSPECTED) == told


def test_names_a_missing_field() -> None:
    with pytest.raises(BadTemplate, match=r'executing "" at <\.State\.Foo>: map has no entry for key "Foo"'):
        compiled("{{.State.Foo}}")(INSPECTED)


def test_json_is_one_line() -> None:
    assert render_one("json", {"A": "<é>", "B": [1, None]}) == '{"A":"<é>","B":[1,null]}\n'


def test_endless_recursion_ends() -> None:
    with pytest.raises(BadTemplate, match="exceeded maximum template depth"):
        compiled('{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}')({})
