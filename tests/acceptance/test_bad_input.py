"""Bad input: one clear message that says where and what to do, never a traceback."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.lab.cloud import Lab
from tests.acceptance.lab.graph import Directory
from tests.acceptance.lab.objects import Cred, app, guid, in_days, toml
from tests.acceptance.lab.product import Done, Product, one_line
from tests.acceptance.lab.smtp import Mail

GOOD = {
    "directory_id": "11111111-1111-4111-8111-111111111111",
    "client_id": "21111111-1111-4111-8111-111111111111",
    "credential": {"secret": "file:secrets/good"},
    "recipients": ["it@x.example"],
}
VALUE = "PLANTED8Q~abcdefghijklmnopqrstuvwxyz0123"


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """An initialised folder with one secret file."""
    made = Product(tmp_path)
    made.run("init", code=0)
    (tmp_path / "secrets").mkdir()
    file = made.write("secrets/good", VALUE)
    file.chmod(0o600)
    return made


def row(name: str, **changes: object) -> str:
    """A [[tenant]] table; a value of None leaves the key out."""
    table = {"name": name} | GOOD | {"directory_id": guid()} | changes
    lines = [f"{key} = {toml(value)}" for key, value in table.items() if value is not None]
    return "\n".join(["[[tenant]]", *lines, ""])


def names(product: Product) -> list[str]:
    """The watched tenants."""
    return sorted(tenant["name"] for tenant in product.run("tenant", "list", "--json").json())


# --- init -----------------------------------------------------------------------------------


def test_init_writes_once_and_never_asks(product: Product) -> None:
    """init: a commented file unless one exists, then it says so; exit 0 without a terminal."""
    file = product.folder / "lapsewatch.toml"
    assert file.read_text().count("#") > 5
    file.write_text("# mine\n")
    again = product.run("init", code=0)
    assert file.read_text() == "# mine\n"
    assert "exists" in again.text


def test_an_empty_watch_list_is_said_and_is_no_error(product: Product) -> None:
    """status without tenants: exit 0, empty lists."""
    body = product.status().body
    assert (body["tenants"], body["credentials"], body["canaries"]) == ([], [], [])
    assert body["exit_code"] == 0


# --- tenants files --------------------------------------------------------------------------

BAD_ROWS = {
    "bad-guid": ({"directory_id": "7b1c"}, "directory_id"),
    "bad-client": ({"client_id": "nope"}, "client_id"),
    "bad-zone": ({"time_zone": "Europe/Berln"}, "Europe/Berlin"),
    "bad-key": ({"recipents": ["it@x.example"]}, "recipients"),
    "plain-secret": ({"credential": {"secret": VALUE}}, "file:"),
    "bad-mail": ({"recipients": ["a@b.example\nBcc: c@d.example"]}, "recipients"),
    "bad-cloud": ({"cloud": "globl"}, "global"),
    "bad-days": ({"thresholds": [60, -1]}, "thresholds"),
    "too-many-days": ({"thresholds": [3651]}, "thresholds"),
    "no-credential": ({"credential": None}, "credential"),
    "bad-app": ({"app": "mps", "client_id": None, "credential": None}, "mps"),
    "bad-hour": ({"send_hour": 24}, "send_hour"),
}


def test_bad_rows_are_named_by_line_and_the_good_ones_stored(product: Product) -> None:
    """tenant import stores the good rows and exits 1 when a row was bad, with its line."""
    text, first_lines = "", {}
    for name, (changes, _) in BAD_ROWS.items():
        first_lines[name] = text.count("\n") + 1
        text += row(name, **changes) + "\n"
    text += row("good")
    product.write("tenants.toml", text)
    done = product.run("tenant", "import", "tenants.toml", code=1)
    assert names(product) == ["good"]
    assert VALUE not in done.text
    starts = [*first_lines.values(), text.count("\n")]
    for (name, (_, word)), following in zip(BAD_ROWS.items(), starts[1:], strict=True):
        (said,) = [line for line in done.err.splitlines() if f", {name}:" in line]
        assert said.startswith("Error: tenants.toml: line ")
        number = int(said.partition("line ")[2].partition(",")[0])
        assert first_lines[name] <= number < following, said
        assert word in said
        assert ": :" not in said


def test_an_import_is_idempotent(product: Product) -> None:
    """tenant import: idempotent; a changed row is an update, not a second tenant."""
    product.write("tenants.toml", row("one", directory_id=GOOD["directory_id"]))
    for _ in range(2):
        product.run("tenant", "import", "tenants.toml", code=0)
        assert names(product) == ["one"]
    changed = row("one", directory_id=GOOD["directory_id"], time_zone="Asia/Tokyo")
    product.write("tenants.toml", changed)
    product.run("tenant", "import", "tenants.toml", code=0)
    (tenant,) = product.run("tenant", "list", "--json").json()
    assert tenant["time_zone"] == "Asia/Tokyo"


@pytest.mark.parametrize(("mark", "end"), [("", "\n"), ("\ufeff", "\r\n")])
def test_a_csv_file_is_read_like_a_toml_file(product: Product, mark: str, end: str) -> None:
    """tenant import FILE (TOML or CSV), also as Excel saves it; a bad row is named by its line."""
    head = "name,directory_id,client_id,credential,recipients,time_zone"
    good = f"good,{guid()},{guid()},file:secrets/good,it@x.example,UTC"
    bad = f"bad,nope,{guid()},file:secrets/good,it@x.example,UTC"
    (product.folder / "t.csv").write_bytes((mark + end.join([head, good, bad, ""])).encode())
    done = product.run("tenant", "import", "t.csv", code=1)
    assert "t.csv: line 3, bad: directory_id" in done.err
    assert names(product) == ["good"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.toml", b'[[tenant]\nname = "x"\n'),
        ("binary.toml", b"\xff\xfe\x00"),
        ("latin.csv", b"name,directory_id\ncaf\xe9,x\n"),
        ("missing.toml", None),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    product: Product, name: str, content: bytes | None
) -> None:
    """A missing file or one that is no text: exit 1 and its name."""
    if content is not None:
        (product.folder / name).write_bytes(content)
    done = product.run("tenant", "import", name)
    assert done.code in ({1, 2} if content is None else {1})
    assert name in done.text


def test_the_secrets_id_in_place_of_its_value_is_recognised(product: Product) -> None:
    """A secret that is a GUID: the id was pasted instead of the value; the id is not printed."""
    identity = guid()
    product.write("secrets/good", identity).chmod(0o600)
    product.write("tenants.toml", row("pasted"))
    said = one_line(product.run("tenant", "import", "tenants.toml").text)
    assert "pasted" in said
    assert "ID (a GUID)" in said
    assert identity not in said


def test_an_unknown_tenant_is_said(product: Product) -> None:
    """show, remove and run name the tenant that is not there, with exit code 1."""
    for arguments in (
        ("tenant", "show", "nobody"),
        ("tenant", "remove", "nobody", "--yes"),
        ("run", "scan", "--tenant", "nobody"),
    ):
        assert "nobody" in product.run(*arguments, code=1).text


# --- settings -------------------------------------------------------------------------------


def test_every_error_of_the_settings_is_said_at_once(product: Product) -> None:
    """Settings: file, key, and the nearest known key; all errors at once, exit 1."""
    text = """
