"""Bad input as a table: each case has its number, what is put in, and what must be said."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.acceptance.command_line import APP, GUID, PLANTED

ONE, TWO = f"{GUID}1", f"{GUID}2"
SECRET = "abc8Q~abcdefghijklmnopqrstuvwxyz012345678"
URL = "[database]\nurl = "


@dataclass(frozen=True)
class Case:
    """One bad input.

    Args:
        name: its number in the catalogue, and a word.
        says: what is said on standard error.
        code: how the command ends.
        lines: how many lines begin with Error (or with Warning, where it ends with 0).
        settings: what stands in the settings file.
        tenants: what stands in a tenants file; it is then imported.
        secret: what the file `secret` holds that a tenant names.
        arguments: the command, where it is no import.
        environment: variables.
        never: what must not be repeated.
    """

    name: str
    says: str
    code: int = 1
    lines: int = 1
    settings: str | bytes = ""
    tenants: str | bytes | None = None
    secret: str | bytes = SECRET
    arguments: tuple[str, ...] = ("tenant", "list")
    environment: dict[str, str] = field(default_factory=dict)
    never: str = PLANTED


def row(name: str = "a", number: int = 1, **changes: str) -> str:
    """A [[tenant]] in TOML; a change replaces or adds a key."""
    table = {
        "name": f'"{name}"', "directory_id": f'"{GUID}{number}"', "client_id": f'"{APP}"',
        "credential": '"file:secret"', "recipients": '["it@x.example"]', **changes,
    }  # fmt: skip
    return "\n".join(["[[tenant]]", *(f"{key} = {text}" for key, text in table.items()), ""])


def setting(name: str, text: str | bytes, says: str, **more: object) -> Case:
    """A settings file that is refused."""
    return Case(name, says, settings=text, **more)  # type: ignore[arg-type]


def tenant(name: str, says: str, **changes: str) -> Case:
    """A row of a tenants file that is refused."""
    return Case(name, says, tenants=row(**changes))


def doubted(name: str, secret: str | bytes, says: str) -> Case:
    """A secret's file that is imported with a warning."""
    never = str(secret).strip() or PLANTED
    return Case(name, says, code=0, tenants=row(), secret=secret, never=never)


def mailbox(more: str) -> str:
    """A sender's table."""
    return f'{{ mailbox = "noreply@x.example", {more} }}'


def recipients(name: str, address: str) -> Case:
    """A recipient that is none."""
    return tenant(name, "recipients.0: must be one mail address", recipients=f'["{address}"]')


def _dsn(name: str, url: str, says: str) -> Case:
    return Case(name, says, settings=f'{URL}"{url}"')


