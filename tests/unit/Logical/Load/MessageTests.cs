using System.Text;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Errors;
using PgBackup.Logical.Load;

namespace PgBackup.Tests.Logical.Load;

/// <summary>What the programs say is read right, whatever stands in it.</summary>
public sealed class MessageTests
{
    private static readonly Dictionary<int, TocEntry> s_entries = new()
    {
        [218] = new TocEntry(218, "TABLE", "app", "orders", []),
        [3393] = new TocEntry(3393, "TABLE DATA", "app", "orders", []),
    };

    [Fact]
    public void ErrorsOfPgRestoreNameTheirObjects_AndShowNoCommandAndNoRow()
    {
        (RestoreMessages messages, List<PgBackupException> errors) = Read("""
            pg_restore: creating TABLE "app.orders"
            pg_restore: while PROCESSING TOC:
            pg_restore: from TOC entry 218; 1259 16445 TABLE orders postgres
            pg_restore: error: could not execute query: ERROR:  relation "orders" already exists
            Command was: CREATE TABLE app.orders (
                canary int
            );
            ERROR:  not this one

            pg_restore: error: could not execute query: ERROR:  role "gone" does not exist
            Command was: ALTER TABLE app.orders OWNER TO gone;

            pg_restore: processing data for table "app.orders"
            pg_restore: from TOC entry 3393; 0 16445 TABLE DATA orders postgres
            pg_restore: error: COPY failed for table "orders": ERROR:  invalid input syntax for type integer: "x"
            CONTEXT:  COPY orders, line 7, column note: "canary"
            pg_restore: warning: errors ignored on restore: 3
            """);
        Assert.Equal(3, messages.Ignored);
        Assert.Null(messages.Fatal);
        Assert.Equal(["TABLE app.orders", "TABLE app.orders", "TABLE DATA app.orders"], errors.Select(e => e.ErrorTarget!.ToString()));
        Assert.Equal("TABLE DATA app.orders: invalid input syntax for type integer: \"x\" (COPY orders, line 7, column note)", errors[2].Message);
        Assert.DoesNotContain(errors, e => e.Message.Contains("canary", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("COMMENT", "app", "TABLE orders", "COMMENT TABLE app.orders")]
    [InlineData("ACL", "app", "MATERIALIZED VIEW \"A b\"", "ACL MATERIALIZED VIEW app.\"A b\"")]
    [InlineData("COMMENT", "app", "TRIGGER t ON orders", "COMMENT TRIGGER t ON app.orders")]
    [InlineData("ACL", null, "SCHEMA app", "ACL SCHEMA app")]
    [InlineData("TABLE", "app", "TABLE x", "TABLE app.TABLE x")]
    public void AnObjectIsCalledAsPeopleWould(string kind, string? schema, string tag, string expected) => Assert.Equal(expected, new DatabaseObject(kind, schema, tag).ToString());

    [Fact]
    public void ARoleThatIsThereIsNoError_WhateverItIsCalled_AndAnErrorInAnyLanguageIsOne()
    {
        var failures = new List<PgBackupException>();
        var log = new LinesLog();
        var messages = new ScriptMessages(new FailureCollector(failures.Add), _ => null, globals: true, log);
        foreach (string line in new[] { "psql:<stdin>:16: ERROR:  role \"Odd Role'\"\" already exists", "psql:<stdin>:17: NOTICE:  all is well", "psql:<stdin>:18: FEHLER:  so nicht" })
            messages.Take(line);
        messages.Complete();
        Assert.Contains(log.Lines, line => line.Contains("\"Odd Role'\"\" is there already", StringComparison.Ordinal));
        Assert.Contains("so nicht (line 18)", Assert.Single(failures).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ASettingThatAnOlderServerDoesNotKnowIsNoLoss()
    {
        (RestoreMessages messages, List<PgBackupException> errors) = Read("""
            pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"
            Command was: SET transaction_timeout = 0;
            pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"
            Command was: ALTER DATABASE a SET transaction_timeout = 0;
            pg_restore: warning: errors ignored on restore: 2
            """);
        Assert.Equal((1, 1), (messages.Harmless, errors.Count));
    }

    [Fact]
    public void WhatEndsPgRestoreIsNoErrorOfAnObject()
    {
        (RestoreMessages messages, List<PgBackupException> errors) = Read("pg_restore: error: could not find block ID 7 in archive\npg_restore: detail: it is gone");
        Assert.Empty(errors);
        Assert.Null(messages.Ignored);
        Assert.StartsWith("could not find block ID 7", messages.Fatal, StringComparison.Ordinal);
    }

    [Fact]
    public void LinesThatTwoJobsToreAreErrorsAllTheSame()
    {
        (_, List<PgBackupException> errors) = Read("""
            pg_restore: pg_restore: error: could not execute query: ERROR:  one
            pg_restore: from TOC entry pg_restore: error: could not execute query: ERROR:  two
            Command was: x
            """);
        Assert.Equal(["Not restored: one", "Not restored: two"], errors.Select(e => e.Message));
    }

    [Fact]
    public void TheObjectOfALineIsFound_HoweverTheScriptIsCutIntoPieces() => Prop.ForAll(ArbMap.Default.ArbFor<PositiveInt[]>(), pieces =>
    {
        byte[] script = Encoding.UTF8.GetBytes("--\n-- Name: a; Type: TABLE; Schema: app; Owner: x\n--\n\nCREATE TABLE app.a ();\n-- Data for Name: b\"; c; Type: TABLE DATA; Schema: -; Owner: x\nCOPY\n\\N\tx\n\\.\n");
        var watch = new ScriptWatch("s");
        int done = 0;
        foreach (int piece in pieces.Select(p => p.Get).Append(script.Length))
        {
            int count = Math.Min(piece, script.Length - done);
            watch.Take(script.AsSpan(done, count));
            done += count;
        }
        return watch.ObjectAt(1) is null && watch.ObjectAt(5) == new DatabaseObject("TABLE", "app", "a") && watch.ObjectAt(9) == new DatabaseObject("TABLE DATA", null, "b\"; c");
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("\\connect other\n", true)]
    [InlineData("SELECT 1;\n\\connect -reuse-previous=on \"dbname='x'\"\n", true)]
    [InlineData("\\c other\n", true)]
    [InlineData("\\copy t from x\n", false)]
    [InlineData("\\crosstabview\n", false)]
    [InlineData(" \\\\connect other\n-- \\connect\n", false)]
    public void ConnectingElsewhereIsSeen(string script, bool seen)
    {
        Exception? error = Record.Exception(() => new ScriptWatch("s").Take(Encoding.UTF8.GetBytes(script)));
        Assert.Equal(seen, error is PgBackupException { Id: "ScriptConnectsElsewhere" });
    }

    [Theory]
    [InlineData("CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'de_DE.UTF-8';", 15, " ENCODING 'UTF8' LC_COLLATE 'de_DE.UTF-8' LC_CTYPE 'de_DE.UTF-8' LOCALE_PROVIDER libc")]
    [InlineData("CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'LATIN1' LC_COLLATE = 'C' LC_CTYPE = 'de_DE';", 13, " ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'de_DE'")]
    [InlineData("CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'en-US';", 16, " ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")]
    [InlineData("CREATE DATABASE a WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8';", 17, " ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'")]
    [InlineData("CREATE DATABASE \" WITH TEMPLATE = template0 ENCODING = 'X'\" WITH TEMPLATE = template0 ENCODING = 'UTF8''; DROP DATABASE a; --';", 14, " ENCODING 'UTF8''; DROP DATABASE a; --'")]
    [InlineData("DROP DATABASE a;", 15, " LOCALE_PROVIDER libc")]
    public void TheTraitsOfADatabaseAreRead_AndNoStatementIs(string statement, int major, string expected) => Assert.Equal(expected, DatabaseTraits.FromStatement(statement).ToSql(major));

    private static (RestoreMessages Messages, List<PgBackupException> Errors) Read(string text)
    {
        var errors = new List<PgBackupException>();
        var messages = new RestoreMessages(s_entries, new FailureCollector(errors.Add), OperationLog.None, () => { });
        foreach (string line in text.Split('\n'))
            messages.Take(line);
        messages.Complete();
        return (messages, errors);
    }
}