[defaults]
scan_evry = "6h"
canary_at = "7 o'clock"
time_zone = "Europe/Berln"
send_hour = 25
[operator]
recipents = ["a@b.example"]
[cluods.lab]
x = 1
[clouds.lab]
authority = "http://127.0.0.1:1"
smtp_prt = 3
"""
    product.write("bad.toml", text)
    said = product.run("-c", "bad.toml", "status", code=1).err
    wanted = {
        "scan_evry": "scan_every", "recipents": "recipients", "cluods": "clouds",
        "smtp_prt": "smtp_port", "time_zone": "Europe/Berlin", "canary_at": "07:00",
        "send_hour": "23", "authority": "https", "clouds.lab.graph": "missing",
    }  # fmt: skip
    for key, hint in wanted.items():
        lines = [line for line in said.splitlines() if key in line and hint in line]
        assert lines, key
        assert all("bad.toml" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("broken = [", "bad.toml"),
        ('[database]\nurl = "mysql://x"\n', "sqlite"),
        ('[database]\nurl = "postgresql+psycopg://u:PLANTEDPW@127.0.0.1:1/x"\n', "127.0.0.1"),
        ('[database]\nurl = "sqlite:////nonexistent/dir/x.db"\n', "/nonexistent/dir"),
        ('[operator.sender]\nsmtp = { host = "h", tlss = "none" }\n', "tls"),
    ],
)
def test_settings_that_cannot_work_are_said_without_their_password(
    product: Product, text: str, word: str
) -> None:
    """One clear message, exit 1; a password in an address is never shown."""
    product.write("bad.toml", text)
    said = product.run("-c", "bad.toml", "status", code=1).text
    assert word in said
    assert "PLANTEDPW" not in said


def test_a_missing_ca_file_is_named_with_its_whole_path(product: Product) -> None:
    """A missing file: its setting and its path, however long."""
    path = f"{'a-rather-long-folder/' * 5}nowhere.pem"
    cloud = (
        '[clouds.lab]\nauthority = "https://127.0.0.1:1"\ngraph = "http://127.0.0.1:2"\n'
        f'smtp_host = "127.0.0.1"\nsmtp_port = 3\nca_file = "{path}"\n'
    )
    product.write("bad.toml", cloud)
    said = product.run("-c", "bad.toml", "status", code=1).text
    assert "clouds.lab.ca_file" in said
    assert path in said


def test_a_bad_environment_variable_is_blamed_and_not_the_file(product: Product) -> None:
    """Each setting is also an environment variable; the message says where the error is."""
    product.environment["LAPSEWATCH_DEFAULTS__SEND_HOUR"] = "late"
    said = product.run("status", code=1).text
    assert "LAPSEWATCH_DEFAULTS__SEND_HOUR" in said


@pytest.mark.parametrize("arguments", [("frobnicate",), ("run", "scan", "--nonsense"), ("run",)])
def test_wrong_usage_exits_with_two(product: Product, arguments: tuple[str, ...]) -> None:
    """Exit codes: 2 usage."""
    product.run(*arguments, code=2)


def test_a_missing_settings_file_says_how_to_make_one(tmp_path: Path) -> None:
    """Missing file: exit 1, its name, and the command that helps."""
    said = Product(tmp_path).run("status", code=1).text
    assert "lapsewatch.toml" in said
    assert "init" in said


# --- names ----------------------------------------------------------------------------------

NAMES = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt; & co", "{{ 7*7 }}",
    '=HYPERLINK("http://evil.example","y")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1",
    "line\r\nBcc: evil@x.example\r\n\r\nbody", "nul\x00nul", "\u202egnp.exe\u202c",
    "\u2066iso\u2069", "\u2028separator", "\x1b[31mred", "a" * 300, "'; DROP TABLE x;--", "😀", "",
]  # fmt: skip
UNSEEN = "\x00\x1b\u202e\u202c\u2066\u2069\u2028"


@dataclass
class Hostile:
    """A tenant whose apps and secrets have such names, and what came out."""

    lab: Lab
    product: Product
    page: str
    table: Done
    cells: Done
    rows: list[dict[str, object]]
    mails: list[Mail]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """All names in one tenant, and each in a tenant of its own, for the subjects."""
    lab = Lab(tmp_path_factory.mktemp("hostile"))
    product = Product(lab.folder)
    things = [app(name, Cred(name, in_days(5 + n / 100))) for n, name in enumerate(NAMES)]
    lab.tenant("all", *things, app(None, Cred(None, in_days(5))), sender=True)
    for n, name in enumerate(NAMES):
        lab.tenant(f"only-{n}", sender=True).directory = directory = Directory()
        directory.applications = [app(name, Cred(name, in_days(5))).wire()]
        lab.graph.directories[lab.tenants[f"only-{n}"].row["directory_id"]] = directory
    product.write("lapsewatch.toml", lab.settings())
    product.write("tenants.toml", lab.rows())
    product.run("init", code=0)
    product.run("tenant", "import", "tenants.toml", code=0)
    product.run("run", "scan", code=0)
    product.run("run", "warn", code=0)
    report = product.status()
    yield Hostile(
        lab, product, product.page(), product.run("status"), product.run("status", "--csv"),
        report.credentials("all"), list(lab.submission.inbox),
    )  # fmt: skip
    lab.close()


def test_no_name_costs_a_credential(hostile: Hostile) -> None:
    """Never a lost credential: every name is listed, those that can be kept are exact."""
    assert len(hostile.rows) == len(NAMES) + 1
    kept = {row["name"] for row in hostile.rows}
    assert {name for name in NAMES if name and "\x00" not in name} <= kept
    assert len(hostile.mails) == len(hostile.lab.tenants)


def test_names_are_text_in_the_page_and_in_mails(hostile: Hostile) -> None:
    """HTML in a name is shown and not run; marks that reorder or hide text are not passed on."""
    for text in (hostile.page, *(mail.part("html") for mail in hostile.mails)):
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert not set(UNSEEN) & set(text)
    for mail in hostile.mails:
        assert not set(UNSEEN) & set(mail.part("plain"))
    assert "&lt;script&gt;alert" in hostile.page


def test_names_cannot_reach_the_headers_of_a_mail(hostile: Hostile) -> None:
    """A newline in a name adds no header and no recipient; a subject is one line of text."""
    for mail in hostile.mails:
        assert mail.message["Bcc"] is None
        assert mail.recipient.endswith(".example")
        assert "evil" not in mail.recipient
        subject = str(mail.message["Subject"])
        assert not set(UNSEEN + "\r\n") & set(subject)
        assert str(mail.message["To"]) == mail.recipient
        assert mail.raw.isascii()
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        assert mail.raw.count(b"\n") == mail.raw.count(b"\r\n")


def test_names_are_no_formulas_and_no_rows_in_a_table(hostile: Hostile) -> None:
    """CSV: a name that starts like a formula is defused, and one credential is one record."""
    records = list(csv.DictReader(io.StringIO(hostile.cells.out, newline="")))
    assert len(records) == len(NAMES) * 2 + 1
    for record in records:
        for cell in (record["app_name"], record["name"]):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


def test_names_cannot_steer_a_terminal(hostile: Hostile) -> None:
    """The table on a terminal: control and bidi characters are not passed on."""
    assert not set(UNSEEN) & set(hostile.table.out)