_LATIN = '[operator]\nname = "Müller"'
SETTINGS = [
    setting("C01-empty", "", "", code=0, lines=0),
    setting("C02-not-utf-8", _LATIN.encode("cp1252"), "not UTF-8 text (byte 20)"),
    setting("C02-utf-16", _LATIN.encode("utf-16"), "not UTF-8 text (byte 0). Save it as UTF-8"),
    setting("C02-byte-order-mark", b"\xef\xbb\xbf[web]\nport = 1\n", "", code=0, lines=0),
    setting("C03-tabs", "\t[web]\n\tport\t=\t1\n", "", code=0, lines=0),
    setting("C03-key-twice", "[web]\nport = 1\nport = 2", "Cannot overwrite a value"),
    setting("C03-table-twice", "[web]\n[web]", "(at line 2"),
    setting("C04-typo", "[defaults]\ntheshold = [1]", '"theshold"; did you mean "thresholds"?'),
    setting("C05-deep-list", "x = " + "[" * 100_000, "is not valid TOML"),
    setting("C05-deep-table", "x = " + "{a = " * 5000 + "1" + "}" * 5000, "is not valid TOML"),
    setting("C05-deep-key", "[web]\n" + ".".join("a" * 100_000) + " = 1",
            "a key has more than 100 parts (at line 2)"),
    Case("C05-endless-file", "/dev/zero has more than 64 MB",
         arguments=("-c", "/dev/zero", "tenant", "list")),
    Case("C05-endless-tenants", "/dev/zero has more than 64 MB",
         arguments=("tenant", "import", "/dev/zero")),
    Case("C05-deep-variable", "LAPSEWATCH_DEFAULTS: defaults: must be a table",
         environment={"LAPSEWATCH_DEFAULTS": "[" * 100_000}),
    Case("C05-deep-variable-of-a-cloud", "LAPSEWATCH_CLOUDS__A: clouds.a: must be a table",
         environment={"LAPSEWATCH_CLOUDS__A": '{"a":' * 50_000}),
    setting("C07-common", '[operator]\ndirectory_id = "common"', "directory_id: must be a GUID"),
    setting("C11-none", "[defaults]\nthresholds = []", "", code=0, lines=0),
    setting("C11-unordered-twice-zero", "[defaults]\nthresholds = [1, 60, 1, 0]", "", code=0,
            lines=0),
    setting("C11-negative", "[defaults]\nthresholds = [-1]", "whole days from 0 to 3650"),
    setting("C11-too-large", "[defaults]\nthresholds = [10000]", "whole days from 0 to 3650"),
    setting("C11-text", '[defaults]\nthresholds = ["30d "]', "whole days from 0 to 3650"),
    setting("C13-zone", '[defaults]\ntime_zone = "CET+1"', 'IANA list, like Europe/Berlin'),
    setting("C14-text", '[operator]\nrecipients = "a@b.example"', "must be a list in brackets"),
    setting("C14-group", '[operator]\nrecipients = ["Admins: a@b.example;"]', "one mail address"),
    _dsn("C16-refused", f"postgresql://u:{PLANTED}@127.0.0.1:1/x", "127.0.0.1:1/x refuses the"),
    _dsn("C16-at-in-password", f"postgresql://u:a@{PLANTED}@127.0.0.1:1/x", "%40 for an @"),
    _dsn("C16-unknown-option", f"postgresql://u:{PLANTED}@127.0.0.1:1/x?foo=1",
         "has an option in its URL that PostgreSQL does not know"),
    _dsn("C16-bad-port", f"postgresql://u:{PLANTED}@h:x/x", "The database URL cannot be read"),
    _dsn("C16-a-folder", "sqlite:////tmp", "/tmp cannot be opened"),
    _dsn("C16-no-file", "sqlite:////proc/x.db", "There is no database at /proc/x.db"),
    Case("C16-bytes-in-the-name", "The database URL cannot be read",
         environment={"LAPSEWATCH_DATABASE__URL": "postgresql://a\udcff/x"}),
    setting("C21-cut-key", '[vault]\nkey = "file:secret"', "and a key has 32",
            arguments=("run", "scan"), secret="c2hvcnQ="),
    setting("C21-literal-key", f'[vault]\nkey = "{PLANTED}"', "vault.key: must be"),
    setting("C21-no-key", '[vault]\nkey = "file:nowhere"', "nowhere", arguments=("run", "scan")),
    setting("C22-path-and-slash", '[operator]\nbase_url = "https://a.example/lw/"', "", code=0,
            lines=0),
    setting("C22-ftp", '[operator]\nbase_url = "ftp://a.example"', "an http or https address"),
    setting("C22-query", '[operator]\nbase_url = "https://a.example/?x=1"', "base_url: must be"),
    setting("C22-bare", '[operator]\nbase_url = "a.example"', "base_url: must be an http"),
]  # fmt: skip
TENANTS = [
    Case("C01-empty-import", "", code=0, lines=0, tenants=""),
    Case("C02-utf-16-import", "t.toml is not UTF-8 text", tenants=row().encode("utf-16")),
    Case("C06-same-directory", 't.toml: line 10, b: directory_id: is already watched as tenant "a"',
         tenants=row() + "\n" + row("b", directory_id=f'"{ONE.upper()}"')),
    tenant("C07-common", "line 3, a: directory_id: must be a GUID", directory_id='"common"'),
    tenant("C07-organizations", "must be a GUID", directory_id='"organizations"'),
    tenant("C07-domain", "must be a GUID", directory_id='"contoso.com"'),
    tenant("C08-directory-as-client", "line 4, a: client_id: is the directory's id",
           client_id=f'"{ONE}"'),
    tenant("C08-client-as-object", "enterprise_object_id: is the Application (client) ID",
           sender=mailbox(f'enterprise_object_id = "{APP}"')),
    tenant("C08-directory-as-object", "enterprise_object_id: is the directory's id",
           sender=mailbox(f'enterprise_object_id = "{ONE}"')),
    tenant("C08-zeros", "client_id: is a GUID of zeros",
           client_id='"00000000-0000-0000-0000-000000000000"'),
    Case("C09-id-in-the-file", "looks like a secret's ID", tenants=row(credential=f'"{TWO}"'),
         never=TWO),
    doubted("C09-id-as-secret", f"{TWO}\n", "looks like the secret's ID (a GUID)"),
    Case("C10-line-end", "", code=0, lines=0, tenants=row(), secret=f" {SECRET}\r\n"),
    doubted("C10-quotes", f'"{SECRET}"\n', "its text stands in quotes"),
    doubted("C10-empty", "", "is empty"),
    doubted("C10-two-lines", f"{SECRET}\n{SECRET}\n", "one line of plain text"),
    doubted("C10-hidden-letter", f"{SECRET}\u200b", "one line of plain text"),
    doubted("C10-utf-16", SECRET.encode("utf-16"), "one line of plain text"),
    Case("C14-nobody", "a: nobody is warned", code=0, tenants=row(recipients="[]")),
    tenant("C14-text", "recipients: must be a list in brackets", recipients='"a@b.example"'),
    recipients("C14-two-in-one", "a@b.example,c@d.example"),
    recipients("C14-line-end", "a@b.example\\r\\nBcc: x@y.example"),
    recipients("C14-long", f"a@{'b' * 320}.example"),
    recipients("C14-quoted", '\\"a b\\"@c.example'),
    recipients("C14-dash", "-a@b.example"),
    recipients("C14-no-letter", "a@\\uFFFFb.example"),
    Case("C14-international", "", code=0, lines=0, tenants=row(recipients='["a@bücher.example"]')),
    Case("C17-missing", "there is no such file yet", code=0, tenants=row(credential='"file:no"')),
    Case("C17-folder", "is not a regular file", code=0, tenants=row(credential='"file:."')),
    doubted("C17-large", "x" * 10_000_000, "too large to hold a client secret"),
    Case("C20-a-thousand", "", code=0, lines=0,
         tenants="".join(row(f"t{n}", directory_id=f'"{ONE[:-4]}{n:04}"') for n in range(1000))),
]  # fmt: skip
COMMANDS = [
    Case("L01-unknown", "Did you mean 'tenant'?", code=2, arguments=("tenat",)),
    Case("L01-unknown-below", "Did you mean 'add'?", code=2, arguments=("tenant", "ad")),
    Case("L01-unknown-option", "--recipient", code=2,
         arguments=("tenant", "add", "x", "--recip", "a")),
    Case("L01-too-many", "unexpected extra argument", code=2,
         arguments=("tenant", "add", "a", "b")),
    Case("L02-secret-option", "No such option: --secret", code=2,
         arguments=("tenant", "add", "x", "--secret", PLANTED)),
    Case("L02-secret-as-word", "No such option: --client-secret", code=2,
         arguments=("tenant", "add", "x", f"--client-secret={PLANTED}")),
    Case("L02-secret-as-reference", "never the secret itself",
         arguments=("tenant", "add", "x", "--credential", PLANTED)),
    Case("L02-password-as-reference", "--password takes a reference, never the secret itself",
         arguments=("tenant", "add", "x", "--certificate", "c.pfx", "--password", PLANTED)),
    Case("L02-empty-variable", "--credential is empty. Next: Is the variable set",
         arguments=("tenant", "add", "x", "--credential", "")),
    Case("L02-password-of-nothing", "--password opens a certificate's file",
         arguments=("tenant", "add", "x", "--password", "env:X")),
    Case("L02-nothing-on-stdin", "Standard input holds no secret's value",
         arguments=("tenant", "add", "x", "--secret-stdin")),
    Case("L03-no-terminal", "What is the tenant called?", arguments=("tenant", "add")),
    Case("L03-not-enough", "Not enough is said: --directory-id; --client-id",
         arguments=("tenant", "add", "x")),
    Case("L01-no-such-app", '--app: There is no shared app "msp"',
         arguments=("tenant", "add", "x", "--app", "msp")),
    Case("L01-two-apps", "Say --app or --client-id",
         arguments=("tenant", "add", "x", "--app", "msp", "--client-id", APP)),
    Case("L01-file-and-options", "its rows say all", code=2,
         arguments=("tenant", "add", "--file", "t.toml", "--cloud", "global")),
    Case("L01-arrived-and-lost", "says the contrary", code=2,
         arguments=("tenant", "verify", "x", "--arrived", "--lost")),
    Case("L07-file-is-a-folder", ". cannot be read: Is a directory",
         arguments=("tenant", "add", "--file", ".")),
    Case("L13-name", '"x?[2J?" is no name for a tenant',
         arguments=("tenant", "add", "x\x1b[2J\u202e", "--no-input"), never="\x1b"),
    Case("L14-bytes", '--recipient: "?@x.example" is no mail address',
         arguments=("tenant", "add", "x", "--directory-id", ONE, "--client-id", APP, "--mailbox",
                    "", "--credential", "env:X", "--recipient", "\udcff@x.example")),
]  # fmt: skip
